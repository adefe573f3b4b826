"""Scores of a generator: by what, where samples come from, and the line to keep."""

import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from rich.console import Console
from rich.progress import MofNCompleteColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from torch import Tensor

from ganlib.common.data import DataSet
from ganlib.common.errors import UserError
from ganlib.common.io.console import say
from ganlib.evaluation import Evaluation, Evaluator, Origin, Score
from ganlib.evaluation.extractors.base import Extractor, Options, default_extractor, make_extractor
from ganlib.evaluation.formats.blocks import Batch, as_block
from ganlib.evaluation.metrics.intra import Samples, classwise
from ganlib.evaluation.statistics.references import Progress
from ganlib.training.samples.sample_stream import BLOCK
from ganlib.training.scores.predictions import frame_scores
from ganlib.training.scores.real_images import RealImages, check_references, open_references
from ganlib.training.scores.translations import PairScores, has_pairs
from ganlib.training.updater import Updater

SCORES = "scores.jsonl"
"""The file in a run's folder; a line per evaluation."""
PAUSE = 10.0  # seconds
TRIALS = "trials.jsonl"
"""The same of what `ganlib evaluate` scored otherwise than the run itself."""


def make_evaluator(
    real: RealImages,
    extractor: str | None = None,
    options: Options | None = None,
    device: torch.device | str = "cpu",
) -> Evaluator:
    """An Evaluator by these images; extractor: by default the data set's own."""
    evaluator, _ = evaluator_if_any(real, extractor, None, True, options, device)
    assert evaluator is not None
    return evaluator


def extractor_if_any(
    name: str,
    updater: Updater | None,
    asked: bool,
    options: Options | None = None,
    device: torch.device | str = "cpu",
) -> Extractor | None:
    """The extractor `name`; None for samples that are sequences, of which none has features, and,
    with a warning, where it cannot be had. UserError then if features are asked for, or there are
    no images that belong to sources, to be compared with all the same.
    """
    needed = asked or updater is None or not has_pairs(updater)
    if updater is not None and updater.spec.frames > 1:
        if needed:
            raise UserError(no_features(updater.spec.frames))
        return None
    check_weights(name, options)
    try:
        return make_extractor(name, device, options)
    except UserError as error:
        if needed:
            raise
        warnings.warn(f"Nothing is scored in features. {error}", stacklevel=2)
        return None


def evaluator_if_any(
    real: RealImages,
    extractor: str | None,
    updater: Updater | None,
    asked: bool,
    options: Options | None = None,
    device: torch.device | str = "cpu",
) -> tuple[Evaluator | None, Mapping[str, DataSet]]:
    """As make_evaluator(), but None where extractor_if_any() gives none; and the real images by
    split, those of training alone if so.
    """
    check_references(real)
    name = extractor or default_extractor(real.name)
    # first, since it is quick and has more that can be missing
    network = extractor_if_any(name, updater, asked, options, device)
    if network is None:
        return None, open_references(replace(real, reference="train"))
    evaluator = Evaluator(network, open_references(real))
    return evaluator, evaluator.real


def check_weights(extractor: str, options: Options | None) -> None:
    """UserError for weights that are given to an extractor other than "inception"."""
    if options is not None and options.weights is not None and extractor != "inception":
        raise UserError(
            f"The extractor here is '{extractor}', and weights can be given for 'inception' alone: "
            "give --extractor inception, or leave --inception-weights out."
        )


def no_features(frames: int) -> str:
    """Why sequences of so many frames have no scores in features."""
    return (
        f"Samples here are sequences of {frames} frames, and features are of single pictures: "
        "leave --metrics, --extractor and what else is for features out; such samples are compared "
        "with the frames that came."
    )


def origin_of(
    updater: Updater, seed: int, truncation: float | None = None, statistics: str | None = None
) -> Origin:
    """Where the images of updater.sample() with these arguments come from."""
    weights = "ema" if updater.average is not None else "raw"
    classes = updater.spec.classes if updater.config.condition == "labels" else ()
    held_out = updater.held_out
    source = None if held_out is None else held_out.data.provenance.get("sources")
    bn_mode = updater.sample_stream(seed, statistics=statistics).bn_mode
    return Origin(weights, bn_mode, truncation, seed, classes, source)


def samples_to_score(
    updater: Updater,
    n: int,
    seed: int,
    batch_size: int = BLOCK,
    truncation: float | None = None,
    statistics: str | None = None,
    rank: int = 0,
    world: int = 1,
    pairs: PairScores | None = None,
) -> Iterator[Batch]:
    """The batches of updater.sample(...), each with the labels that were asked for, each class as
    often as among the training images, None if none were; of several ranks those batches that fall
    to this one. pairs: what compares translations on their way.
    """
    stream = updater.sample_stream(seed, truncation, statistics=statistics)
    starts = range(batch_size * rank, n, batch_size * world)
    parts = [range(start, min(start + batch_size, n)) for start in starts]
    batches = map(stream.labelled, parts)
    return batches if pairs is None else pairs.watch(batches, seed, parts)


def class_samples(
    updater: Updater | None, n: int, origin: Origin, batch_size: int = BLOCK
) -> Samples:
    """n samples of this origin of each class, each with a latent of its own. UserError for what is
    told none.
    """
    if updater is None or updater.config.condition != "labels":
        raise UserError("--intra-images is for a generator that is told classes: leave it out.")
    stream = updater.sample_stream(origin.seed or 0, origin.truncation, statistics=origin.bn_mode)

    def samples(k: int) -> Iterator[Tensor]:
        told, end = stream.with_condition(k), (k + 1) * n
        for start in range(k * n, end, batch_size):
            yield told.images(range(start, min(start + batch_size, end)))

    return samples


def counted(
    batches: Iterator[Batch], n: int, progress: Progress, world: int = 1
) -> Iterator[Batch]:
    """Batches of n samples, of which each of `world` ranks has its own, as they are; `progress` is
    told how many have passed.
    """
    done = 0
    for batch in batches:
        yield batch
        done += len(as_block(batch).images)
        progress("samples", min(done * world, n), n)


def all_scores(
    samples: Iterator[Batch],
    n: int,
    origin: Origin,
    updater: Updater | None,
    evaluator: Evaluator | None,
    metrics: Sequence[str],
    pairs: PairScores | None,
    progress: Progress,
    intra_images: int | None = None,
    batch_size: int = BLOCK,
) -> Evaluation:
    """Scores of n samples of this origin: in features, by `evaluator`; by the images that belong to
    their sources, by `pairs`; and of predicted frames, by what came. updater: what makes them, None
    of another program's images. Frechet distances have those of what costs nothing beside them.
    intra_images: of each class, for a distance that is taken class by class; batch_size: of those.
    """
    seed, result, by_class = origin.seed or 0, Evaluation({}), dict[str, Score]()
    if intra_images is not None and evaluator is not None:
        of_class = class_samples(updater, intra_images, origin, batch_size)
        by_class = classwise(evaluator, of_class, intra_images, origin, progress)
    if pairs is not None:
        pairs.prepare(progress)
        samples = pairs.watch(samples, seed)
    if evaluator is None:
        samples = counted(samples, n, progress)
    else:
        # what a file holds was looked at when it was opened
        result = evaluator(samples, metrics, n, origin, progress, value_range=(-1.0, 1.0))
    scores = result.scores | by_class
    if pairs is not None:
        if evaluator is not None and "fid" in metrics:
            scores = pairs.with_distances(scores, evaluator, origin, seed, progress)
        scores = scores | pairs.scores(origin, seed, samples, progress=progress)
    if updater is not None:
        scores = scores | frame_scores(updater, origin, progress)
    return replace(result, scores=scores)


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


@contextmanager
def progress_bar(console: Console) -> Iterator[Progress]:
    """What an Evaluator tells of its progress, as a bar that is gone at the end; where there is no
    terminal, as a line once in PAUSE seconds.
    """
    columns = (*Bar.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        tasks, told = {}, time.monotonic()

        def progress(what: str, done: int, total: int | None) -> None:
            nonlocal told
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done)
            if not console.is_terminal and time.monotonic() - told > PAUSE:
                told = time.monotonic()
                say(console, f"{what}: {done:,}" + (f" of {total:,}" if total else ""))

        yield progress
