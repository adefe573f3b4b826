"""How far images are from those that they should be, pixel by pixel.

SSIM is Wang et al.'s (2004), section III; a window of Gaussians is one down after one across, which
is ten times faster than all of it at once, as torchmetrics has it. Images are uint8 (n, C, H, W); a
measure gives a number for each of them, float64 (n,).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ganlib.evaluation.protocol import Instrument, Plain

WINDOW, SIGMA, K1, K2 = 11, 1.5, 0.01, 0.03
"""Of SSIM: the side in pixels and the deviation of its Gaussian, and its constants."""
HIGHEST = 100.0
"""The PSNR, in dB, that equal images are given, whose own is infinite."""
LUMA = (65.481, 128.553, 24.966)
"""Of red, green and blue in [0, 1]: BT.601's Y', from 16 to 235, as super-resolution has it."""
PSNR: dict[str, Plain] = {"data_range": 255, "highest": HIGHEST, "mean": "of images"}
SSIM: dict[str, Plain] = {
    "data_range": 255,
    "window": WINDOW,
    "sigma": SIGMA,
    "k1": K1,
    "k2": K2,
    "edge": "left",
}
"""What else decides about those, for their protocols."""
PIXELS = Instrument("pixels", precision="float64")


@dataclass(frozen=True)
class Measure:
    """compute(output, truth): float64 (n,) of uint8 (n, C, H, W) each. settings: what decides about
    it, for the protocol. by: the network, if there is one.
    """

    name: str
    compute: Callable[[Tensor, Tensor], Tensor]
    settings: Mapping[str, Plain] = field(default_factory=dict)
    by: Instrument = PIXELS


def l1(output: Tensor, truth: Tensor) -> Tensor:
    """The mean absolute difference, in levels of 255."""
    return (output.double() - truth.double()).abs().flatten(1).mean(1)


def psnr(output: Tensor, truth: Tensor) -> Tensor:
    """The peak signal-to-noise ratio of levels 0..255 in dB, at most HIGHEST."""
    squares = (output.double() - truth.double()).square().flatten(1).mean(1)
    return (10 * torch.log10(255**2 / squares)).clamp(max=HIGHEST)


def ssim(output: Tensor, truth: Tensor) -> Tensor:
    """The structural similarity, of windows that lie inside of the images; the mean of channels."""
    x, y = output.double(), truth.double()
    x_mean, y_mean = _windows(x), _windows(y)
    x_var, y_var = _windows(x * x) - x_mean * x_mean, _windows(y * y) - y_mean * y_mean
    covariance = _windows(x * y) - x_mean * y_mean
    c1, c2 = (255 * K1) ** 2, (255 * K2) ** 2
    luminance = (2 * x_mean * y_mean + c1) / (x_mean * x_mean + y_mean * y_mean + c1)
    structure = (2 * covariance + c2) / (x_var + y_var + c2)
    return (luminance * structure).flatten(1).mean(1)


def _windows(x: Tensor) -> Tensor:
    """Means over Gaussian windows, down and across one behind the other, where they lie inside."""
    distance = torch.arange(WINDOW, dtype=x.dtype, device=x.device) - WINDOW // 2
    weights = torch.exp(-distance.square() / (2 * SIGMA**2))
    weights = weights / weights.sum()
    return (x.unfold(2, WINDOW, 1) @ weights).unfold(3, WINDOW, 1) @ weights


def luma(x: Tensor) -> Tensor:
    """(n, 3, H, W) to their luma (n, 1, H, W), not rounded; images of one channel as they are."""
    if x.shape[1] == 1:
        return x.double()
    weights = torch.tensor(LUMA, dtype=torch.float64, device=x.device)[:, None, None]
    return 16 + (weights * x.double() / 255).sum(1, keepdim=True)


def measures(side: int, factor: int = 1) -> list[Measure]:
    """What images whose shorter side is `side` are measured by.

    factor: how many times larger than their sources they are. Of enlarged images luma is measured
    too, without as many pixels at the border, as the papers on super-resolution do.
    """
    found = [Measure("L1", l1, {"levels": 255}), Measure("PSNR", psnr, PSNR)]
    if side >= WINDOW:
        found.append(Measure("SSIM", ssim, SSIM))
    if factor > 1:
        of_luma: dict[str, Plain] = {"channels": "luma, BT.601", "border": factor}
        found.append(Measure("PSNR-Y", _on_luma(psnr, factor), {**PSNR, **of_luma}))
        if side - 2 * factor >= WINDOW:
            ssim_y = _on_luma(ssim, factor)
            found.append(Measure("SSIM-Y", ssim_y, {**SSIM, **of_luma}))
    return found


def _on_luma(
    compute: Callable[[Tensor, Tensor], Tensor], border: int
) -> Callable[[Tensor, Tensor], Tensor]:
    def inner(x: Tensor) -> Tensor:
        return luma(x)[..., border:-border, border:-border]

    return lambda output, truth: compute(inner(output), inner(truth))
