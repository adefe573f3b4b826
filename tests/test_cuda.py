"""What only a GPU can show; without one there is nothing to run here."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import ganlib
from ganlib.common import hdf5, transfer
from ganlib.common.crops import cropped
from ganlib.common.data import DataSet, Loader, fit_spec
from ganlib.common.hdf5 import read_hdf5, write_hdf5
from ganlib.registry import algorithms
from ganlib.training.snapshot import newest_snapshot, read_snapshot

GPUS = ["cuda:0"] if torch.cuda.is_available() else []
SMALL = {"batch_size": 8, "width": 0.25, "display_interval": 2, "sample_interval": 0}


def modules(out: Path) -> dict[str, torch.Tensor]:
    return dict(read_snapshot(newest_snapshot(out))["updater"]["modules"])


@pytest.mark.parametrize("device", GPUS)
@pytest.mark.parametrize("name", algorithms.names())
def test_deterministic_training_resumes_bitwise(
    name: str, device: str, toy_file: Path, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {**SMALL, "dataset": str(toy_file), "device": device}
    settings |= {"algorithm": name, "deterministic": True}
    whole = ganlib.train(**settings, out=tmp_path / "whole", max_iter=6)
    ganlib.train(**settings, out=tmp_path / "parts", max_iter=3)
    parts = ganlib.train(**settings, resume=str(tmp_path / "parts"), max_iter=6)
    torch.use_deterministic_algorithms(False)
    a, b = modules(whole.out), modules(parts.out)
    assert [key for key in a if not torch.equal(a[key], b[key])] == []


@pytest.mark.parametrize("device", GPUS)
@pytest.mark.parametrize("name", algorithms.names())
def test_the_first_update_is_the_cpus(
    name: str, device: str, make_updater: Callable[..., Any]
) -> None:
    """Same weights and data, other noise: untrained networks are flat, so the losses agree."""
    cpu, gpu = make_updater(name), make_updater(name)
    gpu.to(device)
    gpu.data.device = torch.device(device)
    a, b = cpu.update(), gpu.update()
    for key, value in a.items():
        assert float(b[key]) == pytest.approx(float(value), abs=0.05), key
    (x,), (y,) = make_updater(name).sample(4, 0), make_updater(name).to(device).sample(4, 0)
    torch.testing.assert_close(x, y.cpu(), rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("device", GPUS)
@pytest.mark.parametrize("where", ["gpu", "cpu", "file"])
def test_batches_are_the_cpus_and_never_wait_for_the_gpu(
    where: str,
    device: str,
    toy_data: Callable[..., DataSet],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = toy_data(n=10)
    data = replace(data, source=255 - data.x)  # type: ignore[operator]
    monkeypatch.setattr(transfer, "PART", 1 if where == "gpu" else 0)
    if where == "file":
        write_hdf5(tmp_path / "set.h5", data)
        monkeypatch.setattr(hdf5, "IN_MEMORY", 0)
        data = read_hdf5(tmp_path / "set.h5", "train")
    data = cropped(data, 24)
    for settings in (
        {"condition": "labels", "dequantize": True},
        {"condition": "images"},
        {"condition": "images", "jitter": 4},
    ):
        cpu, gpu = (
            Loader(data, fit_spec(data, (32, 32)), 4, 0, flip=True, device=d, **settings)  # type: ignore[arg-type]
            for d in ("cpu", device)
        )
        first = next(gpu)  # takes the data to the GPU, if they go there
        torch.cuda.set_sync_debug_mode("error")
        try:
            batches = [first, *(next(gpu) for _ in range(7))]  # over the ends of two epochs
        finally:
            torch.cuda.set_sync_debug_mode("default")
        for a, b in zip(batches, cpu, strict=False):
            assert a.x.device == torch.device(device)
            # noise is drawn on the device: at most one of 256 levels
            # and that of what is resized there too
            bound = 1e-6 if len(settings) == 1 else 1.01 / 127.5
            torch.testing.assert_close(a.x.cpu(), b.x, rtol=0, atol=bound)
            assert a.y is not None and b.y is not None
            torch.testing.assert_close(a.y.cpu(), b.y, rtol=0, atol=bound)
        cpu.close()
        gpu.close()
