"""masked[:SEED]: the image with a hole of half its height and half its width; another seed puts the
holes elsewhere
"""

import torch
from torch import Tensor

from ganlib.common.errors import UserError
from ganlib.common.seeds import generator
from ganlib.common.sources.derived import Derivation

HOLE = 128
"""What stands where something is missing: the middle of 0..255."""


def make(text: str) -> Derivation:
    """Holes in the colour HOLE, at a place that depends on (seed, number of the image)."""
    argument = text.partition(":")[2] if ":" in text else "0"
    if not (argument.isascii() and argument.isdecimal() and len(argument) <= 18):
        raise UserError(f"The source '{text}' should end in a seed, as in masked:0.")
    seed = int(argument)

    def mask(x: Tensor, index: Tensor) -> Tensor:
        height, width = x.shape[2:]
        draws = (generator("masked", seed, number) for number in index.tolist())
        u = torch.stack([torch.rand(2, generator=draw) for draw in draws])
        inside = _within(u[:, 0], height)[:, None, :, None] & _within(u[:, 1], width)[:, None, None]
        return x.masked_fill(inside, HOLE)

    return Derivation(f"masked, a hole of half the sides by seed {seed}", mask)


def _within(u: Tensor, side: int) -> Tensor:
    """Which of so many pixels lie in a hole of half of them, at u (n,) in [0, 1): (n, side)."""
    size = side // 2
    first = (u * (side - size + 1)).long()[:, None]
    at = torch.arange(side)
    return (first <= at) & (at < first + size)
