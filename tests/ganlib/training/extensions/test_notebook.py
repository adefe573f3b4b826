"""A run in a notebook: one display, updated in place."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ganlib.training.extensions.reports import LogReport, Notebook, in_notebook
from ganlib.training.extensions.sample_grid import SampleGrid
from ganlib.training.trainer import Trainer, every


class ZMQInteractiveShell:
    """As IPython calls the shell of a kernel."""


class Handle:
    """What IPython.display.display(..., display_id=True) returns."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def update(self, html: str) -> None:
        self.shown.append(html)


@pytest.fixture
def handle(monkeypatch: pytest.MonkeyPatch) -> Handle:
    """A notebook that is not there."""
    handle = Handle()

    def display(html: str, display_id: bool) -> Handle:
        assert display_id
        handle.update(html)
        return handle

    there = SimpleNamespace(HTML=str, display=display)
    ipython = SimpleNamespace(get_ipython=ZMQInteractiveShell, display=there)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", there)
    return handle


def test_a_terminal_is_no_notebook() -> None:
    assert not in_notebook()


def test_one_display_shows_how_far_it_is_and_the_newest_grid(
    handle: Handle, make_updater: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganlib.training.extensions.reports.REFRESH", -1.0)
    trainer = Trainer(make_updater("dcgan"), tmp_path, 3)
    trainer.extend(SampleGrid(every(2), n=4), LogReport(1), Notebook())
    assert in_notebook()
    trainer.run()
    first, *_, last = handle.shown
    assert len(handle.shown) == 5  # at the start, after each iteration, at the end
    assert "0 of 3" in first and "<img" in first  # the untrained generator's
    assert first.split("base64,")[1] != last.split("base64,")[1]
    assert "3 of 3" in last and "loss_gen" in last and "data:image/png;base64," in last
