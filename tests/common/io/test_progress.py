"""The bar: for the patient nothing, for files nothing, and never two at a time."""

import io
import sys

import pytest

from ganlib.common.io import console as _progress
from ganlib.common.io.console import progress


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
