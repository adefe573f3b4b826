"""Files are whole or not there."""

from pathlib import Path

import pytest

from ganlib.common.files import atomic, remove_torn, staged


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


def test_what_killed_processes_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "samples").mkdir()
    for path in (tmp_path / "config.yaml", tmp_path / "samples" / "7.png", tmp_path / "plain"):
        with atomic(path) as temporary:
            # as kill -9 leaves it: a name of this kind, which nobody removes
            (path.parent / temporary.name.replace(path.name, f"x{path.name}")).write_text("torn")
    others = [".lock", ".hidden", ".x.short.png", "visible.abcdefgh.png"]
    for name in others:
        (tmp_path / name).touch()
    remove_torn(tmp_path)
    left = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file())
    assert left == sorted([*others, "config.yaml", "plain", "samples/7.png"])
