"""Runs that have begun, without their training."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from ganlib.common.data import DataSet, DataSpec
from ganlib.common.data.fingerprint import fingerprint
from ganlib.runs.folders import Place, RunFolder
from ganlib.runs.resuming import Resumption
from ganlib.runs.run import gather, write_start
from ganlib.training.snapshot import write_snapshot

SMALL = {"algorithm": "dcgan", "width": 0.05, "batch_size": 4, "gpu": -1, "sample_interval": 0}
DATA = fingerprint(DataSet("three", torch.zeros(3, 1, 1, 1, dtype=torch.uint8)))
SPEC = DataSpec((1, 32, 32), (1, 32, 32))
STATE = {"iteration": 5, "modules": {}, "optimizers": {}, "positions": {}}
SAID: list[str] = []
"""What the newest of them said."""


@contextmanager
def begun(
    snapshot: int | None = None, data: dict[str, Any] | None = None, **settings: Any
) -> Iterator[Place]:
    """A run with a snapshot, if that is the number of its iteration."""
    SAID.clear()
    given = gather({**SMALL, **settings})
    resumption = Resumption(given, data or DATA)
    with RunFolder(given.run, resumption.find, resumption.remark, SAID.append).held() as place:
        write_start(place.out, given, {}, 0)
        if snapshot is not None:
            path = place.out / "snapshots" / f"iter_{snapshot:07d}.pt"
            state = {"updater": {**STATE, "iteration": snapshot}, "extensions": {}}
            write_snapshot(path, given.flat(), SPEC, state, data or DATA)
        yield place


def run(snapshot: int | None = None, done: bool = False, **settings: Any) -> Path:
    """The folder of such a run, after it."""
    with begun(snapshot, **settings) as place:
        if done:
            (place.out / "DONE").touch()
    return place.out
