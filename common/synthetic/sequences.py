"""Items that slide on a square, bounce off its borders and lie one above the other: a simulator of
the true dynamics, of which data sets show frames and which a planner can be held against. Positions
and speeds are in pixels and pixels a frame, down and to the right.

Sequences on which Fashion-MNIST's clothes slide, and pairs of past and next frames out of them.

Each sequence gives WINDOWS pairs, which begin one frame after the other: of sequence s, pair
WINDOWS * s + t has its past from frame t on. So where one frame is next, the next frames of pairs
WINDOWS * s + t, t = 0, 1, ... are the future of pair WINDOWS * s.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ganlib.common.data import DataSet
from ganlib.common.datasets import fashion_mnist
from ganlib.common.errors import UserError
from ganlib.common.synthetic.canvas import Made, Pixels, masks

PART = 14 / 32
"""The side of an item in parts of the square's."""
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

Floats = NDArray[np.float64]
S = TypeVar("S", bound="Sequences")


class Item(NamedTuple):
    """A grey square picture on nothing.

    cover: how much of each pixel it covers, 0 to 1, (s, s). light: its grey times that, 0 to 255,
    (s, s). low, high: within which its upper left corner (2,) stays, so that what is covered at all
    never leaves the square.
    """

    cover: Floats
    light: Floats
    low: Floats
    high: Floats


class State(NamedTuple):
    """at: the upper left corners of n items, (n, 2). speed: how far they go in a frame, (n, 2)."""

    at: Floats
    speed: Floats


class Slide:
    """The square of side `size` with its items, from the lowest up.

    friction: the part of its speed that an item loses in each frame. impulse: the speed that an
    action of 1 adds.
    """

    def __init__(
        self, items: Sequence[Item], size: int, friction: float = 0.0, impulse: float = 0.0
    ) -> None:
        self.items, self.size, self.friction, self.impulse = items, size, friction, impulse
        self.low = np.stack([item.low for item in items])
        self.high = np.stack([item.high for item in items])
        looks = (np.stack([item.cover, item.light]) for item in items)
        self._looks = [np.pad(look, ((0, 0), (1, 1), (1, 1))) for look in looks]

    def state(self, where: Floats, speed: Floats) -> State:
        """Items at `where` (n, 2) in [0, 1], from border to border."""
        return State(self.low + where * (self.high - self.low), speed)

    def step(self, state: State, action: Floats | None = None) -> State:
        """The next frame's state: friction, then the impulse of an action (n, 2) in [-1, 1], then
        the way of one frame. Bounces are elastic.
        """
        speed = (1 - self.friction) * state.speed
        if action is not None:
            speed = speed + self.impulse * action
        free = self.high - self.low
        # a way with bounces is a straight one through squares that mirror each other
        straight = (state.at + speed - self.low) % (2 * free)
        back = straight > free
        at = self.low + np.where(back, 2 * free - straight, straight)
        return State(at, np.where(back, -speed, speed))

    def states(self, state: State, actions: Iterable[Floats | None]) -> Iterator[State]:
        """`state`, and the one after each action."""
        yield state
        for action in actions:
            state = self.step(state, action)
            yield state

    def render(self, state: State) -> Pixels:
        """The frame, (1, size, size): positions between pixels are bilinear, what lies higher hides
        what lies below.
        """
        margin = max(look.shape[1] for look in self._looks) - 1
        canvas = np.zeros((self.size + 2 * margin, self.size + 2 * margin))
        for look, at in zip(self._looks, state.at, strict=True):
            corner = np.floor(at).astype(int)
            top, left = corner + margin
            cover, light = _shifted(look, at - corner)
            under = canvas[top : top + len(cover), left : left + len(cover)]
            under *= 1 - cover
            under += light
        inside = canvas[margin : margin + self.size, margin : margin + self.size]
        return np.rint(inside).astype(np.uint8)[None]


def make_item(picture: Pixels, size: int) -> Item:
    """A picture (S, S), grey on black, as an item for a square of side `size`."""
    side = max(1, round(PART * size))
    cloth, mask = (_sized(image, side) for image in (picture, masks(picture[None])[0]))
    cover = mask / 255
    covered = [np.flatnonzero(cover.any(axis)) for axis in (1, 0)]
    low = np.array([-float(at[0]) for at in covered])
    high = np.array([float(size - 1 - at[-1]) for at in covered])
    return Item(cover, cloth * cover, low, high)


def _sized(image: Pixels, side: int) -> Pixels:
    # bicubic would overshoot at the border of what is covered
    return np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BILINEAR))


def _shifted(looks: Floats, by: Floats) -> Floats:
    """(2, s + 2, s + 2), 0 at the border, moved down and right by parts of a pixel (2,), without
    the first row and column: (2, s + 1, s + 1).
    """
    down, right = by
    rows: Floats = (1 - down) * looks[:, 1:] + down * looks[:, :-1]
    result: Floats = (1 - right) * rows[..., 1:] + right * rows[..., :-1]
    return result


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
