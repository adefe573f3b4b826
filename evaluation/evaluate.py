"""Scores of a stream of images against real ones, each stamped with its protocol."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from ganlib.common.data import Images
from ganlib.common.errors import UserError
from ganlib.evaluation.blocks import Batch, Block, Range, as_block, blocks, rescale
from ganlib.evaluation.features import Extractor, arithmetic, make_extractor
from ganlib.evaluation.metric import METRICS, check_needs, find_metrics
from ganlib.evaluation.moments import exact_device
from ganlib.evaluation.onepass import Keep, OnePass
from ganlib.evaluation.protocol import Score
from ganlib.evaluation.references import Progress, Reference, load_reference
from ganlib.evaluation.report import COUNTS, KEPT, Evaluation, Origin, Report
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
        origin = origin or Origin()
        if value_range is not None:
            images = _rescaled(images, value_range)
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
        images: Iterable[Batch],
        metrics: Sequence[str],
        n: int | None,
        progress: Progress | None,
        rank: int,
        world: int,
    ) -> OnePass:
        bounds = {count for counts in COUNTS.values() for count in counts}
        keep, own = _kept(metrics), find_metrics(metrics)
        done = OnePass(self.extractor, sorted(bounds), keep, rank, world)
        height, width = self.images[self.main].shape[2:]
        for block in _first(blocks(images, (height, width)), n, done):
            check_needs(own, self.extractor, block.labels is not None)
            done.add(block.images, block.labels)
            if progress is not None:
                progress("samples", done.n * world, n)
        done.finish()
        return done


def score(
    images: Iterable[Batch],
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
    """Scores by name of batches NCHW, uint8 or float in [-1, 1], or of pairs of such and labels.

    reference: uint8 NCHW images, or several such by the names of their splits: "train", "test".
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
    if "is" in metrics:
        most["logits"] = max(most["logits"], *COUNTS["train"])
    return Keep(**most)


def _rescaled(images: Iterable[Batch], value_range: Range) -> Iterator[Block]:
    for block in map(as_block, images):
        yield block._replace(images=rescale(block.images, value_range))


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
