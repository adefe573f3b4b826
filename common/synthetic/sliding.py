"""Items that slide on a square, bounce off its borders and lie one above the other.

A simulator of the true dynamics, of which data sets show frames and which a planner can be held
against. Positions and speeds are in pixels and pixels a frame, down and to the right.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganlib.common.synthetic.canvas import masks

PART = 14 / 32
"""The side of an item in parts of the square's."""

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]


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
