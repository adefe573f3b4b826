"""From a finished pass to scores, each stamped with its protocol."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ganlib.common.errors import UserError
from ganlib.evaluation.extractors.base import Extractor
from ganlib.evaluation.metrics.base import METRICS, Metric, Seen, Value, find_metrics
from ganlib.evaluation.metrics.formulas import (
    Nearest,
    density_coverage,
    duplicates,
    frechet_distance,
    inception_score,
    kid,
    nearest,
    precision_recall,
)
from ganlib.evaluation.metrics.proportions import proportions
from ganlib.evaluation.protocol import Origin, Plain, Protocol, Score, versions
from ganlib.evaluation.statistics.moments import Moments, exact_device
from ganlib.evaluation.statistics.onepass import OnePass
from ganlib.evaluation.statistics.real import Given
from ganlib.evaluation.statistics.references import Progress, Reference

COUNTS = {"train": (50_000, 10_000), "test": (10_000, 5_000)}
"""Of how many generated images a Frechet distance to a split is published."""
KEPT = 10_000
"""Of how many images KID, precision, recall, density, coverage and duplicates are computed."""
SPLITS, SUBSETS, SUBSET_SIZE, SUBSET_SEED, K_PRECISION, K_DENSITY = 10, 100, 1000, 2020, 3, 5


@dataclass(frozen=True)
class Evaluation:
    """scores: by name. nearest: for each of the first samples its nearest training image (by its
    number in the training split) and the distance; None unless "duplicates" was asked for.
    """

    scores: dict[str, Score]
    nearest: Nearest | None = None


class Report:
    """The scores of one finished pass.

    references: the real images' statistics by the name of their split. unseen: float64 distances to
    the nearest image of the main split of real images that are not in it, asked for only where
    needed. progress, kept: see Seen.
    """

    def __init__(
        self,
        done: OnePass,
        references: Mapping[str, Reference],
        given: Given,
        unseen: Callable[[], Tensor],
        progress: Progress,
        kept: dict[str, Any],
    ) -> None:
        self.done, self.references, self.main = done, references, references[given.main]
        self.given, self.progress, self.kept = given, progress, kept
        self.extractor, self.unseen = done.extractor, unseen
        self.device = exact_device(done.extractor.device)
        self.labels = self._labels()
        how = done.n, done.rounding, self.labels
        self.base = base_protocol(self.extractor, given.origin, *how)
        self.scores: dict[str, Score] = {}
        self.nearest: Nearest | None = None

    def all(self, metrics: Sequence[str]) -> Evaluation:
        """Every score of `metrics`, in the order of METRICS; those of plugins follow."""
        steps = {
            "is": self._inception_score,
            "fid": self._frechet_distances,
            "kid": self._kid,
            "prdc": self._prdc,
            "duplicates": self._duplicates,
        }
        for name in METRICS:
            if name in metrics:
                steps[name]()
        for name, metric in find_metrics(metrics).items():
            self._plugged(name, metric)
        return Evaluation(self.scores, self.nearest)

    def _inception_score(self) -> None:
        if not self.extractor.n_classes:
            return
        logits = self.done.logits().to(self.device)
        for n in counts("train", len(logits)):
            splits = min(SPLITS, n // 2)
            mean, std = inception_score(logits[:n], splits)
            self._add(f"IS{self.extractor.suffix}", n, None, mean, std, splits=splits)

    def _frechet_distances(self) -> None:
        for reference in self.references.values():
            mean, covariance = _gaussian(reference.moments, self.device)
            for n in counts(reference.name, self.done.n):
                ours = _gaussian(self.done.moments(n), self.device)
                value = frechet_distance(*ours, mean, covariance)
                self._add(self.extractor.score_name, n, reference, value)
        self._warn_of_few()

    def _kid(self) -> None:
        fake, real = self._pair()
        size = min(SUBSET_SIZE, len(fake), len(real))
        mean, std = kid(fake, real, SUBSETS, size, SUBSET_SEED)
        name = "KID" if self.extractor.score_name == "FID" else f"KD{self.extractor.suffix}"
        settings = {"subsets": SUBSETS, "subset_size": size, "subset_seed": SUBSET_SEED}
        self._add(name, len(fake), self.main, mean, std, compared=len(real), **settings)

    def _prdc(self) -> None:
        fake, real = self._pair()
        if min(len(fake), len(real)) <= max(K_PRECISION, K_DENSITY):
            return
        precision, recall = precision_recall(real, fake, K_PRECISION)
        density, coverage = density_coverage(real, fake, K_DENSITY)
        for name, value, k in (
            ("precision", precision, K_PRECISION),
            ("recall", recall, K_PRECISION),
            ("density", density, K_DENSITY),
            ("coverage", coverage, K_DENSITY),
        ):
            name += self.extractor.suffix
            self._add(name, len(fake), self.main, value, k=k, compared=len(real))

    def _duplicates(self) -> None:
        fake = self.done.features().to(self.device)
        train = self.main.features.to(self.device)
        distance, which = nearest(fake, train)
        unseen = self.unseen()
        result = duplicates(distance, unseen)
        self.nearest = Nearest(distance.cpu(), self.main.which[which.cpu()])
        settings = {"compared": len(train), **self._unseen_fields(len(unseen))}
        for name, value in (
            ("duplicates", result.share),
            ("nearest-median", result.median),
            ("nearest-least", result.least),
        ):
            name += self.extractor.suffix
            self._add(name, len(fake), self.main, value, None, **settings)

    def _plugged(self, name: str, metric: Metric) -> None:
        kept = {
            "features": self.done.features,
            "logits": self.done.logits,
            "labels": self.done.labels,
            "images": self.done.images,
        }
        rows = {need: kept[need]()[: metric.n].to(self.device) for need in metric.needs}
        n, total = min(metric.n, self.done.n), self.done.n
        seen = Seen(
            n, total, rows, self.references, self.main, self.given, self.progress, self.kept
        )
        for called, given in metric.compute(seen).items():
            value = given if isinstance(given, Value) else Value(given)
            self._add_value(called, n, replace(value, settings={**value.settings, "metric": name}))

    def _labels(self) -> dict[str, Plain]:
        """What the protocol of every score says of the labels that a generator was asked for: that
        some are more frequent than among the real images, if so.
        """
        given, main = self.given, self.given.real[self.given.main]
        asked = self.done.labelled and given.origin.weights != "given"
        if not asked or given.strangers or main.y is None:
            return {}
        kind, _ = proportions(self.done.labels(), main.y, len(main.classes))
        return {} if kind == "marginal" else {"labels": kind}

    def _unseen_fields(self, n: int) -> dict[str, Plain]:
        """Which images the n unseen ones are, where they are none of the main split's."""
        test = self.references.get("test", self.main)
        if test is self.main:
            return {"unseen": "each other"}
        return {"unseen": "test", "n_unseen": n, "unseen_digest": test.digest}

    def _pair(self) -> tuple[Tensor, Tensor]:
        """Features of the first samples and of as many real images at most, float32."""
        fake = self.done.features().to(self.device)
        return fake, self.main.features[:KEPT].to(self.device)

    def _add(
        self,
        name: str,
        n: int,
        reference: Reference | None,
        value: float,
        std: float | None = None,
        **settings: Plain,
    ) -> None:
        """One score of n images; `name` is completed by n and the reference."""
        few = reference is not None and self._deficient(n, reference.n)
        frechet = name == self.extractor.score_name
        where = None if reference is None else reference.name
        given = Value(value, std, where, settings, rank_deficient=frechet and few)
        self._score(name, n, given, self.base)

    def _add_value(self, name: str, n: int, value: Value) -> None:
        """The same of what a metric's file gives."""
        by = value.instrument
        if by is None:
            self._score(name + self.extractor.suffix, n, value, self.base)
        else:
            base = replace(self.base, **asdict(by), settings=self.labels)
            self._score(name, n, value, base)

    def _score(self, name: str, n: int, value: Value, base: Protocol) -> None:
        protocol = replace(base, n_generated=n, settings={**base.settings, **value.settings})
        name += label(n)
        if value.reference is not None:
            reference = self.references[value.reference]
            name += f"-{reference.name}"
            protocol = compared(protocol, reference, value.rank_deficient)
        if name in self.scores:
            raise UserError(f"Two metrics give a score '{name}': rename it in one of them.")
        self.scores[name] = Score(name, float(value.value), value.std, protocol, value.more)

    def _deficient(self, *numbers: int) -> bool:
        # of n vectors n - 1 are free once their mean is known
        return min(numbers) <= self.extractor.n_features

    def _warn_of_few(self) -> None:
        fewest = min(self.done.n, *(reference.n for reference in self.references.values()))
        if self._deficient(fewest):
            warnings.warn(
                f"{fewest} images are too few for the {self.extractor.n_features} features of "
                f"'{self.extractor.name}': {self.extractor.score_name} comes out far too large and "
                "is marked rank_deficient.",
                stacklevel=6,
            )


def base_protocol(
    extractor: Extractor, origin: Origin, n: int, rounding: str, settings: Mapping[str, Plain]
) -> Protocol:
    """That of n images in these features, before they are compared with others."""
    facts = dict(extractor.describe())
    return Protocol(
        extractor=extractor.name,
        extractor_digest=extractor.digest,
        resize=facts.pop("resize"),
        precision=facts.pop("precision"),
        n_generated=n,
        settings={**facts, **settings, **_source(origin)},
        rounding=rounding,
        weights=origin.weights,
        bn_mode=origin.bn_mode,
        truncation=origin.truncation,
        seed=origin.seed,
        versions=versions(),
    )


def compared(protocol: Protocol, reference: Reference, rank_deficient: bool) -> Protocol:
    """The protocol of a comparison with a split."""
    return replace(
        protocol,
        reference=reference.name,
        n_reference=reference.n,
        reference_digest=reference.digest,
        rank_deficient=rank_deficient,
    )


def _source(origin: Origin) -> dict[str, Plain]:
    """What translations started from, if it is known: a part of the protocol then."""
    return {} if origin.source is None else {"source": origin.source}


def label(n: int) -> str:
    """50000 as "50k", 1234 as "1234"."""
    return f"{n // 1000}k" if n % 1000 == 0 else str(n)


def counts(split: str, n: int) -> list[int]:
    """The published counts for a split that n images reach; n itself if it is none of the training
    split's, or if none is reached.
    """
    published = COUNTS.get(split, COUNTS["train"])
    reached = [count for count in published if count <= n]
    return reached if n in published or (reached and split == "test") else [n, *reached]


def _gaussian(moments: Moments, device: torch.device) -> tuple[Tensor, Tensor]:
    """Mean (D,) and covariance (D, D) on the device."""
    return moments.mean().to(device), moments.covariance().to(device)
