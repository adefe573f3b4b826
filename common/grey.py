"""Colour images without their colours."""

import torch
from torch import Tensor

WEIGHTS = (19595, 38470, 7471)
"""Of red, green and blue in luma (ITU-R BT.601), in parts of 2^16, as Pillow has them."""


def grey(x: Tensor) -> Tensor:
    """uint8 (n, 3, H, W) to its luma (n, 1, H, W), rounded; (n, 1, H, W) as it is."""
    if x.shape[1] == 1:
        return x
    weights = torch.tensor(WEIGHTS, device=x.device)[:, None, None]
    return ((weights * x).sum(1, keepdim=True) + 2**15 >> 16).to(x.dtype)
