"""Stages: closed forms against a loop, what begins when, and what is checked before."""

import random
from collections.abc import Callable
from typing import Any

import pytest
import torch

from ganlib.common.errors import UserError
from ganlib.training.stages import Stage, Stages, borders, check_shares

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


def test_batches_of_a_later_stage_that_cannot_be_shared_are_told_at_once() -> None:
    stages = Stages([(80, 8, None), (6, 6, None), (1, 4, None)])
    check_shares(stages.at, 10**9, 2)
    with pytest.raises(UserError, match="6 images from iteration 10 on cannot be shared in 4"):
        check_shares(stages.at, 10**9, 4)
    check_shares(stages.at, 10, 4)


def test_a_run_learns_so_before_it_begins(make_updater: Make) -> None:
    updater = make_updater("dcgan", batch_size=4)
    updater.stage = lambda k: Stage(4 if k < 5000 else 3)
    with pytest.raises(UserError, match="3 images from iteration 5000 on"):
        updater.split(2)


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
