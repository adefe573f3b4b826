"""Metrics of one's own: a file in metrics/ of a plugin folder, which assigns METRIC.

Its name is that of the file. What it is given is in Seen, what it gives back in Value.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor

from ganlib.common.errors import UserError, did_you_mean
from ganlib.common.registry import Entry, Registry, modules
from ganlib.evaluation.features import Extractor
from ganlib.evaluation.protocol import Plain
from ganlib.evaluation.references import Reference

METRICS = ("is", "fid", "kid", "prdc", "duplicates")
"""ganlib's own, which are in report.py."""
Need = Literal["features", "logits", "labels"]


@dataclass(frozen=True)
class Seen:
    """What a metric is given: its needs of the first n images, in their order; total: how many
    images there were. All tensors are on one device, which has float64.

    references: the real images' statistics by the name of their split. main: the split to compare
    single images with.
    """

    n: int
    total: int
    rows: Mapping[Need, Tensor]
    references: Mapping[str, Reference]
    main: Reference

    @property
    def features(self) -> Tensor:
        """float32 (n, D)."""
        return self._of("features")

    @property
    def logits(self) -> Tensor:
        """float32 (n, K), the extractor's."""
        return self._of("logits")

    @property
    def labels(self) -> Tensor:
        """int64 (n,): what the images were asked for."""
        return self._of("labels")

    def _of(self, need: Need) -> Tensor:
        if need not in self.rows:
            raise UserError(f"A metric uses {need} without need: Metric(..., needs=('{need}',)).")
        return self.rows[need]


@dataclass(frozen=True)
class Value:
    """std: its spread, if it has one. reference: the split that it compares with, one of
    Seen.references. settings: what else decides about it, for the protocol.
    """

    value: float
    std: float | None = None
    reference: str | None = None
    settings: Mapping[str, Plain] = field(default_factory=dict)


@dataclass(frozen=True)
class Metric:
    """compute(seen): values by name, plain numbers where nothing else is to be said of them; no
    gradients are recorded. needs: what is kept of an image for it. n: of how many images at most.
    """

    compute: Callable[[Seen], Mapping[str, Value | float]]
    needs: tuple[Need, ...] = ("features",)
    n: int = 10_000


class Metrics(Registry[Metric]):
    """Those of plugins, which leave the names of METRICS alone."""

    def add(self, name: str, entry: Entry) -> None:
        """Register one name; one that is taken is refused."""
        if name in METRICS:
            raise UserError(f"{entry.place} is called as a metric of ganlib's own is: rename it.")
        super().add(name, entry)


metrics = Metrics("metric", "ganlib.evaluation.metrics", "METRIC", modules, "ganlib.metrics")


def find_metrics(names: Iterable[str]) -> dict[str, Metric]:
    """Those of plugins among the names. UserError with the nearest name for one that there is not,
    and for a file that cannot be used.
    """
    found = {}
    for name in names:
        if name in METRICS:
            continue
        if name not in metrics.entries:
            near = did_you_mean(name, [*METRICS, *metrics.names()])
            raise UserError(f"There is no metric '{name}'.{near}")
        found[name] = metrics[name]
        if not isinstance(found[name], Metric):
            place = metrics.check(name).place
            raise UserError(f"METRIC in {place} is no Metric of ganlib.evaluation.metric.")
    return found


def check_needs(wanted: Mapping[str, Metric], extractor: Extractor, labelled: bool) -> None:
    """UserError for a metric that needs what the images, or the extractor, do not have.

    labelled: whether the images come with the labels that they were asked for.
    """
    for name, metric in wanted.items():
        if "labels" in metric.needs and not labelled:
            raise UserError(
                f"The metric '{name}' needs the labels that images were asked for, and these have "
                "none: leave it out, or score a generator that is told labels."
            )
        if "logits" in metric.needs and not extractor.n_classes:
            raise UserError(
                f"The metric '{name}' needs logits, and the extractor '{extractor.name}' has no "
                "classes: give another --extractor, or leave the metric out."
            )
