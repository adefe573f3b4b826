"""Sequences on which Fashion-MNIST's clothes slide, and pairs of past and next frames out of them.

Each sequence gives WINDOWS pairs, which begin one frame after the other: of sequence s, pair
WINDOWS * s + t has its past from frame t on. So where one frame is next, the next frames of pairs
WINDOWS * s + t, t = 0, 1, ... are the future of pair WINDOWS * s.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np
from torch import Tensor

from ganlib.common.data import DataSet
from ganlib.common.data.spec import check_split
from ganlib.common.datasets import fashion_mnist
from ganlib.common.errors import UserError
from ganlib.common.synthetic.canvas import Made
from ganlib.common.synthetic.sliding import Floats, Item, Pixels, Slide, State, make_item

WINDOWS = 10
PAST = 4
"""Frames that a pair starts from where nothing else is asked for."""
SEQUENCES = {"train": 5_000, "test": 1_000}
SIDE = 32
SMALLEST = 8
KEPT = 256
"""Starts of sequences, whose past and next frames are asked for one soon after the other."""
SPEEDS = (1 / 32, 3 / 32)
"""Between which they lie, in sides of the square a frame."""
LICENSE = f"The clothes are Fashion-MNIST's: {fashion_mnist.LICENSE}"

S = TypeVar("S", bound="Sequences")


class Sequences:
    """Sequences of frames of side `size` on which grey pictures, uint8 (N, S, S), slide, each a
    function of (seed, number). numbers: in the action before each frame.
    """

    name: str
    words: str
    numbers = 0

    def __init__(self, pictures: Pixels, seed: int, size: int) -> None:
        self.pictures, self.seed, self.size = pictures, seed, size
        self.start = lru_cache(KEPT)(self._start)

    @classmethod
    def of_split(cls: type[S], split: str, size: int | None) -> S:
        """Those of one split, with its clothes. UserError for frames that are too small."""
        check_split(split)
        side = size or SIDE
        if side < SMALLEST:
            raise UserError(f"Frames of clothes that move have {SMALLEST} pixels a side or more.")
        return cls(clothes(split), list(SEQUENCES).index(split), side)

    @classmethod
    def past(cls, split: str, size: int | None, n: int, m: int = 1) -> DataSet:
        """One split of pairs of n frames and the next m; UserError for too small frames."""
        return cls.of_split(split, size).pairs(split, n, m)

    @abstractmethod
    def _start(self, number: int) -> tuple[Slide, State]:
        """A sequence's simulator and first state."""

    def actions(self, number: int, n: int) -> Sequence[Floats | None]:
        """What happens after each of the first n frames of a sequence."""
        return [None] * n

    def frames(self, number: int, first: int, n: int) -> Pixels:
        """(n, size, size): n frames of a sequence, from the number `first` on."""
        slide, state = self.start(number)
        states = list(slide.states(state, self.actions(number, first + n - 1)))
        return np.concatenate([slide.render(state) for state in states[first:]])

    def source(self, number: int, first: int, n: int, m: int) -> Pixels:
        """(channels, size, size): what the m frames after n start from."""
        return self.frames(number, first, n)

    def item(self, u: float) -> Item:
        """One of the pictures, by a number from U(0, 1)."""
        return make_item(self.pictures[int(u * len(self.pictures))], self.size)

    def pairs(self, split: str, n: int, m: int) -> DataSet:
        """One split of pairs of n frames and the next m."""

        def made(make: Callable[[int, int], Pixels], channels: int) -> Made:
            length = WINDOWS * SEQUENCES[split]
            return Made(lambda k: make(*divmod(k, WINDOWS)), length, channels, self.size, self.size)

        channels, told = n + m * self.numbers, frames_told(n, m)
        pushes = ", then each push as two constant channels" if self.numbers else ""
        return DataSet(
            self.name,
            made(lambda number, at: self.frames(number, at + n, m), m),
            source=made(lambda number, at: self.source(number, at, n, m), channels),
            provenance={
                "source": f"made: {self.words}",
                "sequences": f"each of {WINDOWS} pairs, which begin one frame after the other",
                **told,
                "sources": told["sources"] + pushes,
            },
            frames=m,
            source_frames=channels,
            flips=not self.numbers,
            actions=self.numbers,
        )


def frames_told(n: int, m: int) -> dict[str, str]:
    """What is said of pairs of n past frames and the next m."""
    return {
        "sources": f"{n} past frames",
        "images": f"the next {m} frames" if m > 1 else "the next frame",
    }


@cache
def clothes(split: str) -> Pixels:
    """The clothes of a split, uint8 (N, 28, 28), which are as good as read-only."""
    data = fashion_mnist.load(Path(), split, None)
    assert isinstance(data.x, Tensor)
    return data.x[:, 0].numpy()
