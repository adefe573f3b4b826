"""evaluation/pairs/sums.py: means over pairs, and what they stand beside."""

import numpy as np
import pytest
import torch

from ganlib.common.sources.grey import grey
from ganlib.evaluation import Origin, differences
from ganlib.evaluation.pairs.pixels import l1, measures
from ganlib.evaluation.pairs.sums import (
    AT_ONCE,
    Sums,
    as_it_is,
    mean_image,
    pair_scores,
    pairwise,
    shows_as,
)
from ganlib.evaluation.protocol import BASELINES, Split

RANDOM = torch.Generator().manual_seed(0)
OUTPUT, TRUTH = (
    torch.randint(256, (AT_ONCE + 9, 3, 16, 16), dtype=torch.uint8, generator=RANDOM)
    for _ in range(2)
)
TRUTHS = Split("test", 41, "0123")


def test_sums_are_means_of_all_images_however_they_come() -> None:
    whole, parts = Sums(measures(16)), Sums(measures(16))
    whole.add(OUTPUT, TRUTH)
    for rows in (slice(0, 3), slice(3, None)):
        parts.add(OUTPUT[rows], TRUTH[rows])
    wanted = np.abs(OUTPUT.numpy().astype(float) - TRUTH.numpy()).mean()
    assert whole.means()["L1"] == pytest.approx(wanted)
    assert parts.means() == pytest.approx(whole.means())
    assert whole.n == parts.n == len(OUTPUT)


def test_scores_say_how_and_beside_what() -> None:
    sums = Sums(measures(16, factor=2))
    sums.add(OUTPUT, TRUTH)
    origin = Origin("ema", "batch", None, 3, source="edges")
    beside = {"bicubic": dict.fromkeys(sums.means(), 1.0)}
    scores = pair_scores(sums, beside, TRUTHS, origin)
    assert list(scores) == ["L1", "PSNR", "SSIM", "PSNR-Y", "SSIM-Y"]
    for name, score in scores.items():
        assert score.value == sums.means()[name] and score.more == {BASELINES: {"bicubic": 1.0}}
    protocol = scores["PSNR-Y"].protocol
    assert (protocol.reference, protocol.n_reference, protocol.n_generated) == ("test", 41, 41)
    assert protocol.settings["border"] == 2 and protocol.settings["source"] == "edges"
    assert (protocol.weights, protocol.bn_mode, protocol.seed) == ("ema", "batch", 3)
    other = pair_scores(sums, beside, TRUTHS, Origin("ema", "batch", None, 3, source="grey"))
    assert differences(protocol, other["PSNR-Y"].protocol) == ["source: edges against grey"]


def test_the_mean_image_says_how_far_it_is() -> None:
    told: list[tuple[str, int, int | None]] = []
    mean_image(torch.zeros(600, 1, 2, 2, dtype=torch.uint8), lambda *now: told.append(now))
    assert told == [("mean image", n, 600) for n in (256, 512, 600)]


def test_the_mean_image() -> None:
    assert np.array_equal(mean_image(TRUTH).numpy(), TRUTH.double().mean(0).round().numpy())


def test_sources_as_images() -> None:
    assert torch.equal(as_it_is(TRUTH, (3, 16, 16)), TRUTH)
    assert torch.equal(as_it_is(TRUTH, (1, 16, 16)), grey(TRUTH))
    lines = as_it_is(TRUTH[:, :1], (3, 16, 16))
    assert torch.equal(lines, TRUTH[:, [0, 0, 0]])
    large = as_it_is(TRUTH, (3, 64, 64))
    assert large.shape == (len(TRUTH), 3, 64, 64) and large.dtype == torch.uint8
    even = torch.full((1, 1, 4, 4), 77, dtype=torch.uint8)
    assert torch.equal(as_it_is(even, (1, 8, 8)), torch.full((1, 1, 8, 8), 77, dtype=torch.uint8))
    assert shows_as((5, 1, 8, 8), (3, 16, 16)) and shows_as((5, 6, 8, 8), (6, 8, 8))
    assert not shows_as((5, 6, 8, 8), (3, 16, 16))


def test_diversity_is_the_mean_over_pairs_of_outputs() -> None:
    outputs = TRUTH[:12].unflatten(0, (4, 3))
    x = outputs.numpy().astype(float)
    pairs = [(0, 1), (0, 2), (1, 2)]
    wanted = np.mean([np.abs(x[:, i] - x[:, j]).mean() for i, j in pairs])
    assert pairwise(outputs, l1) == pytest.approx(wanted)
    assert pairwise(outputs[:, :1].expand(-1, 3, -1, -1, -1), l1) == 0
