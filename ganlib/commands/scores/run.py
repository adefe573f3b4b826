"""From a target to its scores: load, score, print, write."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import click

from ganlib.commands.scores import self_test as _self_test
from ganlib.commands.scores.options import Options
from ganlib.commands.scores.outputs import describe, show, write_scores
from ganlib.commands.scores.targets import open_target
from ganlib.common.errors import UserError
from ganlib.common.io.console import printable, progress_bar, say, stderr_console
from ganlib.common.io.files import output, reading
from ganlib.common.query import DataQuery
from ganlib.evaluation.extractors.base import Extractor, has_arithmetic
from ganlib.evaluation.metrics.base import all_metrics, find_metrics
from ganlib.training.scores.scorer import make_scorer

LONG = 60.0  # seconds; what takes longer is told of first


def evaluate(path: Path, options: Options) -> None:
    """Everything in its order."""
    find_metrics(options.criteria.metrics or ())
    target = open_target(path, options)
    real = options.real.completed(DataQuery.of_run(target.settings))
    own = None if options.real.dataset is not None else target.settings.get("extractor")
    with _warning_lines(), reading(real.name):
        scorer = make_scorer(
            target.updater, real, options.criteria, all_metrics, own, options.device
        )
    for file in options.outputs.files.values():
        with output(file):  # a wrong place shows before the work is done
            pass
    console = stderr_console()
    with _warning_lines(), progress_bar(console) as progress:
        if scorer.evaluator is not None:
            count, seconds = scorer.evaluator.cost(options.drawing.n, progress)
            if seconds > LONG:
                took = timedelta(seconds=round(seconds))
                words = f"Features of {count:,} images at most, real ones once: about {took}."
                say(console, words + _faster(scorer.evaluator.extractor))
        result = scorer(options.drawing, progress, target.pictures)
    extractor = None if scorer.evaluator is None else scorer.evaluator.extractor
    if extractor is not None and not result.scores:
        raise UserError(
            f"None of {', '.join(options.criteria.metrics or ())} can be had from these images in "
            f"the features of '{extractor.name}': give other --metrics or more images."
        )
    show(result.scores, str(target.path), describe(target.origin, extractor))
    write_scores(path, target, scorer, result, options)


def _faster(extractor: Extractor) -> str:
    """By which flags a CPU may take less time: Inception a fifth of it."""
    if extractor.device.type != "cpu" or extractor.options.channels_last:
        return ""
    exact = extractor.options.precision == "float32"
    precision = "--precision bf16 " if exact and has_arithmetic(extractor.device, "bf16") else ""
    return f" With {precision}--channels-last it may be faster, by a protocol of its own."


@contextmanager
def _warning_lines() -> Iterator[None]:
    """Each distinct warning becomes one line on stderr at the end."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for text in dict.fromkeys(str(warning.message) for warning in caught):
        click.echo(f"Warning: {printable(text)}", err=True)


def self_test(options: Options) -> int:
    """Print every answer on real images; the exit status, 1 if one is wrong."""
    console, wrong = stderr_console(), False
    with _warning_lines():
        for answer in _self_test.answers(options.real, options.criteria, options.device, console):
            click.echo(printable(answer))
            wrong = wrong or answer.right is False
    return int(wrong)
