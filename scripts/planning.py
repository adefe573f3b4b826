"""Actions that are planned with a model of what they do, by the frames that it predicts.

Model-predictive control as in visual foresight (Finn, Levine 2017, https://arxiv.org/abs/1610.00696;
Ebert et al. 2018, https://arxiv.org/abs/1812.00568): sequences of actions are tried in the model,
the cross-entropy method looks for the one of the least cost, its first action is done, and with the
frame that comes the search begins anew. The model is a trained generator of pgn, or the simulator.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Generator, Tensor

from ganlib.common.synthetic.canvas import Pixels
from ganlib.common.synthetic.sequences import Floats, Slide, State
from ganlib.pgn.net import PredictiveGenerator

Predict = Callable[[Tensor], Tensor]
"""Of actions (n, T, 2) in [-1, 1] the frames after each of them, (n, T, S, S) in [-1, 1]."""


class Search(NamedTuple):
    """The cross-entropy method: in each round `tried` sequences of `horizon` actions are drawn from
    a normal distribution, at first of the deviation `spread`, and the `kept` best ones are its next
    mean and deviation.
    """

    horizon: int = 3
    rounds: int = 3
    tried: int = 32
    kept: int = 6
    spread: float = 0.7

    def best(self, cost: Callable[[Tensor], Tensor], mean: Tensor, draws: Generator) -> Tensor:
        """The last mean, from the mean (T, 2) on. cost: of (tried, T, 2) in [-1, 1], (tried,)."""
        deviation = torch.full_like(mean, self.spread)
        for _ in range(self.rounds):
            noise = torch.randn(self.tried, *mean.shape, generator=draws)
            actions = (mean + deviation * noise).clamp(-1, 1)
            best = actions[cost(actions).topk(self.kept, largest=False).indices]
            mean, deviation = best.mean(0), best.std(0, correction=0)
        return mean


class Planner:
    """Chooses actions that bring the light to where it is in `goal`, a frame (S, S) in [-1, 1]."""

    def __init__(self, goal: Tensor, draws: Generator, search: Search) -> None:
        self.goal, self.draws, self.search = centre(goal), draws, search
        self.plan = torch.zeros(search.horizon, 2)

    def __call__(self, predict: Predict) -> Floats:
        """The next action, (2,); the rest of the plan is where the next search begins."""
        self.plan = self.search.best(lambda a: self.cost(predict(a)), self.plan, self.draws)
        action, self.plan = self.plan[0], torch.cat([self.plan[1:], torch.zeros(1, 2)])
        return action.double().numpy()

    def cost(self, frames: Tensor) -> Tensor:
        """Of predictions (n, T, S, S), how far the light is from the goal's, in pixels and in the
        mean over the frames: (n,).
        """
        far: Tensor = (centre(frames) - self.goal).norm(dim=-1)
        return far.mean(1)


def centre(frames: Tensor) -> Tensor:
    """The mean place of the light in frames (..., S, S) in [-1, 1]: (..., 2), in pixels down and to
    the right. Black is no light; where all is black, it is the upper left corner.
    """
    light = (frames + 1).clamp(min=0)
    places = torch.arange(frames.shape[-1], dtype=frames.dtype)
    sums = [(light.sum(axis) * places).sum(-1) for axis in (-1, -2)]
    return torch.stack(sums, -1) / light.sum((-1, -2)).clamp(min=1e-6)[..., None]


def by_model(gen: PredictiveGenerator, past: Tensor) -> Predict:
    """What the generator predicts after the frames (T, S, S) in [-1, 1], which are coded once."""
    with torch.no_grad():
        h, c = gen.memory(gen.memory.codes(past[None]))

    @torch.no_grad()
    def predict(actions: Tensor) -> Tensor:
        n = len(actions)
        return gen.follow((h.expand(n, -1), c.expand(n, -1)), actions.unbind(1))

    return predict


def by_simulator(slide: Slide, state: State) -> Predict:
    """What comes after `state` of one item."""

    def predict(actions: Tensor) -> Tensor:
        pushes = actions.double().numpy().swapaxes(0, 1)
        # the rows are one item in different futures
        many = State(*(np.repeat(part, len(actions), 0) for part in state))
        states = list(slide.states(many, pushes))[1:]
        return torch.stack([as_frames(rendered(slide, at)) for at in states], 1)

    return predict


def rendered(slide: Slide, many: State) -> Pixels:
    """Each row of `many` as the only item: (n, S, S)."""
    alone = (State(at[None], speed[None]) for at, speed in zip(*many, strict=True))
    return np.concatenate([slide.render(state) for state in alone])


def as_frames(pixels: Pixels) -> Tensor:
    """Bytes as a network sees them."""
    return torch.from_numpy(pixels).float() / 127.5 - 1
