"""Files are whole or not there."""

from pathlib import Path

import pytest

from ganlib.common.io.files import atomic, remove_torn, staged


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    for text in ("old", "new"):
        with atomic(path) as temporary:
            temporary.write_text(text)
    with pytest.raises(ZeroDivisionError), atomic(path) as temporary:
        temporary.write_text("torn")
        1 / 0  # noqa: B018
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]


def test_files_arrive_together(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with pytest.raises(ZeroDivisionError), staged(tmp_path) as folder:
        (folder / "a").write_text("new")
        1 / 0  # noqa: B018
    assert (tmp_path / "a").read_text() == "old"
    with staged(tmp_path) as folder:
        (folder / "a").write_text("new")
        (folder / "b").write_text("too")
        assert (tmp_path / "a").read_text() == "old"
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"a": "new", "b": "too"}


def test_a_name_may_be_as_long_as_the_system_allows(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 251 + ".txt")
    with atomic(path) as temporary:
        temporary.touch()
    assert list(tmp_path.iterdir()) == [path]


def test_what_killed_processes_left_is_removed(tmp_path: Path) -> None:
    for name in ("config.yaml", "plain"):
        with pytest.raises(FileNotFoundError), atomic(tmp_path / name) as temporary:
            # as kill -9 leaves it: a name of this kind, which nobody removes
            first, rest = temporary.name[len(".ganlib-")], temporary.name[len(".ganlib-0") :]
            temporary.rename(tmp_path / f".ganlib-{'1' if first == '0' else '0'}{rest}")
    assert len(list(tmp_path.iterdir())) == 2
    others = [".bashrc.original", ".vimrc.personal", ".7.png.abcdefgh.png", ".ganlib-lock"]
    others += [".git/.index.abcdefgh", "below/.ganlib-abcdefgh.png"]
    for name in others:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    remove_torn(tmp_path)
    left = [str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()]
    assert sorted(left) == sorted(others)
