"""A generator of classes, explored."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

import ganlib
from ganlib.common.data import DataSet, DataSpec
from ganlib.common.formats.hdf5_writing import write_hdf5
from ganlib.common.io.server import Server
from ganlib.sampling import directions
from ganlib.sampling.page.exploring import Explorer

Make = Callable[..., Path]


@pytest.fixture
def explorer(make_snapshot: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Explorer:
    """Of two snapshots of a generator of classes, and of training images in a file."""
    monkeypatch.setattr(directions, "SAMPLES", 256)
    spec = DataSpec((1, 32, 32), (1, 28, 28), "pad", 3)
    path = make_snapshot("cgan", spec)
    make_snapshot("cgan", spec, iteration=9, ema_decay=0.5)
    x = torch.randint(256, (40, 1, 28, 28)).byte()
    write_hdf5(tmp_path / "data.h5", DataSet("noise", x, y=torch.arange(40) % 3))
    model = ganlib.load(path)
    model.settings = {**model.settings, "dataset": str(tmp_path / "data.h5")}
    return Explorer(model, [7, 9], lambda i: ganlib.load(path.with_name(f"iter_{i:07d}.pt")))


@pytest.fixture
def server(explorer: Explorer) -> Iterator[Server]:
    with Server(explorer, "127.0.0.1", 0) as one:
        thread = threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield one
        one.shutdown()
        thread.join()
