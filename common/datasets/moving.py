"""moving: 60,000 made pairs of four frames and the next, 32x32 unless asked, of clothes that move.

Two of Fashion-MNIST's clothes slide at constant speeds, one above the other, and bounce off the
borders. A pair is x, the next frame, and its source, PAST frames on the channels, the oldest first.
Sequence s of a split gives pairs 10 s to 10 s + 9, each a frame later than the one before: the next
ten frames of pair 10 s are x[10 s], ..., x[10 s + 9], see sources/futures.py. The source past:N:M
gives N frames and, as x, the M next ones on the channels. Everything is a function of (split,
number); the splits have other clothes and other motions.
"""

from functools import cache, lru_cache
from math import pi
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganlib.common.data import DataSet
from ganlib.common.datasets import fashion_mnist
from ganlib.common.errors import UserError
from ganlib.common.formats.stream import check_split
from ganlib.common.seeds import generator
from ganlib.common.sources.windows import PAST, Windows, provenance
from ganlib.common.synthetic.sliding import Item, Pixels, Slide, State, make_item

SEQUENCES = {"train": 5_000, "test": 1_000}
ITEMS = 2
SIDE = 32
SMALLEST = 8
KEPT = 256
"""Starts of sequences, whose past and next frames are asked for one soon after the other."""
SPEEDS = (1 / 32, 3 / 32)
"""Between which they lie, in sides of the square a frame."""
LICENSE = f"The clothes are Fashion-MNIST's: {fashion_mnist.LICENSE}"


class Moving:
    """Sequences of frames of side `size` on which grey pictures, uint8 (N, S, S), move."""

    def __init__(self, pictures: Pixels, seed: int, size: int) -> None:
        self.pictures, self.seed, self.size = pictures, seed, size
        self.start = lru_cache(KEPT)(self._start)

    def _start(self, number: int) -> tuple[Slide, State]:
        """A sequence's items and their first state."""
        u = torch.rand(ITEMS, 5, generator=generator("moving", self.seed, number)).double().numpy()
        slide = Slide([self._item(row[0]) for row in u], self.size)
        speed = self.size * (SPEEDS[0] + u[:, 3] * (SPEEDS[1] - SPEEDS[0]))
        angle = 2 * pi * u[:, 4]
        way = np.stack([np.sin(angle), np.cos(angle)], 1)
        return slide, slide.state(u[:, 1:3], speed[:, None] * way)

    def frames(self, number: int, first: int, n: int) -> NDArray[np.uint8]:
        """(n, size, size): n frames of a sequence, from the number `first` on."""
        slide, state = self.start(number)
        states = list(slide.states(state, [None] * (first + n - 1)))
        return np.concatenate([slide.render(state) for state in states[first:]])

    def _item(self, u: float) -> Item:
        return make_item(self.pictures[int(u * len(self.pictures))], self.size)


def load(root: Path, split: str, size: int | None) -> DataSet:
    """One split of pairs of PAST frames and the next one; root is not looked at."""
    return past(split, size, PAST)


def past(split: str, size: int | None, n: int, m: int = 1) -> DataSet:
    """One split of pairs of n frames and the next m. UserError for frames that are too small."""
    side = checked(split, size)
    moving = Moving(clothes(split), list(SEQUENCES).index(split), side)
    sequences = SEQUENCES[split]
    return DataSet(
        "moving",
        Windows(lambda number, at: moving.frames(number, at + n, m), sequences, m, side),
        source=Windows(lambda number, at: moving.frames(number, at, n), sequences, n, side),
        provenance={
            "source": "made: Fashion-MNIST's clothes, which move and bounce",
            **provenance(n, m),
        },
        frames=m,
        source_frames=n,
        actions=0,
    )


def checked(split: str, size: int | None) -> int:
    """The side of the frames; UserError for a split that there is not, or frames too small."""
    check_split(split)
    side = size or SIDE
    if side < SMALLEST:
        raise UserError(f"Frames of clothes that move have {SMALLEST} pixels a side or more.")
    return side


@cache
def clothes(split: str) -> Pixels:
    """The clothes of a split, uint8 (N, 28, 28), which are as good as read-only."""
    data = fashion_mnist.load(Path(), split, None)
    assert isinstance(data.x, Tensor)
    return data.x[:, 0].numpy()
