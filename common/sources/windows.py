"""Pairs of past and next frames out of sequences that are made when they are asked for.

Each sequence gives WINDOWS pairs, which begin one frame after the other: of sequence s, pair
WINDOWS * s + t has its past from frame t on. So where one frame is next, the next frames of pairs
WINDOWS * s + t, t = 0, 1, ... are the future of pair WINDOWS * s.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

WINDOWS = 10
PAST = 4
"""Frames that a pair starts from where nothing else is asked for."""


class Windows:
    """One side of the pairs, uint8 (WINDOWS * sequences, channels, size, size).

    make: of the number of a sequence and of the first frame of a pair's past, (channels, size,
    size).
    """

    def __init__(
        self,
        make: Callable[[int, int], NDArray[np.uint8]],
        sequences: int,
        channels: int,
        size: int,
    ) -> None:
        self.make = make
        self.shape = WINDOWS * sequences, channels, size, size

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Tensor) -> Tensor:
        made = [self.make(*divmod(number, WINDOWS)) for number in index.tolist()]
        return torch.from_numpy(np.stack(made))


def provenance(n: int, m: int) -> dict[str, str]:
    """What is said of pairs of n past frames and the next m."""
    one_by_one = f"each of {WINDOWS} pairs, which begin one frame after the other"
    return {"sequences": one_by_one, **frames_told(n, m)}


def frames_told(n: int, m: int) -> dict[str, str]:
    """The same of any pairs: what is the source and what the image."""
    return {
        "sources": f"{n} past frames",
        "images": f"the next {m} frames" if m > 1 else "the next frame",
    }
