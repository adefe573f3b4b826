"""Pixelwise feature vector normalisation: Karras et al. 2018, section 4.2."""

import torch
from torch import Tensor


def pixel_norm(x: Tensor, eps: float = 1e-8) -> Tensor:
    """x / sqrt(mean of x^2 over the channels + eps): (N, C, ...) -> the same shape.

    A vector (N, C) comes to lie on the sphere of radius sqrt(C).
    """
    # bfloat16 has too few digits for a mean of hundreds of squares
    exact = torch.promote_types(x.dtype, torch.float32)
    power = x.square().mean(1, keepdim=True, dtype=exact)
    return x * (power + eps).rsqrt().to(x.dtype)
