"""Scores of a stream of images against real ones, each stamped with its protocol."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from ganlib.common.data import Images
from ganlib.common.errors import UserError, did_you_mean
from ganlib.evaluation.blocks import Range, blocks, rescale
from ganlib.evaluation.features import Extractor, arithmetic, make_extractor
from ganlib.evaluation.moments import exact_device
from ganlib.evaluation.onepass import OnePass
from ganlib.evaluation.protocol import Score
from ganlib.evaluation.references import Progress, Reference, load_reference
from ganlib.evaluation.report import COUNTS, KEPT, METRICS, Evaluation, Origin, Report
from ganlib.evaluation.scores import nearest


class Evaluator:
    """An extractor that stays loaded, and the real images that samples are compared with.

    references: uint8 NCHW images by the name of their split, "train" and "test" or one of another
    name. Their statistics are loaded at first use.
    """

    def __init__(self, extractor: Extractor, references: Mapping[str, Images]) -> None:
        if not references:
            raise UserError("There are no real images to compare with: give a reference.")
        self.extractor, self.images = extractor, references
        self.main = "train" if "train" in references else next(iter(references))
        """The split that is not only compared by its moments."""
        self._references: dict[str, Reference] = {}
        self._unseen: Tensor | None = None

    def __call__(
        self,
        images: Iterable[Tensor],
        metrics: Sequence[str] = METRICS,
        n: int | None = None,
        origin: Origin | None = None,
        progress: Progress | None = None,
        rank: int = 0,
        world: int = 1,
        value_range: Range | None = None,
    ) -> Evaluation:
        """All scores that the number of images allows, from one pass.

        images: batches NCHW, uint8, or float in value_range. n: at most so many of them. Several
        ranks are each given their own share of the blocks (see blocks.share) and return the same
        scores. value_range: (-1, 1), (0, 1) or (0, 255); None for (-1, 1), but then floats of
        unknown origin with no value below 0, which may well be in [0, 1], are a UserError at the
        end. UserError for unknown metrics, fewer than two images, NaN, or sizes that differ.
        """
        check_metrics(metrics)
        origin = origin or Origin()
        if value_range is not None:
            images = map(partial(rescale, value_range=value_range), images)
        references = {name: self.reference(name, progress) for name in self.images}
        done = self._pass(images, metrics, n, progress, rank, world)
        if done.n < 2:
            raise UserError(f"There are {done.n} images to score: at least 2 are needed.")
        if value_range is None and origin.weights == "given":
            _check_range(done)
        report = Report(done, references, self.main, origin, self.unseen)
        with arithmetic(self.extractor.device, "float32"):
            return report.all(metrics)

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
        images: Iterable[Tensor],
        metrics: Sequence[str],
        n: int | None,
        progress: Progress | None,
        rank: int,
        world: int,
    ) -> OnePass:
        bounds = {count for counts in COUNTS.values() for count in counts}
        keep = KEPT if {"kid", "prdc", "duplicates"} & set(metrics) else 0
        keep_logits = max(bounds) if "is" in metrics else 0
        done = OnePass(self.extractor, sorted(bounds), keep, keep_logits, rank, world)
        height, width = self.images[self.main].shape[2:]
        for block in _first(blocks(images, (height, width)), n, done):
            done.add(block)
            if progress is not None:
                progress("samples", done.n * world, n)
        done.finish()
        return done


def score(
    images: Iterable[Tensor],
    reference: Mapping[str, Images] | Images,
    metrics: Sequence[str] = METRICS,
    extractor: str | Extractor = "inception",
    *,
    n: int | None = None,
    device: torch.device | str = "cpu",
    origin: Origin | None = None,
    progress: Progress | None = None,
    value_range: Range | None = None,
) -> dict[str, Score]:
    """Scores by name of batches NCHW, uint8 or float in [-1, 1].

    reference: uint8 NCHW images, or several such by the names of their splits: "train", "test".
    value_range: of floats, (0, 1) for instance; if it is not given, floats with no value below 0
    are refused. Whoever scores often keeps an Evaluator.
    """
    if isinstance(extractor, str):
        extractor = make_extractor(extractor, device)
    references = reference if isinstance(reference, Mapping) else {"reference": reference}
    evaluator = Evaluator(extractor, references)
    return evaluator(images, metrics, n, origin, progress, value_range=value_range).scores


def check_metrics(metrics: Iterable[str]) -> None:
    """UserError with the nearest name for one that is none of METRICS."""
    for name in metrics:
        if name not in METRICS:
            raise UserError(f"There is no metric '{name}'.{did_you_mean(name, METRICS)}")


def _check_range(done: OnePass) -> None:
    if done.rounded and not done.negative:
        raise UserError(
            f"The {done.n} images are floats and none has a value below 0, as if they were in "
            "[0, 1]; floats are taken to be in [-1, 1]. Give 2 * x - 1, or value_range=(0, 1), or "
            "value_range=(-1, 1) if they are meant as they are."
        )


def _first(stream: Iterator[Tensor], n: int | None, done: OnePass) -> Iterator[Tensor]:
    """The blocks of the stream, cut where the n-th image of all ranks ends."""
    for block in stream:
        if n is not None and done.position + len(block) >= n:
            if done.position < n:
                yield block[: n - done.position]
            return
        yield block
