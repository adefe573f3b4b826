"""moving: 60,000 made pairs of four frames and the next, 32x32 unless asked, of clothes that move.

Two of Fashion-MNIST's clothes slide at constant speeds, one above the other, and bounce off the
borders. A pair is x, the next frame, and its source, PAST frames on the channels, the oldest first.
Sequence s of a split gives pairs 10 s to 10 s + 9, each a frame later than the one before: the next
ten frames of pair 10 s are x[10 s], ..., x[10 s + 9], see sources/futures.py. The source past:N:M
gives N frames and, as x, the M next ones on the channels. Everything is a function of (split,
number); the splits have other clothes and other motions.
"""

from math import pi
from pathlib import Path

import numpy as np
import torch

from ganlib.common.data import DataSet
from ganlib.common.seeds import generator
from ganlib.common.synthetic.sequences import LICENSE, PAST, SPEEDS, Sequences, Slide, State

__all__ = ["LICENSE", "Moving", "load", "past"]
ITEMS = 2


class Moving(Sequences):
    """Two pictures on each sequence."""

    name = "moving"
    words = "Fashion-MNIST's clothes, which move and bounce"

    def _start(self, number: int) -> tuple[Slide, State]:
        u = torch.rand(ITEMS, 5, generator=generator("moving", self.seed, number)).double().numpy()
        slide = Slide([self.item(row[0]) for row in u], self.size)
        speed = self.size * (SPEEDS[0] + u[:, 3] * (SPEEDS[1] - SPEEDS[0]))
        angle = 2 * pi * u[:, 4]
        way = np.stack([np.sin(angle), np.cos(angle)], 1)
        return slide, slide.state(u[:, 1:3], speed[:, None] * way)


past = Moving.past


def load(root: Path, split: str, size: int | None) -> DataSet:
    """One split of pairs of PAST frames and the next one; root is not looked at."""
    return past(split, size, PAST)
