"""Intra-class Frechet distance: the mean over classes of the distance between the samples that were
asked for a class and its real images (Miyato & Koyama 2018, https://arxiv.org/abs/1802.05637).
"""

import warnings
from collections.abc import Mapping
from statistics import fmean

from torch import Tensor

from ganlib.evaluation.extractors.base import Extractor
from ganlib.evaluation.metrics.base import Metric, Seen, Value
from ganlib.evaluation.metrics.by_class import asked, enough, lacks_classes, parts, table
from ganlib.evaluation.metrics.formulas import frechet_distance
from ganlib.evaluation.statistics.moments import Moments

N = 50_000


def intra(seen: Seen) -> Mapping[str, Value]:
    classes = parts(seen)
    if not enough("intra", classes, 2):
        return {}
    distances = []
    for _, fake, real in classes:
        distances.append(distance_of(_moments(fake), _moments(real)))
        seen.progress("distances by class", len(distances), len(classes))
    n_real = min(len(part.real) for part in classes)
    least, extractor = min(n_real, *(len(part.fake) for part in classes)), seen.given.extractor
    return {
        name_of(extractor): Value(
            fmean(distances),
            reference=seen.main.name,
            settings={**asked(seen), "n_real_per_class": n_real},
            more=table(classes, distances),
            rank_deficient=too_few(least, extractor),
        )
    }


def name_of(extractor: Extractor) -> str:
    """What the score is called in these features."""
    return "intra-FID" if extractor.score_name == "FID" else "intra-FD"


def distance_of(fake: Moments, real: Moments) -> float:
    """That of one class."""
    return frechet_distance(fake.mean(), fake.covariance(), real.mean(), real.covariance())


def too_few(least: int, extractor: Extractor) -> bool:
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


def _moments(features: Tensor) -> Moments:
    moments = Moments(features.shape[1], features.device)
    moments.update(features)
    return moments


METRIC = Metric(intra, needs=("features", "labels"), n=N, lacks=lacks_classes)
