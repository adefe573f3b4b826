"""evaluation/pairs/frames.py against loops in NumPy and scikit-image, and by hand."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity
from torch import Tensor

from ganlib.evaluation import Origin, Score
from ganlib.evaluation.pairs.frames import FrameSums, gradient_difference, mse, sharpness
from ganlib.evaluation.protocol import BASELINES


def noisy(n: int, channels: int = 3, seed: int = 0) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randint(256, (n, channels, 12, 14), generator=random).byte()


def scored(output: Tensor, last: Tensor, truth: Tensor, step: int = 3) -> dict[str, Score]:
    _, channels, height, width = truth.shape
    sums = FrameSums(step, (channels, height, width))
    for rows in torch.arange(len(truth)).split(2):
        sums.add(output[rows], last[rows], truth[rows])
    return dict(sums.scores("test", Origin("ema", "running", source="4 past frames")))


def steps(x: Any) -> list[Any]:
    """The differences of neighbours of one frame (C, H, W), by loops."""
    _, height, width = x.shape
    across = np.stack([x[:, :, j + 1] - x[:, :, j] for j in range(width - 1)], 2)
    down = np.stack([x[:, i + 1] - x[:, i] for i in range(height - 1)], 1)
    return [np.abs(across), np.abs(down)]


def by_loops(output: Tensor, truth: Tensor) -> dict[str, float]:
    """The measures of all frames, one after the other."""
    found: dict[str, list[float]] = {"MSE": [], "SSIM": [], "sharp": [], "true": [], "GDL": []}
    for a, b in zip(output.double().numpy() / 255, truth.double().numpy() / 255, strict=True):
        found["MSE"].append(((a - b) ** 2).mean())
        how = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
        found["SSIM"].append(structural_similarity(a, b, data_range=1, channel_axis=0, **how))
        found["sharp"].append(sum(d.mean() for d in steps(a)))
        found["true"].append(sum(d.mean() for d in steps(b)))
        pairs = zip(steps(a), steps(b), strict=True)
        found["GDL"].append(sum(np.abs(d - e).mean() for d, e in pairs))
    means = {name: float(np.mean(values)) for name, values in found.items()}
    return {**means, "sharpness": means["sharp"] / means["true"]}


def test_scores_are_what_loops_give_and_so_is_what_stands_beside() -> None:
    output, last, truth = (noisy(5, seed=seed) for seed in range(3))
    output = (output // 2 + truth // 2).byte()
    found, own, copied = scored(output, last, truth), by_loops(output, truth), by_loops(last, truth)
    assert list(found) == ["MSE-3", "SSIM-3", "sharpness-3", "GDL-3"]
    for name, score in found.items():
        measure = name.removesuffix("-3")
        assert score.value == pytest.approx(own[measure], rel=1e-5)
        assert score.more[BASELINES] == {"last frame": pytest.approx(copied[measure], rel=1e-5)}


def test_each_measure_is_a_number_for_each_frame() -> None:
    output, truth = noisy(3), noisy(3, seed=1)
    for i in range(3):
        loop = by_loops(output[i : i + 1], truth[i : i + 1])
        assert mse(output, truth)[i].item() == pytest.approx(loop["MSE"])
        assert sharpness(output)[i].item() == pytest.approx(loop["sharp"])
        assert gradient_difference(output, truth)[i].item() == pytest.approx(loop["GDL"])


def test_what_is_blurred_is_less_sharp_though_its_squares_are_fewer() -> None:
    """The mean of two places, where squares are least: half as sharp as either."""
    truth = torch.zeros(2, 1, 16, 16, dtype=torch.uint8)
    truth[0, :, 4:8, 2:6] = truth[1, :, 4:8, 10:14] = 254
    mean, other = (truth.sum(0) // 2).expand(2, -1, -1, -1).byte(), truth.flip(0)
    blurred, sharp = scored(mean, truth, truth), scored(other, truth, truth)
    assert blurred["MSE-3"].value < sharp["MSE-3"].value
    assert sharp["sharpness-3"].value == 1
    itself = {name: score.value for name, score in scored(truth, truth, truth).items()}
    assert itself == {"MSE-3": 0, "SSIM-3": pytest.approx(1), "sharpness-3": 1, "GDL-3": 0}
    grain = noisy(2)
    box = torch.nn.functional.avg_pool2d(grain.float(), 5, 1, 2).byte()
    assert scored(box, grain, grain)["sharpness-3"].value < 0.3


def test_small_frames_have_no_ssim_and_frames_of_one_value_no_sharpness() -> None:
    small = noisy(2)[:, :, :10]
    assert list(scored(small, small, small)) == ["MSE-3", "sharpness-3", "GDL-3"]
    assert "sharpness-3" not in scored(noisy(2), noisy(2), torch.zeros_like(noisy(2)))


def test_the_protocol_says_how() -> None:
    x = noisy(4)
    protocol = scored(x, x, x)["GDL-3"].protocol
    assert (protocol.n_generated, protocol.n_reference, protocol.reference) == (4, 4, "test")
    assert (protocol.extractor, protocol.precision, protocol.weights) == (
        "pixels",
        "float64",
        "ema",
    )
    assert protocol.settings == {
        "data_range": 1,
        "alpha": 1,
        "of": "mean",
        "ahead": 3,
        "source": "4 past frames",
    }


@pytest.mark.parametrize(
    "other",
    [
        lambda x: scored(x, x, x, step=10),
        lambda x: scored(x[:3], x[:3], x[:3]),
        lambda x: scored(x, x, x.flip(0)),
        lambda x: scored(x, x, noisy(4, seed=5)),
    ],
    ids=["steps", "sequences", "order", "data"],
)
def test_what_decides_changes_the_hash(other: Callable[[Tensor], dict[str, Score]]) -> None:
    x = noisy(4)
    first, again = scored(x, x, x), scored(noisy(4, seed=3), noisy(4, seed=4), x)
    hashes = {score.protocol.hash for score in first.values()}
    assert len(hashes) == 4
    assert hashes == {score.protocol.hash for score in again.values()}
    assert not hashes & {score.protocol.hash for score in other(x).values()}
