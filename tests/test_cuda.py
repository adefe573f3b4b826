"""What only a GPU can show; without one there is nothing to run here."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import ganlib
from ganlib.registry import algorithms
from ganlib.snapshot import newest_snapshot, read_snapshot

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
