"""Commands that may fail, hang or be interrupted."""

import asyncio
import os
import signal
import time
from asyncio.subprocess import DEVNULL, STDOUT, Process
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

GRACE = 15.0  # seconds to end in good order


@dataclass(frozen=True)
class Outcome:
    """How a command ended. status: None if its time ran out. output: stdout and stderr."""

    status: int | None
    seconds: float
    output: str


async def perform(command: Sequence[str], folder: Path, seconds: float, log: Path) -> Outcome:
    """Run a command in `folder` for so many seconds at most, with its output in `log`."""
    start = time.monotonic()
    status = None
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdin=DEVNULL,
            stdout=file,
            stderr=STDOUT,
            start_new_session=True,  # so that what it starts can be ended with it
        )
        try:
            with suppress(asyncio.TimeoutError):
                status = await asyncio.wait_for(process.wait(), seconds)
        finally:
            if process.returncode is None:
                await _end(process)
    return Outcome(status, time.monotonic() - start, log.read_text("utf-8", "replace"))


async def _end(process: Process) -> None:
    """As Ctrl-C would, then by force; with all that it started."""
    os.killpg(process.pid, signal.SIGINT)
    with suppress(asyncio.TimeoutError):
        await asyncio.wait_for(process.wait(), GRACE)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
