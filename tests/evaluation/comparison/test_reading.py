"""Finding and reading runs, damaged ones too."""

import errno
import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from ganlib.common.errors import UserError
from ganlib.evaluation.comparison.compare import compare
from ganlib.evaluation.comparison.reading import find_runs, read_run
from ganlib.evaluation.page.document import to_html

Make = Callable[..., Path]
Score = Callable[..., dict[str, Any]]
Lines = Callable[..., None]


def test_a_run_is_found_once_and_foreign_files_are_passed_by(make: Make, tmp_path: Path) -> None:
    folder = make("dcgan")
    (tmp_path / "result" / "config.yaml").write_text("colour: blue\n")
    found = find_runs([tmp_path / "result", folder, folder.parent])
    assert [run.path.name for run in found] == ["seed0"]


def test_evaluations_of_one_iteration_join_and_the_newest_of_a_score_counts(
    make: Make, score: Score, lines: Lines
) -> None:
    folder = make("dcgan", 0)
    lines(
        folder / "scores.jsonl",
        [
            {"iteration": 200, "scores": {"FD": score(5.0), "IS": score(2.0)}},
            {"iteration": 100, "scores": {"FD": score(8.0)}},
            {"iteration": 200, "scores": {"FD": score(4.0), "KID": score(float("nan"))}},
        ],
    )
    run = read_run(folder)
    assert run is not None
    assert [e.iteration for e in run.evaluations] == [100, 200]
    assert {n: s.value for n, s in run.evaluations[1].scores.items()} == {"IS": 2.0, "FD": 4.0}


def test_a_last_line_that_a_crash_cut_off_is_left_out(make: Make) -> None:
    folder = make("dcgan", 0, {100: {"FD": 5.0}})
    for name in ("log.jsonl", "scores.jsonl"):
        with (folder / name).open("a") as file:
            file.write('{"iteration": 300, "sco')
    (folder / "environment.json").write_text("{")
    run = read_run(folder)
    assert run is not None and run.iteration == 200 and len(run.evaluations) == 1


@pytest.mark.parametrize(
    ("file", "text", "sentence"),
    [
        ("config.yaml", "a: [", "config.yaml cannot be read"),
        ("log.jsonl", '{"iteration": 1}\nnonsense\n', "Line 2 of .*log.jsonl is not a JSON object"),
        ("log.jsonl", "[1]\n", "Line 1 of .*log.jsonl is not"),
        ("scores.jsonl", '{"scores": {}}\n', "with iteration and scores"),
        ("scores.jsonl", '{"iteration": 1, "scores": {"FD": 3}}\n', "FD at iteration 1 of"),
        ("scores.jsonl", '{"iteration": 1, "scores": {"FD": {"value": "x", "hash": "a"}}}\n', "FD"),
    ],
)
def test_a_damaged_file_is_named(
    file: str, text: str, sentence: str, make: Make, tmp_path: Path
) -> None:
    (make("dcgan") / file).write_text(text)
    with pytest.raises(UserError, match=sentence):
        compare([tmp_path / "result"])


def test_a_folder_that_cannot_be_read_is_named(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make("dcgan")
    scan = os.scandir

    def refuse(path: Any) -> Any:
        if Path(path).name == "dcgan":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UserError, match="dcgan cannot be read: Permission denied"):
        find_runs([tmp_path])


@pytest.mark.parametrize("name", ["log.jsonl", "scores.jsonl"])
def test_a_file_that_is_something_else_is_named(name: str, make: Make, tmp_path: Path) -> None:
    folder = make("dcgan")
    (folder / name).unlink(missing_ok=True)
    (folder / name).mkdir()
    with pytest.raises(UserError, match=f"{name} cannot be read: "):
        compare([tmp_path])


def test_links_that_lead_nowhere(make: Make, tmp_path: Path) -> None:
    folder = make("dcgan")
    (folder / "environment.json").unlink()
    for name in ("environment.json", "DONE2"):
        (folder / name).symlink_to(folder / name)
    (folder / "again").symlink_to(tmp_path)
    assert [run.path for run in find_runs([tmp_path])] == [folder]
    (folder / "config.yaml").unlink()
    (folder / "config.yaml").symlink_to("config.yaml")
    with pytest.raises(UserError, match="config.yaml cannot be read"):
        find_runs([tmp_path])


def test_names_that_are_too_long_or_no_text(make: Make, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="x{300}"):
        find_runs([tmp_path / ("x" * 300)])
    folder = make("dcgan", 0, {100: {"FD": 5.0}})
    other = folder.with_name(os.fsdecode(b"\xff\x1b[31m"))
    try:
        folder.rename(other)
    except OSError:
        pytest.skip("this system has names of text only")
    tables = compare([tmp_path])
    assert "\\udcff\\x1b[31m" in to_html(tables)
    to_html(tables).encode("utf-8")


def test_no_folder_and_no_run_end_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no folder .*nowhere"):
        compare([tmp_path / "nowhere"])
    with pytest.raises(UserError, match="There is no run in"):
        compare([tmp_path])


def test_a_file_that_would_take_forever_is_named_or_anothers(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Aliases of lists, of mappings that are merged, and a long file."""
    composed, compose = [], yaml.SafeLoader.compose_node

    def counted(self: yaml.SafeLoader, parent: Any, index: Any) -> Any:
        composed.append(index)
        return compose(self, parent, index)

    monkeypatch.setattr(yaml.SafeLoader, "compose_node", counted)
    wide = "a: &a [x, x]\n" + "".join(
        f"{b}: &{b} [{', '.join(20 * [f'*{a}'])}]\n" for a, b in pairwise("abcdefgh")
    )
    merged = "a: &a {x: 1}\n" + "".join(
        f"{b}: &{b} {{<<: [{', '.join(20 * [f'*{a}'])}]}}\n" for a, b in pairwise("abcdefgh")
    )
    folder = make()
    for text in (wide, merged, f"a: [{10**6 * 'x, '}]\n"):
        (folder / "config.yaml").write_text(text)
        assert read_run(folder) is None
        (folder / "config.yaml").write_text("algorithm: dcgan\ndataset: toy\n" + text)
        with pytest.raises(UserError, match="has aliases"):
            read_run(folder)
    assert len(composed) < 100  # nodes, of all that were read


def test_a_plugins_settings_may_be_nested(make: Make) -> None:
    nested = {"stages": [{"blocks": [[1, {"kind": ["up", "down"]}]]}]}
    run = read_run(make("mine", **nested))
    assert run is not None and run.settings["stages"] == nested["stages"]
