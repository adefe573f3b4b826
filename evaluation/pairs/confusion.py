"""Which classes pixels are taken for, and the scores that follow."""

from math import isnan
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from ganlib.evaluation.pairs.segmenter import Segmenter, named

SCORES = ("pixel_accuracy", "mean_iou")
"""What it gives, by name."""


class Confusion:
    """Counts (K, K) of pixels, by the class that they are of and the one that a segmenter finds."""

    def __init__(self, segmenter: Segmenter) -> None:
        self.segmenter, k = segmenter, len(segmenter.classes)
        self.counts = torch.zeros(k, k, dtype=torch.int64)
        self.n = 0

    def add(self, x: Tensor, maps: Tensor) -> None:
        """Take in uint8 images (n, C, H, W) and the numbers of their classes (n, H, W)."""
        found, k = self.segmenter(x).cpu(), len(self.segmenter.classes)
        truth = named(maps.cpu(), k)
        pairs = (truth * k + found)[truth >= 0]
        self.counts += torch.bincount(pairs, minlength=k * k).reshape(k, k)
        self.n += len(x)

    def finish(self, world: int, device: torch.device) -> None:
        """Bring together what all ranks took in."""
        if world == 1:
            return
        sums = torch.cat([self.counts.flatten(), torch.tensor([self.n])]).to(device)
        dist.all_reduce(sums)
        *counts, self.n = sums.cpu().tolist()
        self.counts = torch.tensor(counts).reshape(self.counts.shape)

    @property
    def pixel_accuracy(self) -> float:
        """The part of the pixels that are taken for what they are."""
        return float(self.counts.diagonal().sum() / self.counts.sum())

    @property
    def iou(self) -> Tensor:
        """Of each class (K,), the pixels that are of it and are taken for it, as a part of those
        that are either; NaN of a class that has none.
        """
        both = self.counts.diagonal().double()
        return both / (self.counts.sum(0) + self.counts.sum(1) - both)

    @property
    def mean_iou(self) -> float:
        """The mean over the classes that have pixels of either kind. The FCN score of pix2pix's
        script (Isola et al. 2017, section 4.1) counts the others as 0.
        """
        return float(self.iou.nanmean())

    def scores(self) -> dict[str, float]:
        """Both, by name; none where no pixel is of a class that has a name."""
        if not self.counts.any():
            return {}
        return dict(zip(SCORES, (self.pixel_accuracy, self.mean_iou), strict=True))

    def by_class(self) -> dict[str, dict[str, Any]]:
        """What to keep beside a score for each class that has one: its IoU and number of pixels."""
        names, values, pixels = self.segmenter.classes, self.iou.tolist(), self.counts.sum(1)
        rows = zip(names, values, pixels.tolist(), strict=True)
        return {name: {"value": value, "n": n} for name, value, n in rows if not isnan(value)}
