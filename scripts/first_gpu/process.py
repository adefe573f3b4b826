"""Commands that may fail, hang or be interrupted."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

GRACE = 30.0  # seconds to end in good order


@dataclass(frozen=True)
class Outcome:
    """How a command ended. status: None if its time ran out. output: stdout and stderr."""

    status: int | None
    seconds: float
    output: str


def perform(command: Sequence[str], folder: Path, seconds: float, log: Path) -> Outcome:
    """Run a command in `folder` for so many seconds at most, with its output in `log`."""
    start = time.monotonic()
    status = None
    with log.open("wb") as file:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that what it starts can be ended with it
        )
        try:
            with suppress(subprocess.TimeoutExpired):
                status = process.wait(seconds)
        finally:
            if process.poll() is None:
                _end(process)
    return Outcome(status, time.monotonic() - start, log.read_text("utf-8", "replace"))


def _end(process: "subprocess.Popen[bytes]") -> None:
    """As Ctrl-C would, then by force; with all that it started."""
    os.killpg(process.pid, signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        process.wait(GRACE)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
