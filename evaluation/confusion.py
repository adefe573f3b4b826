"""Which classes pixels are taken for, and the scores that follow."""

import torch
import torch.distributed as dist
from torch import Tensor

from ganlib.evaluation.segmenter import Segmenter, named


class Confusion:
    """Counts (K, K) of pixels, by the class that they are of and the one that a segmenter finds."""

    def __init__(self, segmenter: Segmenter) -> None:
        self.segmenter, k = segmenter, segmenter.n_classes
        self.counts = torch.zeros(k, k, dtype=torch.int64)
        self.n = 0

    def add(self, x: Tensor, maps: Tensor) -> None:
        """Take in uint8 images (n, C, H, W) and the numbers of their classes (n, H, W)."""
        found, k = self.segmenter(x).cpu(), self.segmenter.n_classes
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
    def mean_iou(self) -> float:
        """Of the classes that pixels are of or are taken for, the mean of the pixels that are both
        as a part of those that are either.
        """
        both = self.counts.diagonal().double()
        either = self.counts.sum(0) + self.counts.sum(1) - both
        seen = either > 0
        return float((both[seen] / either[seen]).mean())

    def scores(self) -> dict[str, float]:
        """Both, by name."""
        return {"pixel_accuracy": self.pixel_accuracy, "mean_iou": self.mean_iou}
