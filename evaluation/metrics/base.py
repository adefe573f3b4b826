"""Metrics as files: those of metrics/ here, and of a plugin folder's, each of which assigns METRIC.

Its name is that of the file. What it is given is in Seen, what it gives back in Value.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from torch import Tensor

from ganlib.common.data import DataSet
from ganlib.common.errors import UserError, did_you_mean
from ganlib.common.registry import Entry, Registry, having
from ganlib.evaluation.protocol import Plain
from ganlib.evaluation.statistics.real import Given
from ganlib.evaluation.statistics.references import Progress, Reference

METRICS = ("is", "fid", "kid", "prdc", "duplicates")
"""ganlib's own, which are in report.py."""
BASIC = ("is", "fid")
"""Those of METRICS that a run scores itself by while it trains."""
LABELLED = ("intra", "class_pr", "class_accuracy")
"""ganlib's own of images with labels, which are in metrics/."""
COSTLY = ("cas",)
"""The same, of those that nobody is given who did not ask."""
Need = Literal["features", "logits", "labels", "images"]
T = TypeVar("T")


@dataclass(frozen=True)
class Seen:
    """What a metric is given: its needs of the first n images, in their order; total: how many
    images there were. All tensors are on one device, which has float64.

    references: the real images' statistics by the name of their split. main: the split to compare
    single images with. given: the extractor, and the real images with their labels. progress: to be
    told of what takes long. kept: see once().
    """

    n: int
    total: int
    rows: Mapping[Need, Tensor]
    references: Mapping[str, Reference]
    main: Reference
    given: Given
    progress: Progress
    kept: dict[str, Any]

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

    @property
    def images(self) -> Tensor:
        """uint8 (n, C, H, W)."""
        return self._of("images")

    @property
    def real(self) -> DataSet:
        """The images of `main`."""
        return self.given.real[self.main.name]

    def once(self, what: str, compute: Callable[[], T]) -> T:
        """compute(), or what it gave an earlier evaluation by the same Evaluator: for what follows
        from the real images alone.
        """
        if what not in self.kept:
            self.kept[what] = compute()
        found: T = self.kept[what]
        return found

    def _of(self, need: Need) -> Tensor:
        if need not in self.rows:
            raise UserError(f"A metric uses {need} without need: Metric(..., needs=('{need}',)).")
        return self.rows[need]


@dataclass(frozen=True)
class Instrument:
    """What a score is measured with that is not measured in the extractor's features: the fields of
    the protocol that say it.
    """

    extractor: str
    resize: str
    extractor_digest: str = ""
    precision: str = "float32"


@dataclass(frozen=True)
class Value:
    """std: its spread, if it has one. reference: the split that it compares with, one of
    Seen.references. settings: what else decides about it, for the protocol. more: plain values to
    keep beside it, on which it does not depend. rank_deficient: see Protocol. instrument: None for
    the extractor.
    """

    value: float
    std: float | None = None
    reference: str | None = None
    settings: Mapping[str, Plain] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)
    rank_deficient: bool = False
    instrument: Instrument | None = None


def _nothing(given: Given) -> str:
    return ""


@dataclass(frozen=True)
class Metric:
    """compute(seen): values by name, plain numbers where nothing else is to be said of them; no
    gradients are recorded. needs: what is kept of an image for it. n: of how many images at most.
    lacks(given): what it cannot do without, as a sentence that goes on after "The metric 'x'"; ""
    if all is there.
    """

    compute: Callable[[Seen], Mapping[str, Value | float]]
    needs: tuple[Need, ...] = ("features",)
    n: int = 10_000
    lacks: Callable[[Given], str] = _nothing


class Metrics(Registry[Metric]):
    """Those of files, which leave the names of METRICS alone."""

    def add(self, name: str, entry: Entry) -> None:
        """Register one name; one that is taken is refused."""
        if name in METRICS:
            raise UserError(f"{entry.place} is called as a metric of ganlib's own is: rename it.")
        super().add(name, entry)


metrics = Metrics(
    "metric", "ganlib.evaluation.metrics", "METRIC", having("METRIC"), "ganlib.metrics", Metric
)


def find_metrics(names: Iterable[str]) -> dict[str, Metric]:
    """Those of files among the names. UserError with the nearest name for one that there is not,
    and for a file that cannot be used.
    """
    found = {}
    for name in names:
        if name in METRICS:
            continue
        if name not in metrics.entries:
            metrics.check_files(name)
            near = did_you_mean(name, [*METRICS, *metrics.names()])
            raise UserError(f"There is no metric '{name}'.{near}")
        found[name] = metrics[name]
    return found


def check_needs(wanted: Mapping[str, Metric], given: Given) -> None:
    """UserError for a metric that needs what the images, the extractor or the real images do not
    have.
    """
    for name, metric in wanted.items():
        lacks = _lacks(metric, given)
        if lacks:
            raise UserError(f"The metric '{name}' {lacks}")


def labelled_metrics(given: Given) -> tuple[str, ...]:
    """Those of LABELLED that lack nothing."""
    return tuple(name for name in LABELLED if not _lacks(metrics[name], given))


def default_metrics(given: Given) -> list[str]:
    """What to score often: BASIC, and by class what is quick."""
    quick = ("intra", "class_accuracy")
    return [*BASIC, *(name for name in labelled_metrics(given) if name in quick)]


def _lacks(metric: Metric, given: Given) -> str:
    if "labels" in metric.needs and given.labels is None:
        if given.origin.weights == "given":
            cure = "give an .npz with `images` and `labels`, or leave it out"
        else:
            cure = "leave it out, or score a generator that is told labels"
        return f"needs the labels that images were asked for, and these have none: {cure}."
    if "logits" in metric.needs and not given.extractor.n_classes:
        return (
            f"needs logits, and the extractor '{given.extractor.name}' has no classes: give "
            "another --extractor, or leave the metric out."
        )
    return metric.lacks(given)
