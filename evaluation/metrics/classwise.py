"""Intra-class Frechet distance of as many samples of each class as a paper takes, and of all of its
real images: a class at a time, so that of no image anything is kept. Miyato & Koyama 2018
(https://arxiv.org/abs/1802.05637) take 5,000 of each of ImageNet's classes.
"""

from collections.abc import Callable, Iterable
from statistics import fmean

import torch
from torch import Tensor

from ganlib.common.errors import UserError
from ganlib.evaluation.evaluate import Evaluator
from ganlib.evaluation.extractors.base import Extractor, arithmetic
from ganlib.evaluation.formats.blocks import BLOCK, as_uint8, blocks
from ganlib.evaluation.metrics.by_class import lacks_classes
from ganlib.evaluation.metrics.intra import distance_of, name_of, too_few
from ganlib.evaluation.metrics.report import base_protocol, compared, label
from ganlib.evaluation.protocol import Origin, Plain, Score
from ganlib.evaluation.statistics.moments import Moments
from ganlib.evaluation.statistics.real import labels_digest
from ganlib.evaluation.statistics.references import Progress

Samples = Callable[[int], Iterable[Tensor]]
"""Of a class by its number: batches NCHW, uint8 or float in [-1, 1]."""


def classwise(
    evaluator: Evaluator, samples: Samples, n: int, origin: Origin, progress: Progress
) -> dict[str, Score]:
    """The distance of n samples of each class that the real images have, by its name.

    UserError where samples and real images are not labelled alike, or a class has one real image.
    """
    given, extractor = evaluator.given(origin), evaluator.extractor
    data, names = given.real[given.main], origin.classes or given.classes
    counts = _counts(lacks_classes(given), data.y)
    if strange := [data.classes[k] for k in counts if data.classes[k] not in names]:
        raise UserError(f"There are real images of '{strange[0]}', which no sample can be told.")
    reference, rows = evaluator.reference(given.main, progress), {}
    assert data.y is not None
    for done, (k, n_real) in enumerate(counts.items()):
        progress("intra-class distances", done, len(counts))
        fake = (block.images for block in blocks(samples(names.index(data.classes[k]))))
        real = (data.x[which] for which in torch.split(torch.nonzero(data.y == k)[:, 0], BLOCK))
        both = _moments(extractor, fake), _moments(extractor, real)
        with arithmetic(extractor.device, "float32"):
            rows[data.classes[k]] = {"value": distance_of(*both), "n": n, "n_real": n_real}
    least = min(counts.values())
    settings: dict[str, Plain] = {
        "labels": "uniform",
        "n_per_class": n,
        "classes": len(data.classes),
        "real_labels": labels_digest(data),
        "n_real_per_class": least,
        "metric": "intra",
    }
    protocol = compared(
        base_protocol(extractor, origin, n * len(rows), "round", settings),
        reference,
        too_few(min(n, least), extractor),
    )
    name = f"{name_of(extractor)}{extractor.suffix}{label(n)}-each-{given.main}"
    value = fmean(row["value"] for row in rows.values())
    return {name: Score(name, value, None, protocol, {"by_class": rows})}


def _counts(lacks: str, y: Tensor | None) -> dict[int, int]:
    """How many real images there are of each class that has some."""
    if lacks or y is None:
        raise UserError(f"The intra-class distance {lacks}")
    counts = {k: n for k, n in enumerate(torch.bincount(y).tolist()) if n}
    if min(counts.values()) < 2:
        raise UserError("Some class has one real image, and a distance takes at least two.")
    return counts


def _moments(extractor: Extractor, batches: Iterable[Tensor]) -> Moments:
    moments = Moments(extractor.n_features, extractor.device)
    for x in batches:
        moments.update(extractor(as_uint8(x)).pool)
    return moments
