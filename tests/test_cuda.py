"""What only a GPU can show. Without one `-m slow` rehearses it on the CPU, where all but the GPU's
own part can fail too.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import ganlib
from ganlib.common.data import DataSet, Loader, fit_spec, transfer
from ganlib.common.data.crops import cropped
from ganlib.common.formats import hdf5
from ganlib.common.formats.hdf5 import read_hdf5
from ganlib.common.formats.hdf5_writing import write_hdf5
from ganlib.common.io.jsonl import read_lines
from ganlib.contract.fixtures import toy
from ganlib.contract.test_contract import brief
from ganlib.registry import algorithms
from ganlib.speed.accelerate import set_float32
from ganlib.training.snapshot import newest_snapshot, read_snapshot
from ganlib.training.trainer import Trainer

GPUS = ["cuda:0"] if torch.cuda.is_available() else []
DEVICES = [pytest.param("cpu", marks=pytest.mark.slow), *GPUS]
SMALL = {"batch_size": 8, "width": 0.1, "display_interval": 2, "sample_interval": 0}
SMALL |= {"evaluation_interval": 0, "tensorboard": False}
LOADING: list[dict[str, Any]] = [
    {"condition": "labels", "dequantize": True},
    {"condition": "images"},
    {"condition": "images", "jitter": 4},
]
pytestmark = pytest.mark.usefixtures("switches")


def short(name: str) -> dict[str, Any]:
    """Two steps of the critic are as good as a hundred."""
    return {**brief(name), "n_dis_long": 2} if name == "wgan" else brief(name)


def modules(out: Path) -> dict[str, torch.Tensor]:
    return dict(read_snapshot(newest_snapshot(out))["updater"]["modules"])


def halfway(trainer: Trainer) -> None:
    if trainer.iteration == 3:
        trainer.stop("half of it is done")


@contextmanager
def nobody_waits() -> Iterator[None]:
    """RuntimeError for what waits for the GPU, if there is one."""
    if not GPUS:
        yield
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that not all of it is found
        torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", algorithms.names())
def test_deterministic_training_resumes_bitwise(name: str, device: str, tmp_path: Path) -> None:
    """On data with the sources that the method needs."""
    write_hdf5(tmp_path / "set.h5", (algorithms[name].example or toy)(1, 32))
    settings: dict[str, Any] = {**SMALL, **short(name), "dataset": str(tmp_path / "set.h5")}
    settings |= {"algorithm": name, "device": device, "deterministic": True, "max_iter": 6}
    whole = ganlib.train(**settings, out=tmp_path / "whole")
    ganlib.train(**settings, out=tmp_path / "parts", extensions=[halfway])
    assert not (tmp_path / "parts" / "DONE").exists()
    parts = ganlib.train(resume=str(tmp_path / "parts"), device=device)
    a, b = modules(whole.out), modules(parts.out)
    assert [key for key in a if not torch.equal(a[key], b[key])] == []
    assert all(line["gpu_memory"] > 0 for line in read_lines(whole.out / "log.jsonl"))


def noiseless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks have no noise of their own, which every device draws in its own way."""
    monkeypatch.setattr(torch.nn.functional, "dropout", lambda x, *_, **__: x)
    monkeypatch.setattr(torch, "randn_like", torch.zeros_like)
    monkeypatch.setattr(torch, "rand_like", lambda x: torch.full_like(x, 0.5))


def share_draws(first: Any, second: Any) -> None:
    """What the one updater draws for its batches the other is given in turn, on its device."""
    drawn: list[torch.Tensor] = []
    draw = first.random.rows

    def give(*_: Any) -> torch.Tensor:
        rows: torch.Tensor = drawn.pop(0)
        like = next(second.parameters())
        return rows.to(like) if rows.is_floating_point() else rows.to(like.device)

    first.random.rows = lambda *args: drawn.append(draw(*args)) or drawn[-1]
    second.random.rows = give


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", algorithms.names())
def test_the_first_update_is_the_cpus(
    name: str, device: str, make_updater: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same weights, data and noise: even float64's losses are within 1e-5 of it."""
    set_float32("fp32")
    noiseless(monkeypatch)
    cpu, gpu = make_updater(name), make_updater(name, device=device)
    share_draws(cpu, gpu)
    a, b = cpu.update(), gpu.update()
    for key, value in a.items():
        assert float(b[key]) == pytest.approx(float(value), rel=1e-3, abs=1e-3), key
    (x,), (y,) = make_updater(name).sample(4, 0), make_updater(name, device=device).sample(4, 0)
    torch.testing.assert_close(x, y.cpu(), rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("device", DEVICES)
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
    for settings in LOADING:
        cpu, gpu = (
            Loader(data, fit_spec(data, (32, 32)), 4, 0, flip=True, device=d, **settings)
            for d in ("cpu", device)
        )
        first = next(gpu)  # takes the data to the GPU, if they go there
        with nobody_waits():
            batches = [first, *(next(gpu) for _ in range(7))]  # over the ends of two epochs
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
