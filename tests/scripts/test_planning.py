"""scripts/planning.py: the search on a cost with a known answer, and what the models predict."""

import numpy as np
import pytest
import torch
from torch import Tensor

from ganlib.common.datasets.pushed import Pushed
from ganlib.pgn.net import PredictiveGenerator, Sequences
from scripts.planning import Planner, Search, as_frames, by_model, by_simulator, centre


def draws() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture
def gen() -> PredictiveGenerator:
    torch.manual_seed(0)
    return PredictiveGenerator(Sequences((1, 16, 16), ahead=1, actions=2), ch=2, units=8)


def test_the_search_finds_the_least_of_a_quadratic() -> None:
    best = torch.tensor([[0.5, -0.25], [0.0, 0.9], [-0.6, 0.3]])
    search = Search(horizon=3, rounds=15, tried=100, kept=10)

    def cost(actions: Tensor) -> Tensor:
        assert actions.shape == (100, 3, 2) and actions.abs().max() <= 1
        return (actions - best).square().sum((1, 2))

    found = search.best(cost, torch.zeros(3, 2), draws())
    torch.testing.assert_close(found, best, atol=0.02, rtol=0)


def test_beyond_the_borders_the_search_stays_at_them() -> None:
    search = Search(horizon=1, rounds=10, tried=50, kept=5)
    found = search.best(lambda a: (a - 3).square().sum((1, 2)), torch.zeros(1, 2), draws())
    torch.testing.assert_close(found, torch.ones(1, 2))


def test_the_centre_of_light_by_hand() -> None:
    frame = -torch.ones(8, 8)
    frame[2, 3] = 1
    frame[6, 3] = 0  # half as bright
    expected = torch.tensor([(2 * 2 + 1 * 6) / 3, 3])
    torch.testing.assert_close(centre(frame), expected)
    both = torch.stack([frame, -torch.ones(8, 8)])
    torch.testing.assert_close(centre(both), torch.stack([expected, torch.zeros(2)]))


def test_the_model_is_rolled_out_as_it_predicts_one_frame(gen: PredictiveGenerator) -> None:
    """Each next one by forward() from the past, the own predictions, and its action's channels."""
    past = torch.rand(4, 16, 16, generator=draws()) * 2 - 1
    actions = torch.rand(3, 5, 2, generator=draws()) * 2 - 1
    found = by_model(gen, past)(actions)
    assert found.shape == (3, 5, 16, 16)
    for pushes, frames in zip(actions, found, strict=True):
        seen = past
        for push, frame in zip(pushes, frames, strict=True):
            planes = push[:, None, None].expand(2, 16, 16)
            with torch.no_grad():
                expected = gen(torch.empty(1, 0), torch.cat([seen, planes])[None])
            torch.testing.assert_close(frame, expected[0, 0])
            seen = torch.cat([seen, frame[None]])
    assert not torch.allclose(found[0], found[1])


def test_the_simulator_predicts_what_it_does() -> None:
    slide, state = Pushed.of_split("test", 16).start(1)
    actions = torch.rand(3, 4, 2, generator=draws()) * 2 - 1
    found = by_simulator(slide, state)(actions)
    assert found.shape == (3, 4, 16, 16)
    for pushes, frames in zip(actions.double().numpy(), found, strict=True):
        _, *after = slide.states(state, pushes[:, None])
        torch.testing.assert_close(
            frames, as_frames(np.concatenate([slide.render(one) for one in after]))
        )


def test_the_cost_is_the_mean_distance_of_the_light() -> None:
    goal, frames = -torch.ones(8, 8), -torch.ones(1, 2, 8, 8)
    goal[1, 1] = frames[0, 0, 4, 5] = frames[0, 1, 1, 3] = 1
    planner = Planner(goal, draws(), Search())
    torch.testing.assert_close(planner.cost(frames), torch.tensor([(5 + 2) / 2.0]))


def test_a_plan_goes_on_from_the_last_one() -> None:
    slide, state = Pushed.of_split("test", 16).start(0)
    goal = as_frames(slide.render(state))[0]
    planner, means = Planner(goal, draws(), Search(rounds=1)), list[Tensor]()
    best = Search.best

    class Watched(Search):
        def best(self, cost, mean, draws):  # type: ignore
            means.append(mean)
            return best(self, cost, mean, draws)

    planner.search = Watched(rounds=1)
    action = planner(by_simulator(slide, state))
    planned = planner.plan
    planner(by_simulator(slide, state))
    assert action.shape == (2,) and not means[0].any()
    assert torch.equal(means[1], planned) and planned[:-1].any() and not planned[-1].any()
