"""Samples: which network makes them, and what they are made of."""

from collections.abc import Callable
from typing import Any

import torch

from ganlib.training.samples.sample_stream import BLOCK

Make = Callable[..., Any]


def test_samples_come_from_the_average(make_updater: Make) -> None:
    updater = make_updater("sngan", ema_decay=0.9)
    updater.update()
    (before,) = updater.sample(3, seed=0)
    with torch.no_grad():
        for p in updater.gen.parameters():
            p.zero_()
    (after,) = updater.sample(3, seed=0)
    assert torch.equal(before, after)


def test_latents_depend_on_seed_and_number_alone(make_updater: Make) -> None:
    updater = make_updater("sngan")
    z, y = updater.latents(range(BLOCK + 5), 3)
    assert y is None and z.shape == (BLOCK + 5, 128)
    picked, _ = updater.latents([BLOCK + 2, 7], 3)
    assert torch.equal(picked, z[[BLOCK + 2, 7]])
    assert not torch.equal(z[:5], z[BLOCK:])  # blocks do not repeat
    other, _ = updater.latents([7], 4)
    assert not torch.equal(other[0], z[7])


def test_sampling_restores_the_mode_and_uses_running_statistics(make_updater: Make) -> None:
    updater = make_updater("dcgan")
    updater.update()
    buffers = {name: b.clone() for name, b in updater.named_buffers()}
    list(updater.sample(4, seed=0))
    assert updater.gen.training
    assert all(torch.equal(b, buffers[name]) for name, b in updater.named_buffers())
