"""From a target to its scores: load, look at the first images, score, print, write."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import click

from ganlib.commands.options import shared as _common_options
from ganlib.commands.scores import self_test as _self_test
from ganlib.commands.scores.files import Scored, write_scores
from ganlib.commands.scores.options import Asked
from ganlib.commands.scores.table import describe, show
from ganlib.commands.scores.targets import Target, is_run, open_target
from ganlib.common.errors import UserError
from ganlib.common.io.console import printable, stderr_console
from ganlib.common.io.files import output, reading
from ganlib.evaluation import Evaluator
from ganlib.evaluation.formats.blocks import as_block, as_uint8, blocks
from ganlib.evaluation.metrics.base import METRICS, check_needs, find_metrics, labelled_metrics
from ganlib.evaluation.pairs.pixels import Measure
from ganlib.evaluation.statistics.real import Inputs
from ganlib.registry import add_plugins
from ganlib.training.device import devices
from ganlib.training.scores.scorer import all_scores, evaluator_if_any, progress_bar
from ganlib.training.scores.translations import PairScores, for_pairs, has_pairs, pairs_of, scored


def evaluate(path: Path, asked: Asked) -> None:
    """Everything in its order."""
    wanted, device = _metrics(asked), _prepare(asked)
    find_metrics(wanted or ())
    target = open_target(path, device, asked.drawing, asked.real, asked.best, asked.value_range)
    real = asked.real.completed(target.settings)
    measure = _lpips(target, asked, device)
    own = None if asked.dataset is not None else target.settings.get("extractor")
    how = target.updater, asked.features, asked.options, device
    with _told_warnings(), reading(real.reference or str(real.dataset)):
        evaluator, references = evaluator_if_any(real, asked.extractor or own, *how)
    for _, file, _ in asked.files:
        with output(file):  # a wrong place shows before the work is done
            pass
    pairs = pairs_of(target.updater, references, measure, asked.segmenting)
    found = _scored(target, evaluator, pairs, wanted, asked)
    extractor = None if evaluator is None else evaluator.extractor
    show(found.result.scores, str(target.path), describe(target.origin, extractor))
    write_scores(found, path if is_run(path) and not asked.no_save else None, asked)


def _lpips(target: Target, asked: Asked, device: str) -> Measure | None:
    """What compares with the images that belong to sources by LPIPS, if that is asked for."""
    if asked.lpips_weights is None:
        return None
    if target.updater is None or not has_pairs(target.updater):
        raise UserError(for_pairs("--lpips-weights"))
    from ganlib.evaluation.pairs.lpips import lpips  # a slow import that few ask for

    return lpips(asked.lpips_weights, device)


def _scored(
    target: Target,
    evaluator: Evaluator | None,
    pairs: PairScores | None,
    wanted: tuple[str, ...] | None,
    asked: Asked,
) -> Scored:
    if evaluator is None:
        images, metrics = target.batches(), wanted or ()
    else:
        inputs, images = _begun(target, evaluator)
        metrics = wanted or _sensible(inputs, asked)
        check_needs(find_metrics(metrics), inputs)
    updater = target.updater
    n = asked.n if updater is None else scored(updater, asked.n)
    with _told_warnings(), progress_bar(stderr_console()) as progress:
        how = updater, evaluator, metrics, pairs, progress
        result = all_scores(images, n, target.origin, *how, asked.intra_images, asked.batch_size)
    if evaluator is not None and not result.scores:
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


def _sensible(inputs: Inputs, asked: Asked) -> tuple[str, ...]:
    names: tuple[str, ...] = METRICS
    # nothing was trained on the test images, so a copy of one is chance
    if inputs.main == "test" and asked.duplicates_picture is None:
        names = tuple(name for name in METRICS if name != "duplicates")
    return (*names, *labelled_metrics(inputs), *(("cas",) if asked.cas else ()))


def _begun(target: Target, evaluator: Evaluator) -> tuple[Inputs, Iterator[Any]]:
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
    return evaluator.inputs(target.origin, as_block(first).labels), chain([first], batches)


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
