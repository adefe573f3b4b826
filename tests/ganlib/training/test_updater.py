"""The base class: steps, schedules, the moving average, latents."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from ganlib.training.updater import BLOCK

Make = Callable[..., Any]


def test_step_is_adam(make_updater: Make) -> None:
    """Three steps on a quadratic, against Adam's formulas (Kingma and Ba 2015, algorithm 1)."""
    updater = make_updater("sngan", dtype=torch.float64, adam_alpha=0.01)
    p = updater._parameters_of("dis")[0]
    b1, b2 = updater.config.adam_beta1, updater.config.adam_beta2
    expected = p.detach().clone()
    m = v = torch.zeros_like(expected)
    for t in range(1, 4):
        g = 2 * expected
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        expected = expected - 0.01 * (m / (1 - b1**t)) / ((v / (1 - b2**t)).sqrt() + 1e-8)
        updater.step(dis=p.square().sum())
    torch.testing.assert_close(p.detach(), expected, rtol=1e-6, atol=1e-9)


def test_a_joint_step_takes_all_gradients_first(make_updater: Make) -> None:
    """step(gen=a, dis=b) is simultaneous: both losses share a graph and see the old weights."""
    updater = make_updater("dcgan", dtype=torch.float64)
    g, d = updater._parameters_of("gen")[0], updater._parameters_of("dis")[0]
    before = g.detach().clone(), d.detach().clone()
    shared = g.square().mean() * d.square().mean()
    updater.step(gen=shared, dis=-shared)
    assert not torch.equal(g.detach(), before[0])
    assert not torch.equal(d.detach(), before[1])
    # Adam's first step is the sign of the gradient: down for gen, up for dis
    inner = before[0].abs() > 1e-4
    assert torch.equal((before[0] - g.detach()).sign()[inner], before[0].sign()[inner])
    inner = before[1].abs() > 1e-4
    assert torch.equal((d.detach() - before[1]).sign()[inner], before[1].sign()[inner])


def test_linear_decay_reaches_zero_at_max_iter(make_updater: Make) -> None:
    updater = make_updater("sngan", lr_decay="linear", max_iter=4, adam_alpha=0.25)
    rates = []
    for _ in range(4):
        updater.update()
        rates.append(float(updater.optimizer["gen"].param_groups[0]["lr"]))
    assert rates == pytest.approx([0.25, 0.1875, 0.125, 0.0625])


def test_the_average_follows_with_a_ramp(make_updater: Make) -> None:
    """min(decay, (1 + n) / (10 + n)) after n iterations; buffers are copied."""
    updater = make_updater("dcgan", ema_decay=0.3, dtype=torch.float64)
    average = [p.detach().clone() for p in updater.gen.parameters()]
    for n in range(1, 7):
        updater.update()
        decay = min(0.3, (1 + n) / (10 + n))
        now = list(updater.gen.parameters())
        average = [decay * a + (1 - decay) * p for a, p in zip(average, now, strict=True)]
    for a, p in zip(average, updater.average.parameters(), strict=True):
        torch.testing.assert_close(p.detach(), a.detach(), rtol=1e-12, atol=1e-12)
    for a, b in zip(updater.average.buffers(), updater.gen.buffers(), strict=True):
        assert torch.equal(a, b)
    assert not any(p.requires_grad for p in updater.average.parameters())


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


def test_a_second_stream_has_its_own_position(make_updater: Make) -> None:
    updater = make_updater("dcgan")
    x, _ = next(updater.data)
    other, _ = next(updater.stream("labelled"))
    assert not torch.equal(x, other)
    next(updater.stream("labelled"))
    assert updater.state()["positions"] == {"": 4, "labelled": 8}
    fresh = make_updater("dcgan")
    fresh.load_state(updater.state())
    assert torch.equal(next(fresh.stream("labelled")).x, next(updater.stream("labelled")).x)


def test_a_phase_is_constant_by_default(make_updater: Make) -> None:
    updater = make_updater("dcgan")
    assert updater.phase(0) == updater.phase(99)
