"""How far a run goes before it trains: the files that it enters before its first update_core().

    python -m scripts.trace_run [--algorithm sngan] [--list]

A file is entered by a call of one of its functions; what runs while a module is imported is left
out. A move is a call into another file than the call before. One thread, one process, a CPU.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import CodeType, FrameType
from typing import Any

import click
import torch

import ganlib

HOME = Path(ganlib.__file__).resolve().parents[1]
ROOMS = [HOME / room for room in ("ganlib", "common", "evaluation")]
MODULE = "<module>"


class Trace:
    """The files of ganlib in the order in which functions of theirs are called, each stay once."""

    def __init__(self, until: str, is_inside: Callable[[str], str | None]) -> None:
        self.until, self.is_inside = until, is_inside
        self.stays: list[str] = []
        self._importing, self._places = 0, dict[CodeType, str | None]()

    @property
    def entered(self) -> list[str]:
        """Each file once."""
        return list(dict.fromkeys(self.stays))

    def see(self, frame: FrameType, event: str, _: Any) -> None:
        """What sys.setprofile calls; switches itself off at the function `until`."""
        code = frame.f_code
        if code.co_name == MODULE and event in ("call", "return"):
            self._importing += 1 if event == "call" else -1
        elif event == "call" and not self._importing:
            if code not in self._places:
                self._places[code] = self.is_inside(code.co_filename)
            place = self._places[code]
            if place is not None and code.co_name == self.until:
                sys.setprofile(None)
            elif place is not None and self.stays[-1:] != [place]:
                self.stays.append(place)


def in_library(file: str) -> str | None:
    """The file's path from the repository's root; None if it is no file of the library."""
    path = Path(file).resolve()
    return str(path.relative_to(HOME)) if any(map(path.is_relative_to, ROOMS)) else None


@contextmanager
def tracing(trace: Trace) -> Iterator[None]:
    """Trace what is called inside."""
    sys.setprofile(trace.see)
    try:
        yield
    finally:
        sys.setprofile(None)


@click.command()
@click.option("--algorithm", default="sngan", show_default=True, help="Which is trained.")
@click.option("--list", "listed", is_flag=True, help="Print the files, too.")
def command(algorithm: str, listed: bool) -> None:
    """Count the files and the moves before the first update_core()."""
    from ganlib.__main__ import main

    torch.set_num_threads(1)
    trace = Trace("update_core", in_library)
    with TemporaryDirectory() as place:
        sys.argv = ["train.py", "train", "--algorithm", algorithm, "--gpu", "-1", "--max-iter", "1"]
        sys.argv += ["--evaluation-interval", "0", "--out", str(Path(place) / "run")]
        try:
            with tracing(trace):
                main()
        except SystemExit as ended:  # click ends so
            if ended.code:
                raise
    if listed:
        click.echo("\n".join(trace.entered))
    click.echo(f"{len(trace.entered)} files entered, {len(trace.stays)} moves")


if __name__ == "__main__":
    command()
