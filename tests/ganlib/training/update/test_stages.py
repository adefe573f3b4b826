"""Stages: closed forms against a loop, what begins when, and what is checked before."""

import random
from collections.abc import Callable
from typing import Any

import pytest
import torch

from ganlib.common.errors import UserError
from ganlib.training.update.streams import Stage, Stages, borders

Make = Callable[..., Any]


@pytest.mark.parametrize("seed", range(5))
def test_they_are_what_a_loop_counts(seed: int) -> None:
    choose = random.Random(seed)
    plan = [(choose.randint(1, 60), choose.randint(1, 9), (4 << k, 4 << k)) for k in range(4)]
    batches = choose.randint(1, 3)
    stages = Stages(plan, batches)
    k = seen = inside = 0
    starts = [0]
    for iteration in range(120):
        if k < 3 and inside >= plan[k][0]:
            k, inside = k + 1, 0
            starts.append(iteration)
        assert stages.at(iteration) == Stage(plan[k][1], plan[k][2], k)
        assert stages.images(iteration) == seen and stages.inside(iteration) == inside
        seen += batches * plan[k][1]
        inside += batches * plan[k][1]
    assert stages.starts == starts
    assert list(borders(stages.at, 120)) == starts
    assert list(borders(stages.at, starts[-1])) == starts[:-1]
    assert list(borders(stages.at, 1)) == list(borders(stages.at, 0)) == [0]


def test_what_a_later_stage_cannot_do_is_told_before_the_first(make_updater: Make) -> None:
    def split(passes: int, *stages: tuple[int, int, Any]) -> None:
        updater = make_updater("dcgan", max_iter=10**9)
        updater.stage = Stages(stages).at
        updater.split(passes)

    plan = (80, 8, None), (6, 6, None), (1, 4, None)
    split(2, *plan)
    words = "From iteration 10 on: A batch of 6 images cannot be shared in 4 parts"
    with pytest.raises(UserError, match=words):
        split(4, *plan)
    with pytest.raises(UserError, match="From iteration 2 on: .* 32x32 .*64x64"):
        split(1, (8, 4, None), (4, 4, (64, 64)))


def test_there_is_one_stage_by_default(make_updater: Make) -> None:
    updater = make_updater("dcgan")
    assert updater.stage(0) == updater.stage(10**6) == (4, None, 0)
    begun: list[tuple[int, Stage]] = []
    updater.begin = lambda stage: begun.append((updater.iteration, stage))
    for _ in range(3):
        updater.update()
    assert begun == [(0, Stage(4))]


def test_reset_names_an_optimizer_that_is_there(make_updater: Make) -> None:
    updater = make_updater("dcgan")
    with pytest.raises(UserError, match=r"reset\('diss'\).*Did you mean 'dis'"):
        updater.reset("diss")
    updater.optimizer["dis"] = torch.optim.Adagrad(updater.dis.parameters())
    with pytest.raises(UserError, match="a new Adagrad does not start from zeros"):
        updater.reset("dis")
