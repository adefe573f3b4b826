"""evaluation/statistics/onepass.py, on a GPU that has no values: whatever looks at one fails."""

import torch
from fake_gpu import GPU, OneDevice

from ganlib.evaluation.extractors.base import Extractor, Features
from ganlib.evaluation.formats import BLOCK, blocks
from ganlib.evaluation.statistics.onepass import OnePass


class Means(Extractor):
    """The mean of each channel, where the images are."""

    name, digest, n_features, n_classes, device = "means", "0" * 64, 3, 3, GPU

    def __call__(self, x: torch.Tensor) -> Features:
        pool = x.float().mean((2, 3))
        return Features(pool, pool)


def test_the_host_never_waits_for_a_block() -> None:
    done = OnePass(Means(), [300], {"features": 600, "logits": 9, "images": 300})
    batches = (torch.empty(100, 3, 8, 8, device=GPU) for _ in range(7))
    with OneDevice():
        for block in blocks(batches, (8, 8)):
            done.add(block.images)
    assert (done.n, done.rounded) == (700, 700) and done.position == 3 * BLOCK
