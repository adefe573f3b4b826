"""The bar: for the patient nothing, for files nothing, and never two at a time."""

import io
import sys

import pytest
from rich.console import Console

from ganlib.common.io import console as _progress
from ganlib.common.io.console import progress, progress_bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def make_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Not a fixture: pytest puts its own stderr in place between a fixture and its test."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    return terminal


def test_short_work_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = make_terminal(monkeypatch)
    with progress("reading", 10) as advance:
        advance(10)
    assert terminal.getvalue() == ""


def test_long_work_shows_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = make_terminal(monkeypatch)
    monkeypatch.setattr(_progress, "PATIENCE", -1.0)
    with progress("reading", 10) as advance:
        advance(4)
        advance(6)
    assert "reading" in terminal.getvalue() and "10/10" in terminal.getvalue()


def test_a_name_is_shown_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = make_terminal(monkeypatch)
    monkeypatch.setattr(_progress, "PATIENCE", -1.0)
    with progress("[/x] a\x1b[2Jb", 1) as advance:
        advance(1)
    assert "[/x] a\\x1b[2Jb" in terminal.getvalue()


def test_a_file_gets_no_bar(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_progress, "PATIENCE", -1.0)
    with progress("reading", 10) as advance:
        advance(10)
    assert capsys.readouterr() == ("", "")


def test_the_progress_bar_is_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_progress, "PATIENCE", -1.0)
    for terminal in (True, False):
        file = io.StringIO()
        console = Console(file=file, force_terminal=terminal, width=100)
        with progress_bar(console) as progress:
            progress("reference train", 5, 10)
            progress("samples", 3, 10)
            progress("reference train", 10, 10)
        text = file.getvalue()
        assert ("reference train" in text and "3/10" in text) == terminal
        assert terminal or text.strip() == ""


def test_progress_without_a_terminal_is_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    file = io.StringIO()
    with progress_bar(Console(file=file, width=100)) as progress:
        for done in range(0, 4096, 256):  # each takes 3 seconds
            now[0] += 3
            progress("reading train", done, 3840)
    lines = file.getvalue().splitlines()
    assert lines == [f"reading train: {n:,} of 3,840" for n in (768, 1792, 2816, 3840)]
