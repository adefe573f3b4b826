"""One scorer, of whatever draws: a run, `ganlib evaluate` and Model.evaluate score by it."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ganlib.common.data import POINTS, Mixture
from ganlib.common.errors import UserError
from ganlib.evaluation import Evaluation, Evaluator, Origin, Score
from ganlib.evaluation.evaluate import Choice
from ganlib.evaluation.extractors.base import (
    Extractor,
    Options,
    Precision,
    default_extractor,
    make_extractor,
)
from ganlib.evaluation.formats import Batch, Pictures, as_block
from ganlib.evaluation.metrics import modes
from ganlib.evaluation.metrics.base import BASIC, columns_of, default_metrics
from ganlib.evaluation.metrics.intra import classwise
from ganlib.evaluation.pairs.pixels import Measure
from ganlib.evaluation.statistics.real import Inputs
from ganlib.evaluation.statistics.references import Progress
from ganlib.training.device import ranks
from ganlib.training.scores.drawing import Drawing, origin_of
from ganlib.training.scores.pairs import PairScores, check_pairs, has_pairs, pairs_of
from ganlib.training.scores.path_length import check_path, in_features_of, path_length
from ganlib.training.scores.predictions import frame_names, frame_scores
from ganlib.training.scores.real_images import RealImages, check_references
from ganlib.training.updater import Updater

SCORES = "scores.jsonl"
"""The file in a run's folder; a line per evaluation."""
TRIALS = "trials.jsonl"
"""The same of what `ganlib evaluate` scored otherwise than the run itself."""
__all__ = ["SCORES", "TRIALS", "Criteria", "Drawing", "Scorer", "make_scorer", "origin_of"]


@dataclass(frozen=True)
class Criteria:
    """By what is scored. metrics: None for what is usual; more: further ones. extractor: None for
    the data's own. extractor_weights, precision, channels_last: see Options. rounding: see OnePass.
    intra_images: of each class, for a distance that is taken class by class. intervals: see
    Evaluator. ppl: by lengths of paths too. lpips_weights: AlexNet's file or VGG16's. segmentation:
    the option that asks for a segmenter, see PairScores.
    """

    metrics: tuple[str, ...] | None = None
    more: tuple[str, ...] = ()
    extractor: str | None = None
    extractor_weights: Path | None = None
    precision: Precision = "float32"
    channels_last: bool = False
    rounding: bool = True
    intra_images: int | None = None
    intervals: bool = False
    ppl: bool = False
    lpips_weights: Path | None = None
    segmentation: str | None = None

    @property
    def options(self) -> Options:
        """Of the extractor."""
        return Options(self.extractor_weights, self.precision, self.channels_last)


@dataclass(frozen=True)
class Scorer:
    """Scores what `updater` draws, or where that is None images of another program: in features, by
    `evaluator`; by the images that belong to sources, by `pairs`; predicted frames by what came;
    points by the modes of their `mixture`; paths by `path`. What is None is left out.

    metrics: the evaluator's. intra_images: see Criteria. baselines: whether Frechet distances have
    those of baselines beside them, which takes a pass for each.
    """

    updater: Updater | None
    evaluator: Evaluator | None = None
    pairs: PairScores | None = None
    mixture: Mixture | None = None
    metrics: Choice = BASIC
    intra_images: int | None = None
    baselines: bool = False
    path: Measure | None = None

    def __call__(
        self, drawing: Drawing, progress: Progress, pictures: Pictures | None = None
    ) -> Evaluation:
        """All scores of a drawing, or of as many pictures; ranks share the samples and find the
        same.
        """
        updater, evaluator, pairs = self.updater, self.evaluator, self.pairs
        if updater is None:
            assert evaluator is not None and pictures is not None
            origin = Origin(classes=pictures.classes)
            return self._in_features(pictures.batches, drawing.n, origin, progress)
        n, origin, share = drawing.count(updater), drawing.origin(updater), _share()
        samples = drawing.batches(updater, *share)
        if self.mixture is not None:
            points = (as_block(batch).images for batch in drawing.batches(updater))
            return Evaluation(modes.score_points(points, self.mixture, origin))
        result, by_class = Evaluation({}), dict[str, Score]()
        if evaluator is not None and self.intra_images is not None:
            of_class = drawing.of_class(updater, self.intra_images)
            by_class = classwise(evaluator, of_class, self.intra_images, origin, progress)
        if pairs is not None:
            pairs.prepare(progress, self._digest(progress))
            samples = pairs.compared(drawing, *share)
        if evaluator is not None:
            result = self._in_features(samples, n, origin, progress)
        elif pairs is not None:
            samples = _counted(samples, n, progress)
        scores = result.scores | by_class
        if pairs is not None:
            for _ in samples:  # that features took no notice of
                pass
            if evaluator is not None and self.baselines:
                scores = pairs.with_distances(scores, evaluator, drawing, progress)
            scores |= pairs.scores(drawing, progress, ranks.count())
        if self.path is not None:
            scores |= path_length(updater, drawing, self.path, progress)
        return replace(result, scores=scores | frame_scores(updater, drawing, progress))

    def names(self, drawing: Drawing) -> list[str]:
        """The scores that a drawing is known to have; what came after sequences is read for it."""
        updater, evaluator = self.updater, self.evaluator
        assert updater is not None and not callable(self.metrics)
        if self.mixture is not None:
            return list(modes.SCORES)
        own = [] if self.pairs is None else [*self.pairs.names, *frame_names(updater)]
        if evaluator is None:
            return own
        inputs = evaluator.inputs(drawing.origin(updater))
        columns = columns_of(self.metrics, inputs, drawing.count(updater))
        return [*(column.title for column in columns), *own]

    def _in_features(
        self, images: Iterator[Batch], n: int, origin: Origin, progress: Progress
    ) -> Evaluation:
        evaluator, (rank, world) = self.evaluator, _share()
        assert evaluator is not None
        if world > 1:
            with ranks.first_alone():  # it computes the references and keeps them
                for name in evaluator.images:
                    evaluator.reference(name, progress)
        # what a file holds was looked at when it was opened
        return evaluator(
            images, self.metrics, n, origin, progress, rank, world, value_range=(-1.0, 1.0)
        )

    def _digest(self, progress: Progress) -> str | None:
        """That of the truths' pixels, if they are real images to compare with too."""
        if self.pairs is None or self.evaluator is None:
            return None
        split = self.pairs.updater.held_out_split
        if self.evaluator.real.get(split) is not self.pairs.data:
            return None
        with ranks.first_alone():
            return self.evaluator.reference(split, progress).digest


def make_scorer(
    updater: Updater | None,
    real: RealImages,
    criteria: Criteria,
    usual: Callable[[Inputs], Sequence[str]] = default_metrics,
    extractor: str | None = None,
    device: torch.device | str = "cpu",
) -> Scorer:
    """A scorer by real images, which are opened; of points by their mixture. usual, extractor: the
    metrics and features where the criteria name none.

    Features are left out of sequences, of which no single one has any, and with a warning where
    the extractor cannot be had; UserError then if something asks for them, or there are no images
    that belong to sources, to be compared with all the same.
    """
    if criteria.ppl:
        check_path(updater)
    elif criteria.lpips_weights is not None:
        check_pairs(updater, "--lpips-weights")
    if criteria.segmentation is not None:
        check_pairs(updater, criteria.segmentation)
    labelled = updater is not None and updater.config.condition == "labels"
    if criteria.intra_images is not None and not labelled:
        raise UserError("--intra-images is for a generator that is told classes: leave it out.")
    check_references(real)
    if updater is not None and updater.spec.native == POINTS:
        first, *_ = real.open_splits().values()
        if first.mixture is not None:
            return Scorer(updater, mixture=first.mixture)
    frames = 1 if updater is None else updater.spec.frames
    required = criteria != Criteria() or real.reference is not None or not has_pairs(updater)
    if frames > 1 and required:
        raise UserError(no_features(frames))
    # before the images, since it is quick and has more that can be missing
    name = criteria.extractor or extractor or default_extractor(real.name)
    network = None if frames > 1 else find_extractor(name, criteria.options, device, required)
    data = (real if network else replace(real, reference="train")).open_splits()
    facts = data, criteria.rounding, criteria.intervals
    evaluator = None if network is None else Evaluator(network, *facts)
    measure = None
    if criteria.lpips_weights is not None:
        from ganlib.evaluation.pairs.lpips import lpips  # a slow import that few ask for

        measure = lpips(criteria.lpips_weights, device)
    pairs = pairs_of(updater, data, measure, criteria.segmentation)
    path = measure or in_features_of(network) if criteria.ppl and network else None

    def metrics(inputs: Inputs) -> list[str]:
        return [*(usual(inputs) if criteria.metrics is None else criteria.metrics), *criteria.more]

    intra = criteria.intra_images
    return Scorer(updater, evaluator, pairs, None, metrics, intra, True, path)


def find_extractor(
    name: str,
    options: Options,
    device: torch.device | str,
    required: bool = True,
    tell: Callable[[str], object] = warnings.warn,
) -> Extractor | None:
    """The extractor; None, and something told, where it cannot be had and is not required."""
    try:
        with ranks.first_alone():  # it downloads the weights
            return make_extractor(name, device, options)
    except UserError as error:
        if required:
            raise
        tell(f"Nothing is scored in features. {error}")
        return None


def no_features(frames: int) -> str:
    """Why sequences of so many frames have no scores in features."""
    return (
        f"Samples here are sequences of {frames} frames, and features are of single pictures: "
        "leave --metrics, --extractor and what else is for features out; such samples are compared "
        "with the frames that came."
    )


def _share() -> tuple[int, int]:
    """Which of how many ranks this is."""
    return ranks.rank(), ranks.count()


def _counted(batches: Iterator[Batch], n: int, progress: Progress) -> Iterator[Batch]:
    """Batches of n samples, of which each rank has its own, as they are; progress is told."""
    done = 0
    for batch in batches:
        yield batch
        done += len(as_block(batch).images)
        progress("samples", min(done * ranks.count(), n), n)


def scores_line(
    scores: Mapping[str, Score],
    iteration: int | None,
    images: int | None,
    seconds: float | None = None,
) -> dict[str, Any]:
    """One evaluation in plain types, as SCORES and JSON files hold it.

    images: that training saw; seconds: since this process began to train. None: not known.
    """
    return {
        "iteration": iteration,
        "images": images,
        "seconds": seconds,
        "scores": {name: score.to_dict() for name, score in scores.items()},
    }
