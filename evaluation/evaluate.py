"""Scores of a stream of images against real ones, each stamped with its protocol."""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import Any, TypeAlias

import torch
from torch import Tensor

from ganlib.common.errors import UserError
from ganlib.evaluation.extractors.base import Extractor, arithmetic, make_extractor
from ganlib.evaluation.formats import (
    Batch,
    Block,
    Range,
    as_block,
    as_uint8,
    blocks,
    rescale,
)
from ganlib.evaluation.metrics.base import (
    METRICS,
    Column,
    Context,
    Metric,
    as_value,
    check_needs,
    find_metrics,
)
from ganlib.evaluation.metrics.by_class import proportions
from ganlib.evaluation.metrics.formulas import Nearest
from ganlib.evaluation.protocol import Origin, Plain, Score, stamp
from ganlib.evaluation.statistics.jackknife import GROUPS, jackknife
from ganlib.evaluation.statistics.moments import exact_device
from ganlib.evaluation.statistics.onepass import FOREVER, Need, OnePass
from ganlib.evaluation.statistics.real import Inputs, Real, real_set
from ganlib.evaluation.statistics.references import (
    Progress,
    Reference,
    check_images,
    is_stored,
    load_reference,
    pixel_digest,
    silent,
)

TIMED = 16  # images
Choice: TypeAlias = Sequence[str] | Callable[[Inputs], Sequence[str]]
"""The names of metrics, or what names them for what there is to be scored by."""


@dataclass(frozen=True)
class Evaluation:
    """scores: by name. finds: what metrics found on the way, by name, for pictures."""

    scores: dict[str, Score]
    finds: Mapping[str, Any] = field(default_factory=dict)

    @property
    def nearest(self) -> Nearest | None:
        """For each of the first samples its nearest training image (by its number in the training
        split) and the distance; None unless "duplicates" was asked for.
        """
        return self.finds.get("nearest")


class Evaluator:
    """An extractor that stays loaded, and the real images that samples are compared with.

    references: uint8 NCHW images by the name of their split, "train" and "test" or one of another
    name, with their labels if there are some: see real.Real. Their statistics are loaded at first
    use. rounding: of samples, see OnePass. intervals: whether scores without a spread of their own
    have an error, see jackknife().
    """

    def __init__(
        self,
        extractor: Extractor,
        references: Mapping[str, Real],
        rounding: bool = True,
        intervals: bool = False,
    ) -> None:
        if not references:
            raise UserError("There are no real images to compare with: give a reference.")
        self.extractor, self.rounding, self.intervals = extractor, rounding, intervals
        self.real = {name: real_set(name, data) for name, data in references.items()}
        self.images = {name: data.x for name, data in self.real.items()}
        for name, x in self.images.items():
            check_images(name, x)
        self.main = "train" if "train" in references else next(iter(references))
        """The split that is not only compared by its moments."""
        self._references: dict[str, Reference] = {}
        self._digests: dict[str, str] = {}
        self._cache: dict[str, Any] = {}

    def __call__(
        self,
        images: Iterable[Batch],
        metrics: Choice = METRICS,
        n: int | None = None,
        origin: Origin | None = None,
        progress: Progress = silent,
        rank: int = 0,
        world: int = 1,
        value_range: Range | None = None,
    ) -> Evaluation:
        """All scores that the number of images allows, from one pass.

        images: batches NCHW, uint8, or float in value_range; or pairs of such and int64 labels (N,)
        that they were asked for, for metrics that need those. metrics: names, or what names them
        for what there is; ranks are given names. n: at most so many of them. Several ranks are each
        given their own share of the blocks, rank, rank + world, ..., and return the same scores.
        value_range: (-1, 1), (0, 1) or (0, 255); None for (-1, 1), but then floats of unknown
        origin with no value below 0, which may well be in [0, 1], are a UserError at the end.
        UserError for unknown metrics or what they lack, fewer than two images, with intervals
        ten, NaN, or sizes that differ.
        """
        origin = origin or Origin()
        inputs = self.inputs(origin)
        table = inputs.renumbering()

        def prepared(batch: Batch) -> Block:
            x, y = as_block(batch)
            y = y if y is None or table is None else table.to(y.device)[y]
            return Block(x if value_range is None else rescale(x, value_range), y)

        stream = blocks(map(prepared, images), self.size)
        first = list(islice(stream, 1))
        # looked at before references are computed, which may take an hour
        labelled = replace(inputs, labels=first[0].labels) if first else inputs
        wanted = find_metrics(metrics(labelled) if callable(metrics) else metrics)
        if first:
            check_needs(wanted, labelled)
            as_uint8(first[0].images)
        for name in self.images:
            self.reference(name, progress)
        bounds = {count for metric in wanted.values() for count in metric.moments}
        kept = _keep(wanted.values())
        if self.intervals:
            kept["features"] = FOREVER  # moments without some of the images are those of the others
        done = OnePass(self.extractor, sorted(bounds), kept, rank, world, self.rounding)
        for block in _first(chain(first, stream), n, done):
            done.add(block.images, block.labels)
            progress("samples", done.n * world, n)
        done.finish()
        least = GROUPS if self.intervals else 2
        if done.n < least:
            what = "give intervals to" if self.intervals else "score"
            raise UserError(f"There are {done.n} images to {what}: at least {least} are needed.")
        if value_range is None and origin.weights == "given":
            _check_range(done)
        with arithmetic(self.extractor.device, "float32"):
            return self._report(wanted, done, inputs, progress)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the real images."""
        height, width = self.images[self.main].shape[2:]
        return height, width

    def inputs(self, origin: Origin | None = None, labels: Tensor | None = None) -> Inputs:
        """What there is for images of this origin, the first of which have these labels."""
        return Inputs(self.extractor, self.real, self.main, origin or Origin(), labels)

    def reference(self, name: str, progress: Progress = silent) -> Reference:
        """The statistics of one split; the first time they may have to be computed."""
        if name not in self._references:
            digest = self._digest(name, progress)
            images = self.images[name]
            self._references[name] = load_reference(name, images, self.extractor, progress, digest)
        return self._references[name]

    def cost(self, n: int, progress: Progress = silent) -> tuple[int, float]:
        """Of how many images features are to be found for a score of n samples, real images among
        them whose statistics are not stored yet, and the seconds of that, by the time of a few.
        """
        for name, real in self.images.items():
            if not is_stored(self._digest(name, progress), self.extractor):
                n += len(real)
        some = self.images[self.main][torch.arange(min(TIMED, len(self.images[self.main])))]
        self.extractor(some[:1])  # what is set up at the first call
        start = time.perf_counter()
        self.extractor(some).pool.cpu()
        return n, n * (time.perf_counter() - start) / len(some)

    def _digest(self, name: str, progress: Progress) -> str:
        if name not in self._digests:
            self._digests[name] = pixel_digest(self.images[name], progress, f"reading {name}")
        return self._digests[name]

    def _report(
        self, wanted: Mapping[str, Metric], done: OnePass, inputs: Inputs, progress: Progress
    ) -> Evaluation:
        """Every score of these metrics, in their order, of a finished pass; see Context."""
        device, labels = exact_device(self.extractor.device), _labels(done, inputs)
        references = {name: self.reference(name) for name in self.images}
        scores, finds = dict[str, Score](), dict[str, Any]()
        features = done.rows("features").to(device) if self.intervals else torch.empty(0)
        for metric_name, metric in wanted.items():
            context = Context(
                min(metric.n, done.n),
                done.n,
                metric.gives(inputs, done.n),
                {need: done.rows(need)[: metric.n].to(device) for need in metric.needs},
                done.moments,
                references,
                references[inputs.main],
                inputs,
                progress,
                self._cache,
                finds,
            )
            named = {} if metric_name in METRICS else {"metric": metric_name}
            values = metric.compute(context)
            errors = jackknife(metric, context, values, features) if self.intervals else {}
            for column, value in values.items():
                value, error = as_value(value), errors.get(column)
                if isinstance(column, str):
                    suffix = self.extractor.suffix if value.instrument is None else ""
                    column = Column(f"{column}{suffix}", context.n, value.reference)
                protocol = stamp(
                    value.instrument or self.extractor.instrument,
                    inputs.origin,
                    column.n,
                    {**labels, **value.settings, **named},
                    None if column.reference is None else references[column.reference].split,
                    done.rounding,
                    value.rank_deficient,
                    self.extractor.packages,
                )
                name, number = column.title, float(value.value)
                if name in scores:
                    raise UserError(f"Two metrics give a score '{name}': rename it in one of them.")
                facts = protocol, value.more, column.better, error
                scores[name] = Score(name, number, value.std, *facts)
        return Evaluation(scores, finds)


def score(
    images: Iterable[Batch],
    reference: Mapping[str, Real] | Real,
    metrics: Sequence[str] = METRICS,
    extractor: str | Extractor = "inception",
    *,
    n: int | None = None,
    device: torch.device | str = "cpu",
    origin: Origin | None = None,
    progress: Progress = silent,
    value_range: Range | None = None,
    intervals: bool = False,
) -> dict[str, Score]:
    """Scores by name of batches NCHW, uint8 or float in [-1, 1], or of pairs of such and labels.

    reference: uint8 NCHW images, pairs of such and labels, or several of these by the names of
    their splits: "train", "test".
    value_range: of floats, (0, 1) for instance; if it is not given, floats with no value below 0
    are refused. intervals: with a `Score.error` over draws of samples.

    Whoever scores often keeps an Evaluator.
    """
    if isinstance(extractor, str):
        extractor = make_extractor(extractor, device)
    references = reference if isinstance(reference, Mapping) else {"reference": reference}
    evaluator = Evaluator(extractor, references, intervals=intervals)
    return evaluator(images, metrics, n, origin, progress, value_range=value_range).scores


def _keep(wanted: Collection[Metric]) -> dict[Need, int]:
    """Of how many images the pass keeps what, for all of them together."""
    keep: dict[Need, int] = {"labels": FOREVER}  # which tell the proportions of the classes
    for metric in wanted:
        keep |= {need: max(metric.n, keep.get(need, 0)) for need in metric.needs}
    return keep


def _check_range(done: OnePass) -> None:
    if done.rounded and not done.negative:
        raise UserError(
            f"The {done.n} images are floats and none has a value below 0, as if they were in "
            "[0, 1]; floats are taken to be in [-1, 1]. Give 2 * x - 1, or value_range=(0, 1), or "
            "value_range=(-1, 1) if they are meant as they are."
        )


def _first(stream: Iterator[Block], n: int | None, done: OnePass) -> Iterator[Block]:
    """The blocks of the stream, cut where the n-th image of all ranks ends."""
    for block in stream:
        if n is not None and done.position + len(block.images) >= n:
            if done.position < n:
                yield block.cut(0, n - done.position)
            return
        yield block


def _labels(done: OnePass, inputs: Inputs) -> dict[str, Plain]:
    """What the protocol of every score says of the labels that a generator was asked for: that some
    are more frequent than among the real images, if so.
    """
    main = inputs.real[inputs.main]
    if not done.labelled or inputs.origin.weights == "given" or inputs.strangers or main.y is None:
        return {}
    kind, _ = proportions(done.rows("labels"), main.y, len(main.classes))
    return {} if kind == "marginal" else {"labels": kind}
