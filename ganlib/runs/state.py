"""What has become of a run, by the files that it writes: for whoever waits for it or looks on."""

import json
import os
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ganlib.common.errors import UserError
from ganlib.common.io.files import regular
from ganlib.common.io.jsonl import is_count

JOB = "job.yaml"
"""In the folder of each run in a grid's, what its process is told."""
STATE = "state.json"
"""Which process trains, or trained last, and how that ended; see folders.recorded()."""
BEAT = 5.0
"""Seconds between two signs of life of a run, which are times of this file's."""
LOST = 60.0
"""Seconds without one after which a run is taken to have ended without a word."""
LONGEST = 2**16  # bytes of a line of the log

Name = Literal["waiting", "running", "stopped", "done", "failed", "lost"]


class State(BaseModel):
    """waiting: nothing has begun. stopped: it was asked to, or had its time, and can be gone on
    with. lost: its process has ended without a word, and it can be gone on with too.

    sentence: why it stopped or failed. pid: of the process, on `host`. iteration: how far the log
    goes, or where it has ended, of max_iter, 0 where that is not known. rate: seconds that an
    iteration took last, None if nothing is logged.
    """

    model_config = ConfigDict(frozen=True)

    name: Name = Field("waiting", alias="state")
    sentence: str = ""
    pid: int | None = None
    host: str = ""
    max_iter: int = 0
    iteration: int = 0
    rate: float | None = None

    @property
    def seconds_left(self) -> float | None:
        """Until max_iter, at the rate of the last line of the log."""
        return None if self.rate is None else max(0, self.max_iter - self.iteration) * self.rate


def read_state(run: Path) -> State:
    """The state of the run in a folder, whether or not it is there, by whatever ganlib wrote it."""
    told, line = _told(run / STATE), _last_line(run / "log.jsonl")
    name, rate = told.name, None
    if (run / "DONE").exists():
        name = "done"
    elif name == "running":
        name = "running" if _lives(run / STATE, told) else "lost"
    elif name == "done" or (name == "waiting" and told.pid is None):  # nobody says that it waits
        name = "stopped" if (run / "config.yaml").exists() else name
    logged = line.get("iteration", 0)
    with suppress(ZeroDivisionError, TypeError):
        rate = line.get("images", 0) / logged / line.get("images_per_second", 0)
    iteration = (name == "done" and told.max_iter) or logged
    return told.model_copy(update={"name": name, "iteration": iteration, "rate": rate})


def _last_line(log: Path) -> dict[str, Any]:
    """The last whole line, {} where the log is missing or damaged; however long it is, no more than
    its end is read, and that often.
    """
    try:
        with regular(log).open("rb") as file:
            file.seek(max(0, log.stat().st_size - LONGEST))
            line = json.loads(file.read().split(b"\n")[-2])
    except (OSError, ValueError, IndexError, RecursionError, UserError):
        return {}
    return line if isinstance(line, dict) and is_count(line.get("iteration")) else {}


def _told(path: Path) -> State:
    """What the file holds, of a run that has not begun if it is missing or damaged."""
    try:
        return State.model_validate_json(regular(path).read_bytes())
    except (OSError, ValueError, UserError):
        return State()


def _lives(path: Path, told: State) -> bool:
    """Whether there was a sign of life, and on this host the process still is."""
    try:
        if told.pid is None or time.time() - path.stat().st_mtime > LOST:
            return False
        if told.host == socket.gethostname() and os.name == "posix":  # elsewhere 0 is Ctrl-C
            os.kill(told.pid, 0)
    except (FileNotFoundError, ProcessLookupError, OverflowError):
        return False
    except OSError:  # it is another user's
        return True
    return True
