"""evaluation/pairs/pixels.py against scikit-image and formulas by hand."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor

from ganlib.evaluation.pairs.pixels import HIGHEST, l1, luma, measures, psnr, ssim


def pair(channels: int, height: int = 40, width: int = 33) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(0)
    shape = (3, channels, height, width)
    truth = torch.randint(256, shape, dtype=torch.uint8, generator=random)
    noise = torch.randint(-40, 41, shape, generator=random)
    return (truth.int() + noise).clamp(0, 255).to(torch.uint8), truth


def scikit_ssim(x: np.ndarray, y: np.ndarray, axis: int | None = 2) -> float:
    found: float = structural_similarity(
        x.astype(np.float64),
        y.astype(np.float64),
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        channel_axis=axis,
    )
    return found


@pytest.mark.parametrize("channels", [1, 3])
def test_psnr_and_ssim_are_scikit_images(channels: int) -> None:
    output, truth = pair(channels)
    for i in range(3):
        x, y = (t[i].permute(1, 2, 0).numpy() for t in (output, truth))
        wanted = peak_signal_noise_ratio(y.astype(np.float64), x.astype(np.float64), data_range=255)
        assert psnr(output, truth)[i].item() == pytest.approx(wanted, rel=1e-6)
        assert ssim(output, truth)[i].item() == pytest.approx(scikit_ssim(x, y), abs=1e-12)


def test_equal_images_have_the_highest_psnr_and_an_ssim_of_one() -> None:
    _, truth = pair(3)
    assert psnr(truth, truth).tolist() == 3 * [HIGHEST]
    assert ssim(truth, truth).tolist() == pytest.approx(3 * [1.0])
    assert not l1(truth, truth).any()


def test_l1_is_in_levels() -> None:
    output, truth = pair(3)
    wanted = np.abs(output.numpy().astype(float) - truth.numpy()).mean((1, 2, 3))
    assert l1(output, truth).tolist() == pytest.approx(wanted.tolist())


def test_luma_of_black_white_and_a_colour() -> None:
    colours = torch.tensor([[0, 0, 0], [255, 255, 255], [255, 0, 51]], dtype=torch.uint8)
    wanted = [16.0, 235.0, 16 + 65.481 + 24.966 / 5]
    assert luma(colours[:, :, None, None]).flatten().tolist() == pytest.approx(wanted)


def of(name: str, side: int, factor: int) -> Callable[[Tensor, Tensor], Tensor]:
    return next(m.compute for m in measures(side, factor) if m.name == name)


def test_enlarged_images_are_measured_in_luma_without_their_border() -> None:
    output, truth = pair(3, 40, 32)
    x, y = (
        (16 + (t.numpy() / 255 * np.array([65.481, 128.553, 24.966])[:, None, None]).sum(1))[
            :, 4:-4, 4:-4
        ]
        for t in (output, truth)
    )
    mse = ((x - y) ** 2).mean((1, 2))
    wanted = 10 * np.log10(255**2 / mse)
    assert of("PSNR-Y", 32, 4)(output, truth).tolist() == pytest.approx(wanted.tolist(), rel=1e-6)
    wanted_ssim = [scikit_ssim(a, b, None) for a, b in zip(x, y, strict=True)]
    assert of("SSIM-Y", 32, 4)(output, truth).tolist() == pytest.approx(wanted_ssim, rel=1e-6)


def test_what_is_too_small_for_a_window_has_no_ssim() -> None:
    names = {side: [m.name for m in measures(side, 4)] for side in (8, 16, 28)}
    assert names[8] == ["L1", "PSNR", "PSNR-Y"]
    assert names[16] == ["L1", "PSNR", "SSIM", "PSNR-Y"]
    assert names[28] == ["L1", "PSNR", "SSIM", "PSNR-Y", "SSIM-Y"]
    assert [m.name for m in measures(28)] == ["L1", "PSNR", "SSIM"]
