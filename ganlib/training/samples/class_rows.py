"""Samples by class: of the same latents for every class, so that what a class changes is seen."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from ganlib.common.data import POINTS
from ganlib.training.samples.sample_stream import BLOCK, Series
from ganlib.training.samples.sampler import Sampler

SHOWN = 16
"""Of more classes the first so many are shown where none are asked for."""
EACH = 8
"""Samples of each class where no number is asked for."""


def shown_classes(sampler: Sampler) -> list[int]:
    """The classes that a grid of samples has rows for; none if there are none to ask for, or of
    points, or of sequences, each of which is a row already.
    """
    spec = sampler.spec
    if spec.native == POINTS or spec.frames > 1:
        return []
    return list(range(min(SHOWN, len(sampler.classes))))


def shares(n: int | None, classes: int) -> list[int]:
    """How many of n samples each of so many classes has: equally many, and one more the first ones
    where they do not divide. None: EACH of each.
    """
    if n is None:
        return classes * [EACH]
    few, more = divmod(n, classes)
    return [few + (k < more) for k in range(classes)]


def class_rows(
    series: Series, classes: Sequence[int], n: int | None = None
) -> Iterator[tuple[str, Tensor]]:
    """Of each class its name and its share of n samples, float (m, C, H, W) in [-1, 1] on the CPU:
    samples 0, 1, ... of the series, told this class. A class without a share is left out.
    """
    names = series.sampler.classes
    for k, m in zip(classes, shares(n, len(classes)), strict=True):
        told = series.told(k)
        blocks = [range(start, min(start + BLOCK, m)) for start in range(0, m, BLOCK)]
        if blocks:
            yield names[k], torch.cat([told.images(block).cpu() for block in blocks])
