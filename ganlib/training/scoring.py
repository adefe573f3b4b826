"""Scores of a generator: real images by name, where samples come from, and the line to keep."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import MofNCompleteColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from ganlib.common.data import DataSet, Images
from ganlib.common.datasets._stream import NoSuchSplit
from ganlib.common.errors import UserError
from ganlib.common.given import GIVEN
from ganlib.common.sources import check_dataset, open_dataset
from ganlib.evaluation import Evaluator, Origin, Score
from ganlib.evaluation.blocks import Batch, as_block
from ganlib.evaluation.features import Options, default_extractor, make_extractor
from ganlib.evaluation.references import Progress
from ganlib.training.frames import frame_scores
from ganlib.training.pairs import PairScores, has_pairs
from ganlib.training.series import BLOCK
from ganlib.training.updater import Updater

SPLITS = ("train", "test")
SCORES = "scores.jsonl"
"""The file in a run's folder; a line per evaluation."""
TRIALS = "trials.jsonl"
"""The same of what `ganlib evaluate` scored otherwise than the run itself."""


@dataclass(frozen=True)
class RealImages:
    """What names real images: those of `dataset`, in `data_root`, that `reference` ("train",
    "test", None for all that there are) chooses, or those of the folder or .h5 file that it names.

    They are brought to `size` if that is given, and of these the middle, `crop` pixels square, is
    taken, if that is. source: of translations to `dataset`, what they start from: of files that
    hold both, the images are a part. back: the data set's sources take the place of its images, as
    what the way back is compared with.
    """

    dataset: str | None = None
    data_root: Path | None = None
    size: int | None = None
    crop: int | None = None
    source: str | None = None
    reference: str | None = None
    back: bool = False


def make_evaluator(
    real: RealImages,
    extractor: str | None = None,
    options: Options | None = None,
    device: torch.device | str = "cpu",
) -> Evaluator:
    """An Evaluator by these images; extractor: by default the data set's own."""
    check_references(real)
    name = extractor or default_extractor(real.dataset or real.reference or "")
    check_weights(name, options)
    # first, since it is quick and has more that can be missing
    network = make_extractor(name, device, options)
    return Evaluator(network, open_references(real))


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


def check_references(real: RealImages) -> None:
    """UserError if it is not said what the real images are, or there is no such thing; nothing is
    downloaded or read.
    """
    if real.reference is not None and real.reference not in SPLITS:
        check_dataset(real.reference)
    elif real.dataset is None:
        raise UserError(
            "There is nothing to compare these images with: give --dataset NAME, or --reference "
            "with a folder or an .h5 file of real images."
        )
    elif real.dataset == GIVEN:
        raise UserError(
            "This run was trained on data given in Python: give --dataset, or --reference with a "
            "folder or an .h5 file of real images."
        )
    else:
        check_dataset(real.dataset)


def open_references(real: RealImages) -> dict[str, DataSet]:
    """Real images by split, with their labels if there are some. See check_references().

    Those of a folder or file of `reference` that has no test split are called "reference": who
    knows that it is what was trained on gives it as `dataset`.
    """
    if real.reference is not None and real.reference not in SPLITS:
        elsewhere = replace(real, dataset=real.reference, source=None)
        found = _splits(elsewhere, SPLITS)
        return found if "test" in found else {"reference": found["train"]}
    found = _splits(real, SPLITS if real.reference is None else (real.reference,))
    if not real.back:
        return found
    # a test split may hold images alone
    return {name: data.turned() for name, data in found.items() if data.source is not None}


def _splits(real: RealImages, names: Sequence[str]) -> dict[str, DataSet]:
    """Those of these splits that there are; UserError if the first one is not."""
    assert real.dataset is not None
    found = {}
    for name in names:
        how = (real.data_root, name, real.size, real.crop, real.source)
        try:
            found[name] = open_dataset(real.dataset, *how)
        except NoSuchSplit:
            if name == names[0]:
                raise
    return found


def origin_of(
    updater: Updater, seed: int, truncation: float | None = None, statistics: str | None = None
) -> Origin:
    """Where the images of updater.sample() with these arguments come from."""
    weights = "ema" if updater.average is not None else "raw"
    classes = updater.spec.classes if updater.config.condition == "labels" else ()
    held_out = updater.held_out
    source = None if held_out is None else held_out.data.provenance.get("sources")
    bn_mode = statistics or updater.config.statistics
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
    series = updater.series(seed, truncation, statistics=statistics)
    starts = range(batch_size * rank, n, batch_size * world)
    parts = [range(start, min(start + batch_size, n)) for start in starts]
    batches = map(series.labelled, parts)
    return batches if pairs is None else pairs.watch(batches, seed, parts)


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


def featureless_scores(
    updater: Updater,
    train: Images,
    samples: Iterator[Batch],
    n: int,
    origin: Origin,
    seed: int,
    progress: Progress,
) -> dict[str, Score]:
    """Scores of the n samples of a seed without an extractor, as sequences have none: by the images
    that belong to their sources, and by the frames that came. train: see PairScores. UserError
    where no images belong to sources.
    """
    if not has_pairs(updater):
        raise UserError(no_features(updater.spec.frames))
    pairs = PairScores(updater, train)
    scores = pairs.scores(origin, seed, counted(pairs.watch(samples, seed), n, progress))
    return scores | frame_scores(updater, origin, progress)


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
    """What an Evaluator tells of its progress, as a bar that is gone at the end."""
    columns = (*Bar.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        tasks = {}

        def progress(what: str, done: int, total: int | None) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done)

        yield progress
