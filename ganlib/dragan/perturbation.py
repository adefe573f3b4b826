"""Points around the real images, where the slope is taken: three readings of one paper.

x: (N, C, H, W), a batch (of this GPU's share); u: U(0, 1) of the shape of x.
"""

from torch import Tensor


def elementwise(x: Tensor, u: Tensor) -> Tensor:
    """x + std u / 2, std over the batch for each channel and pixel: chainer-gan-lib
    dragan/updater.py.
    """
    return x + 0.5 * x.std(0, correction=0) * u


def scalar(x: Tensor, u: Tensor, alpha: Tensor) -> Tensor:
    """x + alpha std u / 2, std over the whole batch: the authors' DRAGAN.ipynb.

    alpha: (N, 1, 1, 1), U(0, 1): how far along the way to x + std u / 2.
    """
    return x + alpha * 0.5 * x.std(correction=0) * u


def gaussian(x: Tensor, noise: Tensor, c: float) -> Tensor:
    """x + N(0, c I): equation 1 of the paper. noise: N(0, 1) of the shape of x."""
    return x + c**0.5 * noise
