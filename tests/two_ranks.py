"""A job of two or more processes on the CPU (gloo), and what it prints."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def two_ranks(worker: Path, meeting: Path, *arguments: str) -> Any:
    """The JSON in the last line that rank 0 of the script `worker` prints.

    meeting: a file that is not there yet, by which the ranks meet; a port could be taken meanwhile.
    """
    return several_ranks(2, worker, meeting, *arguments)


def several_ranks(count: int, worker: Path, meeting: Path, *arguments: str) -> Any:
    """The same of so many."""
    processes = started(worker, str(meeting), *arguments, WORLD_SIZE=str(count))
    found = [p.communicate(timeout=3000) for p in processes]
    errors = "".join(error for _, error in found)
    assert [p.returncode for p in processes] == count * [0], errors
    return json.loads(found[0][0].splitlines()[-1])


def started(worker: Path, *arguments: str, **environment: str) -> list["subprocess.Popen[str]"]:
    """All ranks of the script, two where WORLD_SIZE does not say otherwise."""
    here = Path(__file__).parent  # whose ganlib/ is not the library
    paths = os.pathsep.join([str(here.parent), str(here), os.environ.get("PYTHONPATH", "")])
    base = {**os.environ, "PYTHONPATH": paths, "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    base |= environment
    return [
        subprocess.Popen(
            [sys.executable, str(worker), *arguments],
            env={**base, "RANK": str(r), "LOCAL_RANK": str(r)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for r in range(int(base["WORLD_SIZE"]))
    ]
