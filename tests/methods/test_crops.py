"""Crops and jitter of pairs, of which the sources are a quarter of the size, in a whole run."""

from pathlib import Path
from typing import Any

import pytest
import torch
from small_methods import FOLDER

import ganlib
from ganlib.common.formats import hdf5
from ganlib.common.formats.hdf5_writing import write_hdf5
from ganlib.registry import algorithms


@pytest.mark.parametrize("lazy", [False, True])
def test_a_run_on_crops_of_pairs_resumes_to_the_last_bit(
    lazy: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make = algorithms["superres"].example
    assert make is not None
    write_hdf5(Path("set.h5"), make(3, 24))
    if lazy:  # read by other processes
        monkeypatch.setattr(hdf5, "IN_MEMORY", 0)
    settings: dict[str, Any] = {
        "algorithm": "superres",
        "dataset": "set.h5",
        "width": 0.1,
        "batch_size": 4,
        "gpu": -1,
        "evaluation_interval": 0,
        "tensorboard": False,
        "plugin_dir": str(FOLDER),
        "flip": True,
        "crop": 16,
        "jitter": 4,
        "max_iter": 10,
    }
    whole = ganlib.train(**settings, out="whole")
    ganlib.train(**{**settings, "max_images": 20}, out="parts")
    parts = ganlib.train(**{**settings, "max_images": 10**6}, resume="parts")
    a, b = whole.updater.state_dict(), parts.updater.state_dict()
    assert parts.updater.iteration == 10
    assert a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
    assert (whole.updater.spec.image, whole.updater.spec.source) == ((3, 16, 16), (3, 4, 4))
    assert whole.sample(3).shape == (3, 3, 16, 16)
