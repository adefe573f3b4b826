"""Where the run is, in a notebook: one bar and the newest grid, updated in place."""

import base64
import sys
import time
from html import escape
from importlib import import_module
from pathlib import Path
from typing import Any

from ganlib.training.trainer import Extension, Trainer

PAUSE = 0.5  # seconds between two updates


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return type(shell).__name__ == "ZMQInteractiveShell"


class Notebook(Extension):
    """Iterations done and left, the newest losses and scores, and the newest sample grid."""

    name = "notebook"

    def __init__(self) -> None:
        self._handle: Any = None
        self._shown = 0.0

    def initialize(self, trainer: Trainer) -> None:
        shown = _display()
        self._handle = shown.display(shown.HTML(self._html(trainer)), display_id=True)

    def __call__(self, trainer: Trainer) -> None:
        if time.monotonic() - self._shown > PAUSE:
            self._update(trainer)

    def finalize(self, trainer: Trainer) -> None:
        self._update(trainer)

    def _update(self, trainer: Trainer) -> None:
        self._shown = time.monotonic()
        self._handle.update(_display().HTML(self._html(trainer)))

    def _html(self, trainer: Trainer) -> str:
        done, all_of_it = trainer.iteration, trainer.max_iter
        numbers = {k: v for k, v in trainer.line.items() if isinstance(v, float)}
        values = [f"{escape(name)} {value:.3g}" for name, value in numbers.items()]
        words = ", ".join([*filter(None, [escape(trainer.stage)]), *values])
        pictures = sorted(trainer.out.glob("samples/[0-9]*.png"))
        picture = f"<br>{_image(pictures[-1])}" if pictures else ""
        return (
            f'<progress value="{done}" max="{all_of_it}" style="width:60%"></progress> '
            f"{done:,} of {all_of_it:,}<br><small>{words}</small>{picture}"
        )


def _display() -> Any:
    return import_module("IPython.display")  # which has no types


def _image(path: Path) -> str:
    content = base64.b64encode(path.read_bytes()).decode("ascii")
    return f'<img alt="samples" src="data:image/png;base64,{content}">'
