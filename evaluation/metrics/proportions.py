"""How often each class was asked for, beside how often it is among real images."""

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor

Kind = Literal["marginal", "uniform", "given"]


class Proportions(NamedTuple):
    """kind: "marginal" if each class is as frequent as among the real labels, up to the chance of
    independent draws; "uniform" if all of them are equally frequent; "given" if neither holds.
    least: how many images the rarest class has: of "marginal" as many as are to be expected, so
    that the samples of two seeds are alike.
    """

    kind: Kind
    least: int


def proportions(y: Tensor, real: Tensor, n_classes: int) -> Proportions:
    """Of labels int64 (N,) and (M,); classes that no real label has count for nothing, unless some
    image was asked for one.
    """
    counts, among = (torch.bincount(labels.cpu(), minlength=n_classes) for labels in (y, real))
    if len(counts) > len(among) or int(counts[among == 0].sum()):
        return Proportions("given", int(counts[: len(among)][among > 0].min()))
    counts, share = counts[among > 0].double(), among[among > 0].double() / len(real)
    expected = len(y) * share
    if _by_chance(counts, expected):
        return Proportions("marginal", round(float(expected.min())))
    least, most = int(counts.min()), int(counts.max())
    return Proportions("uniform" if most - least <= 1 else "given", least)


def _by_chance(counts: Tensor, expected: Tensor) -> bool:
    """Whether independent draws give such counts, but for about one time in a million."""
    squares = float(((counts - expected).square() / expected).sum())  # Pearson's chi-square
    free, rare = len(counts) - 1, float((1 / expected).sum())
    return squares <= free + 8 * math.sqrt(2 * free + rare) + 10
