"""From a target to its scores: load, look at the first images, score, print, write."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import click

from ganlib.commands import _common_options, _self_test
from ganlib.commands._asked import Asked
from ganlib.commands._outputs import output
from ganlib.commands._pair_scores import pair_scores
from ganlib.commands._score_files import Scored, write_scores
from ganlib.commands._score_table import describe, show
from ganlib.commands._targets import Target, is_run, open_target
from ganlib.common.console import stderr_console
from ganlib.common.errors import UserError
from ganlib.common.paths import reading
from ganlib.common.printable import printable
from ganlib.evaluation import Evaluation, Evaluator
from ganlib.evaluation.blocks import as_block, as_uint8, blocks
from ganlib.evaluation.metric import METRICS, check_needs, find_metrics, labelled_metrics
from ganlib.evaluation.real import Given
from ganlib.registry import add_plugins
from ganlib.training import devices
from ganlib.training.frames import frame_scores
from ganlib.training.pairs import has_pairs, scored
from ganlib.training.scoring import (
    RealImages,
    featureless_scores,
    make_evaluator,
    no_features,
    open_references,
    progress_bar,
)


def evaluate(path: Path, asked: Asked) -> None:
    """Everything in its order."""
    wanted, device = _metrics(asked), _prepare(asked)
    find_metrics(wanted or ())
    target = open_target(path, device, asked.drawing, asked.real, asked.best, asked.value_range)
    evaluator = _evaluator_if_any(target, asked, device)
    for _, file, _ in asked.files:
        with output(file):  # a wrong place shows before the work is done
            pass
    if evaluator is None:
        found = Scored(target, None, _featureless(target, asked), None)
    else:
        found = _scored(target, evaluator, wanted, asked, device)
    extractor = None if evaluator is None else evaluator.extractor
    show(found.result.scores, str(target.path), describe(target.origin, extractor))
    write_scores(found, path if is_run(path) and not asked.no_save else None, asked)


def _evaluator_if_any(target: Target, asked: Asked, device: str) -> Evaluator | None:
    """None for sequences, of which no extractor has features, and where it cannot be had, but there
    is something to compare with. UserError if features are asked for then.
    """
    updater = target.updater
    if updater is not None and updater.spec.frames > 1:
        if asked.features:
            raise UserError(no_features(updater.spec.frames))
        return None
    try:
        real = _real(target, asked)
        own = {} if asked.dataset is not None else target.settings
        with reading(real.reference or str(real.dataset)):
            name = asked.extractor or own.get("extractor")
            return make_evaluator(real, name, asked.options, device)
    except UserError as error:
        if asked.features or updater is None or not has_pairs(updater):
            raise
        click.echo(f"Warning: Nothing is scored in features. {printable(error)}", err=True)
        return None


def _featureless(target: Target, asked: Asked) -> Evaluation:
    """Comparisons with the images that belong to sources, and with the frames that came."""
    real, updater = replace(_real(target, asked), reference="train"), target.updater
    assert updater is not None
    with reading(str(real.dataset)):
        (train,) = open_references(real).values()
    n, origin = scored(updater, asked.n), target.origin
    with _told_warnings(), progress_bar(stderr_console()) as progress:
        more = target.batches(), n, origin, asked.seed, progress
        return Evaluation(featureless_scores(updater, train.x, *more))


def _scored(
    target: Target,
    evaluator: Evaluator,
    wanted: tuple[str, ...] | None,
    asked: Asked,
    device: str,
) -> Scored:
    """Scores in features, and the same comparisons."""
    pairs = pair_scores(target.updater, evaluator, asked.lpips_weights, asked.segments, device)
    given, images = _begun(target, evaluator)
    if pairs is not None:
        images = pairs.watch(images, asked.seed)
    metrics = wanted or _sensible(given, asked)
    check_needs(find_metrics(metrics), given)
    with _told_warnings(), progress_bar(stderr_console()) as progress:
        if pairs is not None:
            pairs.prepare(progress)
        # what a file holds was looked at when it was opened
        result = evaluator(
            images, metrics, asked.n, target.origin, progress, value_range=(-1.0, 1.0)
        )
        if pairs is not None:
            how = (evaluator, metrics, target.origin, asked.seed, images, progress)
            result = replace(result, scores=pairs.joined(result.scores, *how))
        if target.updater is not None:
            frames = frame_scores(target.updater, target.origin, progress)
            result = replace(result, scores=result.scores | frames)
    if not result.scores:
        name = evaluator.extractor.name
        raise UserError(
            f"None of {', '.join(metrics)} can be had from these images in the features of "
            f"'{name}': give other --metrics or more images."
        )
    return Scored(target, evaluator, result, pairs)


def _prepare(asked: Asked) -> str:
    """Register plugins; the device as PyTorch calls it."""
    for folder in asked.plugin_dir:
        with reading(folder):
            add_plugins(folder)
    return str(devices.pick_device(None, _common_options.chosen(asked.gpu, asked.device)))


def _metrics(asked: Asked) -> tuple[str, ...] | None:
    """Those asked for, None if the choice is ours."""
    if asked.metrics is None:
        return None
    names = tuple(name.strip() for name in asked.metrics.split(","))
    if asked.duplicates_picture is not None and "duplicates" not in names:
        names += ("duplicates",)
    if asked.cas and "cas" not in names:
        names += ("cas",)
    return names


def _sensible(given: Given, asked: Asked) -> tuple[str, ...]:
    names: tuple[str, ...] = METRICS
    # nothing was trained on the test images, so a copy of one is chance
    if given.main == "test" and asked.duplicates_picture is None:
        names = tuple(name for name in METRICS if name != "duplicates")
    return (*names, *labelled_metrics(given), *(("cas",) if asked.cas else ()))


def _real(target: Target, asked: Asked) -> RealImages:
    """What names the real images, by the options first, then by the settings of the run."""
    real, run = asked.real, target.settings
    own = {} if real.dataset is not None else run
    root = Path(own["data_root"]) if own.get("data_root") else None
    return replace(
        real,
        dataset=real.dataset or own.get("dataset"),
        data_root=real.data_root or root,
        size=run.get("size") if real.size is None else real.size,
        crop=run.get("crop") if real.crop is None else real.crop,
        source=real.source or run.get("source"),
    )


def _begun(target: Target, evaluator: Evaluator) -> tuple[Given, Iterator[Any]]:
    """What there is for these images, and all their batches; the first one is checked here, before
    the reference's statistics are computed, which may take an hour.
    """
    with reading(target.path):
        batches = target.batches()
        first = next(batches, None)
    if first is None:
        raise UserError(f"There are no images in {target.path}.")
    height, width = evaluator.images[evaluator.main].shape[2:]
    for block in blocks([first], (height, width)):
        as_uint8(block.images)
    return evaluator.given(target.origin, as_block(first).labels), chain([first], batches)


@contextmanager
def _told_warnings() -> Iterator[None]:
    """Each distinct warning becomes one line on stderr at the end."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for text in dict.fromkeys(str(warning.message) for warning in caught):
        click.echo(f"Warning: {printable(text)}", err=True)


def self_test(asked: Asked) -> int:
    """Print every answer on real images; the exit status, 1 if one is wrong."""
    device, console, wrong = _prepare(asked), stderr_console(), False
    with _told_warnings():
        for answer in _self_test.answers(
            asked.dataset, asked.data_root, asked.extractor, asked.options, device, console
        ):
            click.echo(printable(answer))
            wrong = wrong or answer.right is False
    return int(wrong)
