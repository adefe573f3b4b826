"""Metrics as files: those of metrics/ here, and of a plugin folder's, each of which assigns METRIC.

Its name is that of the file. What it is given is in Context, what it gives back in Value, and what
it says beforehand that it will give in Column.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from torch import Tensor

from ganlib.common.data import DataSet
from ganlib.common.errors import UserError
from ganlib.common.registry import Registry, having
from ganlib.evaluation.protocol import Better, Instrument, Plain
from ganlib.evaluation.statistics.moments import Moments
from ganlib.evaluation.statistics.onepass import Need
from ganlib.evaluation.statistics.real import Inputs
from ganlib.evaluation.statistics.references import Progress, Reference
from ganlib.moved import Renamed, renamed

BASIC = ("is", "fid")
"""What a run scores itself by while it trains."""
METRICS = (*BASIC, "kid", "prdc", "duplicates")
"""What any images are scored by, in this order, as far as they have what it takes. Protocols do
not name these metrics, as they do all others.
"""
LABELLED = ("intra", "class_pr", "class_accuracy")
"""The same of images with labels."""
T = TypeVar("T")


def counted(name: str, n: int) -> str:
    """A score's name for so many images: "FID50k", "FID1234", "FD-DINOv2-50k"."""
    number = f"{n // 1000}k" if n % 1000 == 0 else str(n)
    return f"{name}-{number}" if name[-1:].isdecimal() else f"{name}{number}"


@dataclass(frozen=True)
class Column:
    """A score that a metric gives. name: with the extractor's suffix if it is of features. n: of
    how many of the first images. reference: the split that it compares with, None for none.
    """

    name: str
    n: int
    reference: str | None = None
    better: Better = ""

    @property
    def title(self) -> str:
        """What the score is called: "FID50k-train"."""
        against = "" if self.reference is None else f"-{self.reference}"
        return f"{counted(self.name, self.n)}{against}"


@dataclass(frozen=True)
class Context:
    """What a metric is given: its needs of the first n images, in their order; total: how many
    images there were. All tensors are on one device, which has float64.

    columns: what the metric said of that. moments: of the features of the first k images, for the
    k of Metric.moments that there are and `total`. references: the real images' statistics by the
    name of their split. main: the split to compare single images with. inputs: the extractor, and
    the real images with their labels. progress: to be told of what takes long. cache: see once().
    finds: what else it found, by name, for pictures: see Evaluation.
    """

    n: int
    total: int
    columns: Sequence[Column]
    rows: Mapping[Need, Tensor]
    moments: Callable[[int], Moments]
    references: Mapping[str, Reference]
    main: Reference
    inputs: Inputs
    progress: Progress
    cache: dict[str, Any]
    finds: dict[str, Any] = field(default_factory=dict)

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

    given = Renamed("inputs")

    @property
    def real(self) -> DataSet:
        """The images of `main`."""
        return self.inputs.real[self.main.name]

    def once(self, what: str, compute: Callable[[], T]) -> T:
        """compute(), or what it gave an earlier evaluation by the same Evaluator: for what follows
        from the real images alone.
        """
        if what not in self.cache:
            self.cache[what] = compute()
        found: T = self.cache[what]
        return found

    def _of(self, need: Need) -> Tensor:
        if need not in self.rows:
            raise UserError(f"A metric uses {need} without need: Metric(..., needs=('{need}',)).")
        return self.rows[need]


if not TYPE_CHECKING:  # mypy would find every name here
    __getattr__ = renamed(__name__, Seen="Context")


@dataclass(frozen=True)
class Value:
    """std: its spread, if it has one. reference: the split that it compares with, one of
    Context.references; a Column says it itself. settings: what else decides about it, for the
    protocol. more: plain values to keep beside it, on which it does not depend. rank_deficient: see
    Protocol. instrument: None for the extractor.
    """

    value: float
    std: float | None = None
    reference: str | None = None
    settings: Mapping[str, Plain] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)
    rank_deficient: bool = False
    instrument: Instrument | None = None


Values: TypeAlias = Mapping[str, Value | float] | Mapping[Column, Value]


def as_value(value: Value | float) -> Value:
    """A plain number as one of which nothing else is said."""
    return value if isinstance(value, Value) else Value(value)


@dataclass(frozen=True)
class Metric:
    """compute(context): values by those of context.columns that can be had, or by names of one's
    own; plain numbers where nothing else is to be said of them; no gradients are recorded. needs:
    what is kept of an image for it. n: of how many images at most. lacks(inputs): what it cannot do
    without, as a sentence that goes on after "The metric 'x'"; "" if all is there.
    columns(inputs, n): what it gives of n images, all where it needs nothing of a single one, where
    a class may have too few of them; None where that is not known beforehand. moments: of how many
    of the first images it needs those.
    """

    compute: Callable[[Context], Values]
    needs: tuple[Need, ...] = ("features",)
    n: int = 10_000
    lacks: Callable[[Inputs], str] = lambda inputs: ""
    columns: Callable[[Inputs, int], Sequence[Column]] | None = None
    moments: tuple[int, ...] = ()

    def gives(self, inputs: Inputs, total: int) -> Sequence[Column]:
        """What it is known to give where there are so many images."""
        n = min(self.n, total) if self.needs else total
        return self.columns(inputs, n) if self.columns else ()


def in_features(
    names: Mapping[str, Better], against: str | None = ""
) -> Callable[[Inputs, int], list[Column]]:
    """Metric.columns of these names, with the extractor's suffix, by which direction is better;
    against: the split that they compare with, "" for the main one.
    """

    def columns(inputs: Inputs, n: int) -> list[Column]:
        reference, suffix = inputs.main if against == "" else against, inputs.extractor.suffix
        return [Column(f"{name}{suffix}", n, reference, way) for name, way in names.items()]

    return columns


metrics: Registry[Metric] = Registry(
    "metric", "ganlib.evaluation.metrics", "METRIC", having("METRIC"), "ganlib.metrics", Metric
)


def find_metrics(names: Iterable[str]) -> dict[str, Metric]:
    """These metrics, those of METRICS first. UserError with the nearest name for one that there is
    not, and for a file that cannot be used.
    """
    names = list(names)
    order = [*(name for name in METRICS if name in names), *names]
    return {name: metrics[name] for name in dict.fromkeys(order)}


def check_needs(wanted: Mapping[str, Metric], inputs: Inputs) -> None:
    """UserError for a metric that needs what the images, the extractor or the real images do not
    have; METRICS are left out then.
    """
    for name, metric in wanted.items():
        lacks = "" if name in METRICS else _lacks(metric, inputs)
        if lacks:
            raise UserError(f"The metric '{name}' {lacks}")


def labelled_metrics(inputs: Inputs) -> tuple[str, ...]:
    """Those of LABELLED that lack nothing."""
    return tuple(name for name in LABELLED if not _lacks(metrics[name], inputs))


def default_metrics(inputs: Inputs) -> list[str]:
    """What to score often: BASIC, and by class what is quick."""
    quick = ("intra", "class_accuracy")
    return [*BASIC, *(name for name in labelled_metrics(inputs) if name in quick)]


def all_metrics(inputs: Inputs) -> list[str]:
    """Those of ganlib that make sense, but those that take minutes."""
    # nothing was trained on the test images, so a copy of one is chance
    basic = (name for name in METRICS if name != "duplicates" or inputs.main != "test")
    of_clip = ["cmmd"] if inputs.extractor.name == "clip" else []
    return [*basic, *of_clip, *labelled_metrics(inputs)]


def columns_of(names: Iterable[str], inputs: Inputs, n: int) -> list[Column]:
    """What these metrics are known to give of n images."""
    return [one for metric in find_metrics(names).values() for one in metric.gives(inputs, n)]


def _lacks(metric: Metric, inputs: Inputs) -> str:
    if "labels" in metric.needs and inputs.labels is None:
        if inputs.origin.weights == "given":
            cure = "give an .npz with `images` and `labels`, or leave it out"
        else:
            cure = "leave it out, or score a generator that is told labels"
        return f"needs the labels that images were asked for, and these have none: {cure}."
    if "logits" in metric.needs and not inputs.extractor.n_classes:
        return (
            f"needs logits, and the extractor '{inputs.extractor.name}' has no classes: give "
            "another --extractor, or leave the metric out."
        )
    return metric.lacks(inputs)
