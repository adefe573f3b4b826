"""pushed: 60,000 made pairs of four frames and a push, and the next frame; 32x32 unless asked.

One of Fashion-MNIST's clothes lies or slides on a square, slows down, bounces off the borders, and
is given an impulse before each frame: an action of two numbers in [-1, 1], down and to the right.
A pair is x, the next frame, and its source: PAST frames on the channels, the oldest first, and then
the action that the next frame follows from, as two constant channels (`source_frames` counts them
as frames). Before half of the frames there is no push, which is 128, next to 0. For sequences, and
for past:N:M (N frames, then the M actions of two channels that the M next frames follow from), see
moving. `--flip`, which would mirror the pictures and not their pushes, is refused. Pushed.start()
gives what a planner acts on: a state, and the Slide with step(state, action) and render(state).
"""

from math import pi
from pathlib import Path

import numpy as np
import torch

from ganlib.common.data import DataSet
from ganlib.common.seeds import generator
from ganlib.common.synthetic.canvas import Pixels
from ganlib.common.synthetic.sequences import LICENSE, PAST, SPEEDS, Floats, Sequences, Slide, State

__all__ = ["LICENSE", "Pushed", "load", "past"]
FRICTION = 0.25
IMPULSE = 3 / 32
"""Of an action of 1, in sides of the square a frame."""
NOTHING = 128
"""The byte of no push: of the two that are nearest to 0, one."""


class Pushed(Sequences):
    """One picture on each sequence, which is pushed."""

    name = "pushed"
    words = "one of Fashion-MNIST's clothes, which is pushed"
    numbers = 2

    def _start(self, number: int) -> tuple[Slide, State]:
        """At rest in half of them."""
        u = torch.rand(6, generator=generator("pushed", self.seed, number)).double().numpy()
        item = self.item(u[0])
        slide = Slide([item], self.size, FRICTION, IMPULSE * self.size)
        speed = self.size * SPEEDS[1] * u[3] * (u[5] < 0.5)
        way = np.array([np.sin(2 * pi * u[4]), np.cos(2 * pi * u[4])])
        return slide, slide.state(u[None, 1:3], speed * way[None])

    def pushes(self, number: int, first: int, n: int) -> Pixels:
        """The actions after n frames of a sequence, from the number `first` on, as bytes (n, 2)."""
        return np.stack([self._push(number, first + k) for k in range(n)])

    def actions(self, number: int, n: int) -> list[Floats | None]:
        return [as_action(self._push(number, at))[None] for at in range(n)]

    def source(self, number: int, first: int, n: int, m: int) -> Pixels:
        """(n + 2 m, size, size): n frames, and the actions that the m next follow from."""
        pushes = self.pushes(number, first + n - 1, m)
        return np.concatenate([self.frames(number, first, n), planes(pushes, self.size)])

    def _push(self, number: int, at: int) -> Pixels:
        u = torch.rand(3, generator=generator("push", self.seed, number, at)).numpy()
        if u[2] < 0.5:
            return np.full(2, NOTHING, np.uint8)
        return (256 * u[:2]).astype(np.uint8)


past = Pushed.past


def as_action(bytes_: Pixels) -> Floats:
    """Bytes as numbers in [-1, 1], as a network sees them."""
    return bytes_ / 127.5 - 1


def planes(pushes: Pixels, size: int) -> Pixels:
    """Actions as bytes (m, 2) as constant channels (2 m, size, size)."""
    return np.broadcast_to(pushes.reshape(-1, 1, 1), (pushes.size, size, size))


def load(root: Path, split: str, size: int | None) -> DataSet:
    """One split of pairs of PAST frames, a push and the next frame; root is not looked at."""
    return past(split, size, PAST)
