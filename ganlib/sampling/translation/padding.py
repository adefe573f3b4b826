"""Images made larger by what is on their border."""

import torch
from torch import Tensor

from ganlib.common.data.spec import Size


def up_to(n: int, multiple: int) -> int:
    """The least multiple that is no smaller than n."""
    return -(-n // multiple) * multiple


def grown(x: Tensor, size: Size) -> Tensor:
    """(N, C, h, w) of any dtype to (N, C, *size), no smaller: the last column and row repeated."""
    for dim, (n, side) in enumerate(zip(x.shape[2:], size, strict=True), 2):
        if n != side:
            x = x.index_select(dim, torch.arange(side, device=x.device).clamp_(max=n - 1))
    return x
