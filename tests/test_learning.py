"""Slow: does training change the samples towards the data, and does it hold for long?"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import ganlib
from ganlib.common.query import open_dataset
from ganlib.registry import algorithms
from ganlib.training.snapshot import newest_snapshot, read_snapshot

ROOT = Path(ganlib.__file__).parents[1]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


class PixelDistance:
    """Frechet distance of Gaussians fitted to the 24 leading principal components of pixels."""

    def __init__(self, real: Tensor) -> None:
        x = real.double().flatten(1) / 127.5 - 1
        self.centre = x.mean(0)
        _, self.axes = torch.linalg.eigh(torch.cov(x.T))
        self.axes = self.axes[:, -24:]
        self.mean, self.cov = self._fit(x)

    def _fit(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = (x - self.centre) @ self.axes
        return h.mean(0), torch.cov(h.T)

    def __call__(self, x: Tensor) -> float:
        mean, cov = self._fit(x.double().flatten(1))
        product = torch.linalg.eigvals(self.cov @ cov).real.clamp(min=0).sqrt().sum()
        return float((mean - self.mean).square().sum() + (cov + self.cov).trace() - 2 * product)


@pytest.fixture(scope="module")
def distance() -> PixelDistance:
    images = open_dataset("fashion_mnist").x
    return PixelDistance(images[torch.arange(10_000)])


SMALL = {"width": 0.25, "batch_size": 32, "gpu": -1, "tensorboard": False, "ema_decay": 0.99}
UPDATES = 1200
FASTER: dict[str, dict[str, Any]] = {
    "acgan": {"architecture": "quick", "adam_alpha": 5e-4},
    "alpha_gan": {"adam_alpha": 5e-4},
    "began": {
        "architecture": "dcgan_bn",
        "width": 0.125,
        "adam_beta1": 0.5,
        "adam_beta2": 0.999,
        "gamma": 0.9,
        "lambda_k": 0.003,
        "max_iter": 4000,  # its balance starts at k = 0 and is slow
    },
    "biggan": {
        "architecture": "quick",
        "adam_alpha": 1e-3,
        "adam_alpha_dis": 1e-3,
        "n_dis": 1,
        "ema_start": 0,
        "statistics": "running",
        "max_iter": UPDATES // 2,
    },
    "cgan": {
        "architecture": "quick",
        "optimizer": "adam",
        "adam_alpha": 5e-4,
        "adam_beta1": 0.5,
        "adam_beta2": 0.999,
        "lr_divisor": 1.0,
    },
    "cyclegan": {
        "source": "edges",
        "blocks": 2,
        "n_layers": 2,
        "lam_idt": 0,
        "batch_size": 4,
        "adam_alpha": 5e-4,
        "max_iter": 600,
    },
    "dfm": {"adam_alpha": 5e-4},
    "fastgan": {"architecture": "quick", "width": 1.0, "batch_size": 16, "adam_alpha": 1e-3},
    "gan": {"max_iter": 3000},  # its authors' gradient descent is slower than Adam
    "improved_gan": {"adam_alpha": 1e-3, "lr_decay": "none", "max_iter": 1200},
    "minibatch_discrimination": {
        "adam_alpha": 2e-4,
        "adam_beta1": 0.5,
        "adam_beta2": 0.999,
        "n_kernels": 5,  # with 100 a seed of two or three never learns so soon: its README
    },
    "pgn": {"source": "edges", "architecture": "quick", "width": 1.0},
    "pix2pix": {
        "source": "edges",
        "architecture": "quick",
        "width": 1.0,
        "n_layers": 2,
        "adam_alpha": 1e-3,
        "jitter": 0,
        "statistics": "running",
    },
    "pix2pixhd": {
        "source": "edges",
        "architecture": "quick",
        "width": 1.0,
        "downs": 2,
        "blocks": 2,
        "n_layers": 2,
        "batch_size": 16,
        "adam_alpha": 1e-3,
        "coarse_images": 16 * UPDATES // 4,
        "fixed_images": 16 * UPDATES // 16,
    },
    "progressive": {"architecture": "quick", "width": 1.0, "gamma": 1.0, "stage_images": 1600},
    "projected_gan": {"architecture": "quick", "width": 1.0, "batch_size": 16, "adam_alpha": 1e-3},
    "r3gan": {"adam_alpha": 1e-3},
    "sagan": {"architecture": "quick", "adam_alpha": 5e-4, "adam_alpha_dis": 2e-3},
    "sngan_projection": {
        "architecture": "quick",
        "adam_alpha": 1e-3,
        "n_dis": 1,
        "gen_batch_multiplier": 1,
        "max_iter": UPDATES // 2,
    },
    "srgan": {
        "source": "low-resolution:4",
        "architecture": "quick",
        "width": 1.0,
        "blocks": 2,
        "adam_alpha": 1e-3,
        "pretrain_iter": UPDATES // 4,
    },
    "stylegan2": {
        "architecture": "quick",
        "width": 1.0,
        "batch_size": 16,
        "adam_alpha": 5e-3,
        "gamma": 1.0,
        "style_mixing": 0.0,
    },
    "vae": {"max_iter": 1200},
    "wgan": {"adam_alpha": 2e-4, "long_first": 0, "long_interval": 0},
}
"""What the recipes, which are made for a hundred times as many updates, need to be seen learning
here."""


@pytest.mark.parametrize("name", algorithms.names())
def test_samples_move_towards_the_data(
    name: str, distance: PixelDistance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1,200 network updates or so at a quarter of the width: the distance falls to a third."""
    monkeypatch.chdir(tmp_path)
    updates = 1 + getattr(algorithms[name].config(), "n_dis", 1)
    settings: dict[str, Any] = {"algorithm": name, "max_iter": UPDATES // updates, **SMALL}
    settings |= {"sample_interval": 0, **FASTER.get(name, {})}
    before = ganlib.train(**{**settings, "max_iter": 1}).sample(1000)
    after = ganlib.train(**settings).sample(1000)
    assert distance(after) < distance(before) / 3
    assert after.std(0).mean() > 0.2  # the samples differ from each other


def test_the_quickstart_learns(
    distance: PixelDistance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = str(ROOT / "example_configs" / "quickstart.yaml")
    start = ganlib.train(config=config, max_iter=1, evaluation_interval=0).sample(1000)
    end = ganlib.train(config=config, max_iter=1000, evaluation_interval=0).sample(1000)
    assert distance(end) < distance(start) / 8


def test_twenty_murders_leave_the_trajectory_as_it_was(toy_file: Path, tmp_path: Path) -> None:
    """kill -9 at random moments, also while a snapshot is written: the end is the same, bitwise."""
    settings = {"width": 0.25, "batch_size": 4, "gpu": -1, "max_iter": 200, "snapshot_interval": 2}
    flags = [f"--{k.replace('_', '-')}={v}" for k, v in settings.items()]
    out = tmp_path / "parts"
    command = [sys.executable, str(ROOT / "train.py"), "-a", "sngan", "--dataset", str(toy_file)]
    command += ["--out", str(out), "--resume", "auto", "--no-tensorboard", *flags]
    dice = random.Random(0)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for _ in range(20):
        process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        time.sleep(3 + 4 * dice.random())
        process.send_signal(signal.SIGKILL)
        process.wait()
        if out.exists() and list(out.glob("snapshots/iter_*.pt")):
            read_snapshot(newest_snapshot(out))
        if (out / "DONE").exists():
            break
    if not (out / "DONE").exists():
        subprocess.run(command, env=environment, check=True)
    whole = ganlib.train(
        algorithm="sngan", dataset=str(toy_file), out=tmp_path / "whole", **settings
    )
    a = read_snapshot(newest_snapshot(out))["updater"]["modules"]
    b = read_snapshot(newest_snapshot(whole.out))["updater"]["modules"]
    assert [key for key in b if not torch.equal(a[key], b[key])] == []


def test_memory_does_not_grow(make_updater: Callable[..., Any]) -> None:
    updater = make_updater("wgan_gp", width=0.25, batch_size=8)
    sizes = []
    for _ in range(4):
        for _ in range(50):
            updater.update()
        sizes.append(int(Path("/proc/self/statm").read_text().split()[1]) * 4096)
    assert sizes[-1] - sizes[0] < 50e6
