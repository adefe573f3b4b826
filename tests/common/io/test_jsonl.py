"""Lines of JSON: whole, cut off, and damaged."""

from pathlib import Path

import pytest

from ganlib.common.errors import UserError
from ganlib.common.io.jsonl import append_line, cut_lines, read_lines


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    assert read_lines(path) == []
    lines = [{"iteration": k, "loss": 0.1 * k} for k in range(5)]
    for line in lines:
        append_line(path, line)
    assert read_lines(path) == lines
    cut_lines(path, 2)
    assert read_lines(path) == lines[:3]
    other = {"iteration": 2, "loss": 0.7}
    assert cut_lines(path, 1, other) == read_lines(path) == [*lines[:2], other]
    assert cut_lines(tmp_path / "none", 1) == [] and list(tmp_path.iterdir()) == [path]


def test_a_last_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"iteration": 1}\n{"iterat')
    assert read_lines(path) == [{"iteration": 1}]


@pytest.mark.parametrize(
    "bad",
    ["{", "", "3", "[1]", "null", '{"loss": 1}', '{"iteration": "1"}', '{"iteration": true}']
    + ['{"iteration": 1.5}', "[" * 100_000, "\x00", "\ufffd"],
)
def test_a_damaged_line_is_named(bad: str, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(f'{{"iteration": 1}}\n{bad}\n{{"iteration": 2}}\n', "utf-8")
    for read in (read_lines, lambda path: cut_lines(path, 1)):
        with pytest.raises(UserError, match=r"Line 2 of .*log.jsonl is not a JSON object with ite"):
            read(path)
    assert path.read_text("utf-8").endswith('{"iteration": 2}\n')


def test_bytes_that_are_no_text_are_a_damaged_line(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"iteration": 1}\n\xff\xfe\x00\n')
    with pytest.raises(UserError, match="Line 2"):
        read_lines(path)
