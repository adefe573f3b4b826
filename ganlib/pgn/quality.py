"""How good predicted frames are, how sharp above all: squares make them blurred.

Frames are uint8 (n, C, H, W), and values between 0 and 1. A measure gives a number for each of
them, float64 (n,).
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from ganlib.evaluation.pixels import WINDOW, ssim


def mse(output: Tensor, truth: Tensor) -> Tensor:
    """The mean square difference."""
    return (_unit(output) - _unit(truth)).square().flatten(1).mean(1)


def sharpness(x: Tensor) -> Tensor:
    """The mean absolute difference of neighbours, of those beside each other and of those above
    each other, added up.
    """
    return sum((d.flatten(1).mean(1) for d in _steps(x)), torch.zeros(()))


def gradient_difference(output: Tensor, truth: Tensor) -> Tensor:
    """By how much both absolute differences of neighbours differ from the truth's, in the mean and
    added up: Mathieu et al. 2016, equation 6 with alpha = 1, as a mean.
    """
    pairs = zip(_steps(output), _steps(truth), strict=True)
    return sum(((a - b).abs().flatten(1).mean(1) for a, b in pairs), torch.zeros(()))


def qualities(output: Tensor, truth: Tensor) -> Mapping[str, float]:
    """All of them by name, means over the frames. sharpness: as a part of the truth's."""
    found = {
        "mse": float(mse(output, truth).mean()),
        "sharpness": float(sharpness(output).mean() / sharpness(truth).mean()),
        "gradient_difference": float(gradient_difference(output, truth).mean()),
    }
    if min(truth.shape[2:]) >= WINDOW:
        found["ssim"] = float(ssim(output, truth).mean())
    return found


def _unit(x: Tensor) -> Tensor:
    return x.double() / 255


def _steps(x: Tensor) -> tuple[Tensor, Tensor]:
    return _unit(x).diff(dim=3).abs(), _unit(x).diff(dim=2).abs()
