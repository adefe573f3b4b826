"""Scores of a stream of images against real ones, each stamped with its protocol."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ganlib.common.errors import UserError
from ganlib.evaluation.extractors.base import Extractor, arithmetic, make_extractor
from ganlib.evaluation.formats.blocks import Batch, Block, Range, as_block, blocks, rescale
from ganlib.evaluation.metrics.base import METRICS, check_needs, find_metrics
from ganlib.evaluation.metrics.formulas import nearest
from ganlib.evaluation.metrics.report import COUNTS, KEPT, Evaluation, Report
from ganlib.evaluation.protocol import Origin, Score
from ganlib.evaluation.statistics.moments import exact_device
from ganlib.evaluation.statistics.onepass import FOREVER, Keep, OnePass
from ganlib.evaluation.statistics.real import Given, Real, real_sets
from ganlib.evaluation.statistics.references import Progress, Reference, load_reference


class Evaluator:
    """An extractor that stays loaded, and the real images that samples are compared with.

    references: uint8 NCHW images by the name of their split, "train" and "test" or one of another
    name, with their labels if there are some: see real.Real. Their statistics are loaded at first
    use.
    """

    def __init__(self, extractor: Extractor, references: Mapping[str, Real]) -> None:
        if not references:
            raise UserError("There are no real images to compare with: give a reference.")
        self.extractor, self.real = extractor, real_sets(references)
        self.images = {name: data.x for name, data in self.real.items()}
        self.main = "train" if "train" in references else next(iter(references))
        """The split that is not only compared by its moments."""
        self._references: dict[str, Reference] = {}
        self._unseen: Tensor | None = None
        self._kept: dict[str, Any] = {}

    def __call__(
        self,
        images: Iterable[Batch],
        metrics: Sequence[str] = METRICS,
        n: int | None = None,
        origin: Origin | None = None,
        progress: Progress | None = None,
        rank: int = 0,
        world: int = 1,
        value_range: Range | None = None,
    ) -> Evaluation:
        """All scores that the number of images allows, from one pass.

        images: batches NCHW, uint8, or float in value_range; or pairs of such and int64 labels (N,)
        that they were asked for, for metrics that need those. n: at most so many of them. Several
        ranks are each given their own share of the blocks (see blocks.share) and return the same
        scores. value_range: (-1, 1), (0, 1) or (0, 255); None for (-1, 1), but then floats of
        unknown origin with no value below 0, which may well be in [0, 1], are a UserError at the
        end. UserError for unknown metrics or what they lack, fewer than two images, NaN, or sizes
        that differ.
        """
        find_metrics(metrics)
        origin, progress = origin or Origin(), progress or _silent
        if value_range is not None:
            images = _rescaled(images, value_range)
        given = self.given(origin)
        images = _renumbered(images, given.renumbering())
        references = {name: self.reference(name, progress) for name in self.images}
        done = self._pass(images, metrics, n, progress, rank, world, given)
        if done.n < 2:
            raise UserError(f"There are {done.n} images to score: at least 2 are needed.")
        if value_range is None and origin.weights == "given":
            _check_range(done)
        report = Report(done, references, given, self.unseen, progress, self._kept)
        with arithmetic(self.extractor.device, "float32"):
            return report.all(metrics)

    def given(self, origin: Origin | None = None, labels: Tensor | None = None) -> Given:
        """What there is for images of this origin, the first of which have these labels."""
        return Given(self.extractor, self.real, self.main, origin or Origin(), labels)

    def reference(self, name: str, progress: Progress | None = None) -> Reference:
        """The statistics of one split; the first time they may have to be computed."""
        if name not in self._references:
            self._references[name] = load_reference(
                name, self.images[name], self.extractor, progress
            )
        return self._references[name]

    def unseen(self) -> Tensor:
        """float64 distances to the nearest training image of images that are none of them.

        Those of the test split, or where there is none, of training images to one another.
        """
        if self._unseen is None:
            main, device = self.reference(self.main), exact_device(self.extractor.device)
            train = main.features.to(device)
            if self.main != "test" and "test" in self.images:
                test = self.reference("test").features[:KEPT].to(device)
                self._unseen = nearest(test, train).distance
            else:
                self._unseen = nearest(train[:KEPT], train, same=True).distance
        return self._unseen

    def _pass(
        self,
        images: Iterable[Batch],
        metrics: Sequence[str],
        n: int | None,
        progress: Progress,
        rank: int,
        world: int,
        given: Given,
    ) -> OnePass:
        bounds = {count for counts in COUNTS.values() for count in counts}
        keep, own = _kept(metrics), find_metrics(metrics)
        done = OnePass(self.extractor, sorted(bounds), keep, rank, world)
        height, width = self.images[self.main].shape[2:]
        for block in _first(blocks(images, (height, width)), n, done):
            if done.n == 0:
                check_needs(own, replace(given, labels=block.labels))
            done.add(block.images, block.labels)
            progress("samples", done.n * world, n)
        done.finish()
        return done


def score(
    images: Iterable[Batch],
    reference: Mapping[str, Real] | Real,
    metrics: Sequence[str] = METRICS,
    extractor: str | Extractor = "inception",
    *,
    n: int | None = None,
    device: torch.device | str = "cpu",
    origin: Origin | None = None,
    progress: Progress | None = None,
    value_range: Range | None = None,
) -> dict[str, Score]:
    """Scores by name of batches NCHW, uint8 or float in [-1, 1], or of pairs of such and labels.

    reference: uint8 NCHW images, pairs of such and labels, or several of these by the names of
    their splits: "train", "test".
    value_range: of floats, (0, 1) for instance; if it is not given, floats with no value below 0
    are refused. Whoever scores often keeps an Evaluator.
    """
    if isinstance(extractor, str):
        extractor = make_extractor(extractor, device)
    references = reference if isinstance(reference, Mapping) else {"reference": reference}
    evaluator = Evaluator(extractor, references)
    return evaluator(images, metrics, n, origin, progress, value_range=value_range).scores


def _kept(metrics: Sequence[str]) -> Keep:
    """What the pass keeps for all of them together."""
    own = find_metrics(metrics).values()
    most = {
        need: max((metric.n for metric in own if need in metric.needs), default=0)
        for need in Keep._fields
    }
    if {"kid", "prdc", "duplicates"} & set(metrics):
        most["features"] = max(KEPT, most["features"])
    most["labels"] = FOREVER  # eight bytes each, and they tell the proportions of the classes
    if "is" in metrics:
        most["logits"] = max(most["logits"], *COUNTS["train"])
    return Keep(**most)


def _rescaled(images: Iterable[Batch], value_range: Range) -> Iterator[Block]:
    for block in map(as_block, images):
        yield block._replace(images=rescale(block.images, value_range))


def _renumbered(images: Iterable[Batch], table: Tensor | None) -> Iterable[Batch]:
    """With the labels that the table has at the places of theirs."""
    if table is None:
        return images
    return (_with_labels(block, table) for block in map(as_block, images))


def _with_labels(block: Block, table: Tensor) -> Block:
    y = block.labels
    return block if y is None else block._replace(labels=table.to(y.device)[y])


def _silent(what: str, done: int, total: int | None) -> None:
    """A Progress that nobody sees."""


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
