"""Intra-class Frechet distance: the mean over classes of the distance between the samples that were
asked for a class and its real images (Miyato & Koyama 2018, https://arxiv.org/abs/1802.05637).

As a metric it is of samples as they come. classwise() takes as many of each class as a paper does,
5,000 of each of ImageNet's, and all real images: a class at a time, so that nothing is kept of any.
"""

import warnings
from collections.abc import Callable, Iterable, Mapping
from statistics import fmean

import torch
from torch import Tensor

from ganlib.common.errors import UserError
from ganlib.evaluation.evaluate import Evaluator
from ganlib.evaluation.extractors.base import Extractor, arithmetic
from ganlib.evaluation.formats import BLOCK, as_uint8, blocks, seen
from ganlib.evaluation.metrics.base import Column, Context, Metric, Value, counted
from ganlib.evaluation.metrics.by_class import (
    enough,
    label_settings,
    lacks_classes,
    parts,
    settings_of,
    table,
)
from ganlib.evaluation.metrics.fid import distance_of
from ganlib.evaluation.protocol import Origin, Score, stamp
from ganlib.evaluation.statistics.moments import moments_of
from ganlib.evaluation.statistics.real import Inputs
from ganlib.evaluation.statistics.references import Progress

N = 50_000
Samples = Callable[[int], Iterable[Tensor]]
"""Of a class by its number: batches NCHW, uint8 or float in [-1, 1]."""


def columns(inputs: Inputs, n: int) -> list[Column]:
    """See Metric."""
    return [Column(_name(inputs.extractor), n, inputs.main, "lower")]


def intra(context: Context) -> Mapping[Column, Value]:
    """See Metric; none, with a warning, where a class has too few images."""
    classes = parts(context)
    if not enough("intra", classes, 2):
        return {}
    distances = []
    for _, fake, real in classes:
        distances.append(distance_of(moments_of([fake]), moments_of([real])))
        context.progress("distances by class", len(distances), len(classes))
    n_real = min(len(part.real) for part in classes)
    least = min(n_real, *(len(part.fake) for part in classes))
    (column,) = context.columns
    return {
        column: Value(
            fmean(distances),
            settings={**label_settings(context), "n_real_per_class": n_real},
            more=table(classes, distances),
            rank_deficient=_too_few(least, context.inputs.extractor),
        )
    }


METRIC = Metric(intra, ("features", "labels"), N, lacks_classes, columns)


def classwise(
    evaluator: Evaluator, samples: Samples, n: int, origin: Origin, progress: Progress
) -> dict[str, Score]:
    """The distance of n samples of each class that the real images have, by its name.

    UserError where samples and real images are not labelled alike, or a class has one real image.
    """
    inputs, extractor = evaluator.inputs(origin), evaluator.extractor
    data, names = inputs.real[inputs.main], origin.classes or inputs.classes
    counts = _counts(lacks_classes(inputs), data.y)
    if strange := [data.classes[k] for k in counts if data.classes[k] not in names]:
        raise UserError(f"There are real images of '{strange[0]}', which no sample can be told.")
    reference, rows = evaluator.reference(inputs.main, progress), {}
    assert data.y is not None
    for done, (k, n_real) in enumerate(counts.items()):
        progress("intra-class distances", done, len(counts))
        fake = (block.images for block in blocks(samples(names.index(data.classes[k]))))
        real = (data.x[which] for which in torch.split(torch.nonzero(data.y == k)[:, 0], BLOCK))
        given = (seen(x, as_uint8(x), evaluator.rounding) for x in fake)
        own = moments_of(extractor(x).pool for x in given)
        theirs = moments_of(extractor(x).pool for x in real)
        with arithmetic(extractor.device, "float32"):
            rows[data.classes[k]] = {"value": distance_of(own, theirs), "n": n, "n_real": n_real}
    least = min(counts.values())
    settings = settings_of("uniform", n, data) | {"n_real_per_class": least, "metric": "intra"}
    few = _too_few(min(n, least), extractor)
    protocol = stamp(
        extractor.instrument,
        origin,
        n * len(rows),
        settings,
        reference.split,
        "round" if evaluator.rounding else "none",
        few,
    )
    name = f"{counted(_name(extractor), n)}-each-{inputs.main}"
    value = fmean(row["value"] for row in rows.values())
    return {name: Score(name, value, None, protocol, {"by_class": rows}, "lower")}


def _name(extractor: Extractor) -> str:
    """What the score is called in these features."""
    return f"intra-{'FID' if extractor.score_name == 'FID' else 'FD'}{extractor.suffix}"


def _counts(lacks: str, y: Tensor | None) -> dict[int, int]:
    """How many real images there are of each class that has some."""
    if lacks or y is None:
        raise UserError(f"The intra-class distance {lacks}")
    counts = {k: n for k, n in enumerate(torch.bincount(y).tolist()) if n}
    if min(counts.values()) < 2:
        raise UserError("Some class has one real image, and a distance takes at least two.")
    return counts


def _too_few(least: int, extractor: Extractor) -> bool:
    """Whether the features ask for more than the images of the rarest class; a warning if so."""
    deficient = least <= extractor.n_features
    if deficient:
        warnings.warn(
            f"The rarest class has {least} images, too few for the {extractor.n_features} features "
            f"of '{extractor.name}': its distance comes out far too large, and intra is marked "
            "rank_deficient.",
            stacklevel=2,
        )
    return deficient
