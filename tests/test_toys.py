"""Slow: how many of ring8's eight modes does each method find within a minute of one core, and do
methods that are told of classes make the mode they are asked for?
"""

from pathlib import Path
from typing import Any

import pytest
import torch

import ganlib
from ganlib.common.io.jsonl import read_lines
from ganlib.common.query import open_dataset
from ganlib.registry import algorithms

pytestmark = pytest.mark.slow

COMMON: dict[str, Any] = {
    "dataset": "ring8",
    "architecture": "mlp",
    "gpu": -1,
    "batch_size": 128,
    "adam_alpha": 2e-3,
    "adam_beta1": 0.0,
    "adam_beta2": 0.99,
    "lr_decay": "linear",
    "ema_decay": 0.99,
    "max_iter": 800,
    "sample_interval": 0,
    "snapshot_interval": 0,
    "tensorboard": False,
}
SLOWER: dict[str, Any] = {
    "batch_size": 64,
    "adam_alpha": 1e-3,
    "adam_beta1": 0.5,
    "adam_beta2": 0.999,
}
SETTINGS: dict[str, dict[str, Any]] = {
    "acgan": {"max_iter": 1500},
    "alpha_gan": {"n_hidden": 2, "lam": 10, "width": 0.5, "adam_alpha": 5e-4, "max_iter": 1000},
    "began": {"gamma": 0.7, "lambda_k": 0.01, "adam_alpha": 3e-4, "max_iter": 2000},
    "biggan": {"adam_alpha_dis": 4e-3, "adam_alpha": 1e-3, "n_dis": 1, "max_iter": 1500},
    "cgan": {"optimizer": "adam", "lr_divisor": 1.0},
    "cramer": {**SLOWER, "n_dis": 2, "lam": 0.1, "output_dim": 64, "max_iter": 1000},
    "dcgan": {},
    "dfm": {"adam_alpha": 3e-4, "max_iter": 1500},
    "dragan": {**SLOWER, "n_dis": 1, "lam": 1, "max_iter": 1500},
    "gan": {"optimizer": "adam"},
    "improved_gan": {"adam_alpha": 1e-3, "max_iter": 1500},
    "lsgan": {**SLOWER, "adam_alpha": 3e-4, "batch_size": 256, "max_iter": 3000},
    "minibatch_discrimination": {
        **SLOWER,
        "adam_beta1": 0.0,
        "adam_beta2": 0.9,
        "n_kernels": 2,
        "kernel_dim": 1,
        "max_iter": 4000,
    },
    "progressive": {"lam": 0.1, "gamma": 1, "n_dis": 3},
    "r3gan": {
        "batch_size": 256,
        "adam_beta2": 0.9,
        "lr_decay": "none",
        "adam_alpha": 1e-3,
        "adam_alpha_final": 1e-4,
        "gamma": 0.05,
        "decay_images": 500_000,
        "max_iter": 2000,
    },
    "sagan": {"adam_alpha_dis": 4e-3, "adam_alpha": 1e-3, "max_iter": 1500},
    "sngan": {"loss": "hinge", "n_dis": 2, "max_iter": 1500},
    "sngan_projection": {"n_dis": 2, "gen_batch_multiplier": 1, "max_iter": 1500},
    "vae": {"decoder": "gaussian", "n_hidden": 2, "batch_size": 256, "max_iter": 3000},
    "wgan": {
        **SLOWER,
        "clip": 0.05,
        "n_dis": 3,
        "long_first": 0,
        "long_interval": 0,
        "max_iter": 1500,
    },
    "wgan_gp": {"lam": 0.1, "n_dis": 3},
}
"""What differs from COMMON, by algorithm; one that is not registered is left out."""

LEARNS = {
    "cgan",
    "cramer",
    "dragan",
    "gan",
    "lsgan",
    "minibatch_discrimination",
    "progressive",
    "r3gan",
    "sngan",
    "wgan",
    "wgan_gp",
}
"""Those that have to find seven modes; of the others the numbers are shown (pytest -rP)."""


TOLD: dict[str, dict[str, Any]] = {
    name: {**COMMON, **SETTINGS[name]} for name in ["acgan", "biggan", "sagan", "sngan_projection"]
}
TOLD["r3gan"] = {**COMMON, **SETTINGS["r3gan"], "labels": True}
"""What methods are trained with that are told of classes, which are the modes."""


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("name", [name for name in TOLD if name in algorithms.names()])
def test_the_mode_asked_for_is_the_one_that_comes(name: str, seed: int, tmp_path: Path) -> None:
    settings = {**TOLD[name], "evaluation_interval": 0}
    model = ganlib.train(algorithm=name, seed=seed, out=tmp_path / "run", **settings)
    mixture = open_dataset("ring8").mixture
    assert mixture is not None
    y = torch.arange(2000) % len(mixture.centres)
    distances = torch.cdist(model.sample(2000, y=y).flatten(1), mixture.centres.float())
    right = (distances.argmin(1) == y).double().mean().item()
    print(f"{name} seed {seed}: {right:.1%} are nearest to the mode asked for")
    assert right > 0.97


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("name", [name for name in SETTINGS if name in algorithms.names()])
def test_modes_of_ring8(name: str, seed: int, tmp_path: Path) -> None:
    settings = {**COMMON, **SETTINGS[name]}
    settings["evaluation_interval"] = settings["max_iter"]
    model = ganlib.train(algorithm=name, seed=seed, out=tmp_path / "run", **settings)
    last = read_lines(tmp_path / "run" / "scores.jsonl")[-1]
    found = {score: value["value"] for score, value in last["scores"].items()}
    print(f"{name} seed {seed}: {found}, {last['seconds']} s")
    assert found["modes"] >= 7 or name not in LEARNS
    if model.updater.config.condition == "labels":
        shares = [share_at(model, mode) for mode in range(8)]
        print(f"of the points asked for at each mode there lie: {shares}")
        assert min(shares) > 0.95


def share_at(model: ganlib.Model, mode: int) -> float:
    """The part of the points that are asked for at a mode whose nearest mode it is."""
    mixture = open_dataset("ring8").mixture
    assert mixture is not None
    points = model.sample(1000, seed=1, y=mode).flatten(1).double()
    nearest = torch.cdist(points, mixture.centres).argmin(1)
    return float((nearest == mode).double().mean())
