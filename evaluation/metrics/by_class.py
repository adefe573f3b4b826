"""What the scores by class share: what they lack, images class by class, and what they record."""

import math
import warnings
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from ganlib.common.data import DataSet
from ganlib.common.errors import UserError, few
from ganlib.evaluation.metrics.base import Context
from ganlib.evaluation.protocol import Plain
from ganlib.evaluation.statistics.real import Inputs, labels_digest

Kind = Literal["marginal", "uniform", "given"]


class Part(NamedTuple):
    """Features of one class: of the images that were asked for it, and of the real ones."""

    name: str
    fake: Tensor
    real: Tensor


def lacks_classes(inputs: Inputs) -> str:
    """See Metric.lacks; "" if images and real images are labelled alike."""
    if not inputs.classes:
        return (
            f"goes class by class, and the real images ('{inputs.main}') have no labels: leave it "
            "out, or give a --dataset or --reference that has some."
        )
    if inputs.strangers:
        return (
            f"goes class by class, and the images' classes are called {few(inputs.origin.classes)} "
            f"where those of the real images are {few(inputs.classes)}: leave it out, or call them "
            "alike."
        )
    return _outside(inputs.labels, inputs.classes)


def _outside(labels: Tensor | None, classes: Sequence[str]) -> str:
    if labels is None or not labels.numel():
        return ""
    low, high = int(labels.min()), int(labels.max())
    if 0 <= low and high < len(classes):
        return ""
    return (
        f"goes class by class, and the images have labels from {low} to {high} where there are "
        f"{len(classes)} classes: leave it out, or number them from 0 on as the real images do."
    )


def parts(context: Context, most: int | None = None) -> list[Part]:
    """Of every class that some real image has; most: only so many real images are looked at."""
    y, real = checked_labels(context), context.real
    assert real.y is not None
    features, y_real = context.main.features[:most], real.y[context.main.which[:most]]
    features, y_real = features.to(y.device), y_real.to(y.device)
    return [
        Part(name, context.features[y == k], features[y_real == k])
        for k, name in enumerate(real.classes)
        if bool((real.y == k).any())
    ]


def checked_labels(context: Context) -> Tensor:
    """The images' labels; UserError if there is one that is no class."""
    wrong = _outside(context.labels, context.inputs.classes)
    if wrong:
        raise UserError(f"A metric {wrong}")
    return context.labels


def enough(metric: str, classes: Sequence[Part], least: int) -> bool:
    """Whether every class has so many images on both sides; a warning that the metric is left out
    if one has not.
    """
    for name, fake, real in classes:
        for count, whose in ((len(fake), "samples"), (len(real), "real images")):
            if count < least:
                warnings.warn(
                    f"'{metric}' is left out: of the class '{name}' there are {count} {whose}, "
                    f"and it takes {least}.",
                    stacklevel=2,
                )
                return False
    return True


def label_settings(context: Context) -> dict[str, Plain]:
    """The fields of a protocol that say how often each label was asked for, and which labels the
    real images have.
    """
    y, real = checked_labels(context), context.real
    assert real.y is not None
    return settings_of(*proportions(y, real.y, len(real.classes)), real)


def settings_of(kind: Kind, least: int, real: DataSet) -> dict[str, Plain]:
    """See label_settings(); kind, least: those of Proportions."""
    return {
        "labels": kind,
        "n_per_class": least,
        "classes": len(real.classes),
        "real_labels": labels_digest(real),
    }


def table(classes: Sequence[Part], values: Sequence[float]) -> dict[str, Any]:
    """What to keep beside a score: its value and the numbers of images for each class."""
    return {
        "by_class": {
            name: {"value": value, "n": len(fake), "n_real": len(real)}
            for (name, fake, real), value in zip(classes, values, strict=True)
        }
    }


def accuracies(right: Tensor, y: Tensor, data: DataSet) -> dict[str, dict[str, float | int]]:
    """Of bools (N,) that belong to labels (N,), the share of each class of which there are some."""
    counts = torch.bincount(y, minlength=len(data.classes))
    sums = torch.bincount(y, right.double(), minlength=len(data.classes))
    return {
        name: {"value": float(total / n), "n": int(n)}
        for name, n, total in zip(data.classes, counts, sums, strict=False)
        if n
    }


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
