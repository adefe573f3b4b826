"""What an iteration does beside update_core(): scheduled rates and the moving average."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from ganlib.training.update.streams import Stage

Make = Callable[..., Any]


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


def test_linear_decay_may_begin_later(make_updater: Make) -> None:
    updater = make_updater("sngan", lr_decay="linear", max_iter=8, lr_decay_start=0.5)
    factors = [updater.schedule(k)["lr"] for k in range(9)]
    assert factors == [1, 1, 1, 1, 1, 0.75, 0.5, 0.25, 0]


def test_a_schedule_may_set_the_decay_of_the_average(make_updater: Make) -> None:
    """Without the ramp of the settings' own; with ema_decay 0 there is no average all the same."""
    updater = make_updater("dcgan", ema_decay=0.9, dtype=torch.float64)
    schedule = type(updater).schedule
    updater.schedule = lambda k: {**schedule(updater, k), "ema_decay": 0.25 * k}
    average = [p.detach().clone() for p in updater.gen.parameters()]
    for k in range(3):
        updater.update()
        now = list(updater.gen.parameters())
        average = [a + (1 - 0.25 * k) * (p - a) for a, p in zip(average, now, strict=True)]
    for a, p in zip(average, updater.average.parameters(), strict=True):
        torch.testing.assert_close(p.detach(), a.detach(), rtol=1e-12, atol=1e-12)
    assert make_updater("dcgan").average is None


def test_between_iterations_all_is_of_the_last_one(make_updater: Make) -> None:
    """What samples are of, in the process that trained and in one that has loaded its state."""
    updater = make_updater("sngan", lr_decay="linear", max_iter=4)
    stages = lambda k: Stage(4, None, k)  # noqa: E731
    updater.stage = stages
    assert updater.current.number == 0 and float(updater.now["lr"]) == 1
    for k in range(2):
        updater.update()
        assert updater.current.number == k and float(updater.now["lr"]) == 1 - k / 4
    fresh = make_updater("sngan", lr_decay="linear", max_iter=4)
    fresh.stage = stages
    fresh.update()
    fresh.load_state(updater.state())
    assert fresh.current.number == 1 and float(fresh.now["lr"]) == 0.75
    fresh.update()
    assert fresh.current.number == 2 and float(fresh.now["lr"]) == 0.5
