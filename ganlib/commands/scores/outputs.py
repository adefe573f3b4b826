"""What `ganlib evaluate` shows and leaves behind: a table; lines in a run's folder, a JSON file,
pictures.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import torch
from PIL import Image
from rich.console import Console
from torch import Tensor

from ganlib.commands._tables import print_table
from ganlib.commands.scores.options import Options
from ganlib.commands.scores.targets import Target, is_run
from ganlib.common.io.console import printable
from ganlib.common.io.files import MARK, output, write_text
from ganlib.common.io.jsonl import append_line
from ganlib.common.pictures import coloured_maps, grid, save, translation_grid
from ganlib.common.query import DataQuery, label
from ganlib.config import RunConfig
from ganlib.evaluation import Evaluation, Evaluator, Origin, Score
from ganlib.evaluation.comparison.runs import REAL
from ganlib.evaluation.comparison.table import NOTHING, figures
from ganlib.evaluation.extractors.base import Extractor, default_extractor
from ganlib.evaluation.extractors.base import Options as Arithmetic
from ganlib.evaluation.formats import as_uint8
from ganlib.evaluation.metrics.formulas import Nearest
from ganlib.evaluation.pairs.sums import exact
from ganlib.evaluation.protocol import BASELINES
from ganlib.training.scores.drawing import Drawing
from ganlib.training.scores.pairs import PairScores
from ganlib.training.scores.scorer import SCORES, TRIALS, Scorer, scores_line

NEIGHBOURS, ROWS = 32, 24
"""Of how many samples the pictures are at most."""
MEAN_IOU = "mean_iou"
WEIGHTS = {"ema": "moving average of the weights", "raw": "raw weights"}
LEFT = ("score", "reference", "protocol")


def show(
    scores: Mapping[str, Score], title: str, caption: str, console: Console | None = None
) -> None:
    """Print a row per score: its value, beside it its standard error and those of trivial
    translations and of real images, if it has some, of how many images, against which, under which
    protocol. Below them the mean IoU of each class.
    """
    baselines = list(dict.fromkeys(name for score in scores.values() for name in _baselines(score)))
    errors = any(score.error is not None for score in scores.values())
    over = ["± over draws"] if errors else []
    titles = ("score", "value", *over, *baselines, "n", "reference", "protocol")
    lines = [titles, *(_cells(score, baselines, errors) for score in scores.values())]
    by_class = [_by_class(scores[MEAN_IOU])] if MEAN_IOU in scores else []
    print_table(title, lines, [*by_class, caption], LEFT, console)


def describe(origin: Origin, extractor: Extractor | None) -> str:
    """In a line what all the scores of a table have in common; extractor: None where there are no
    features.
    """
    words = []
    if extractor is not None:
        words.append(f"features of '{extractor.name}' ({extractor.digest[:8]})")
        words.append(f"precision {extractor.describe()['precision']}")
    if origin.weights != "given":
        words.append(WEIGHTS.get(origin.weights, f"weights: {origin.weights}"))
        words.append(f"BatchNorm's {origin.bn_mode} statistics")
        words.append(f"truncation {origin.truncation or 'none'}")
        words.append(f"seed {origin.seed}")
    if origin.source is not None:
        words.append(f"sources: {origin.source}")
    return ", ".join(words)


def _by_class(score: Score) -> str:
    """In a line the score of each class, and that of real images."""
    theirs = score.more["real"]["by_class"]
    reached = {name: f" ({row['value']:.2f})" for name, row in theirs.items()}
    words = [
        f"{name} {row['value']:.2f}{reached.get(name, '')}"
        for name, row in score.more["by_class"].items()
    ]
    return f"{score.name} by class (real images): {', '.join(words)}"


def _baselines(score: Score) -> dict[str, float]:
    """What trivial translations reach, and real images."""
    real = {REAL: score.more["real"]["value"]} if "real" in score.more else {}
    return {**score.more.get(BASELINES, {}), **real}


def _cells(score: Score, baselines: Sequence[str], errors: bool) -> tuple[str, ...]:
    protocol = score.protocol
    spread = "" if score.std is None else f" ± {score.std:.2g}"
    against = NOTHING
    if protocol.n_reference is not None:
        against = f"{protocol.reference} ({protocol.n_reference:,})"
    known = _baselines(score)
    others = [figures(known[name]) if name in known else NOTHING for name in baselines]
    error = [NOTHING if score.error is None else f"{score.error:.2g}"] if errors else []
    mark = " rank_deficient" if protocol.rank_deficient else ""
    value = f"{figures(score.value)}{spread}"
    cells = (score.name, value, *error, *others)
    return *cells, f"{protocol.n_generated:,}", against, protocol.hash + mark


def write_scores(
    path: Path, target: Target, scorer: Scorer, result: Evaluation, options: Options
) -> None:
    """The files that are asked for, and the line in the folder of a run that lies at `path`."""
    outputs, model = options.outputs, target.model
    training = (None, None) if model is None else (model.updater.iteration, model.images)
    line = scores_line(result.scores, *training)
    if is_run(path) and not outputs.no_save:
        file = path / (TRIALS if _is_trial(target, options) else SCORES)
        with output(file):
            append_line(file, line)
        click.echo(printable(file))
    elif model is not None and model.card and outputs.out is None and not outputs.no_save:
        click.echo("An export keeps no scores: --out FILE.json does.", err=True)
    if outputs.out is not None:
        real = options.real.completed(DataQuery.of_run(target.settings))
        data = {"dataset": real.dataset, "size": real.size}  # for `compare`
        of = {"software": MARK, "target": str(target.path), **data}
        source = {} if real.source is None else {"source": real.source}
        with output(outputs.out):
            write_text(outputs.out, json.dumps({**of, **source, **line}, indent=2) + "\n")
        click.echo(printable(outputs.out))
    if outputs.duplicates_picture is not None and result.nearest is not None:
        assert scorer.evaluator is not None
        _draw(outputs.duplicates_picture, neighbours(target, scorer.evaluator, result.nearest))
    if outputs.segmentation_picture is not None and scorer.pairs is not None:
        _draw(outputs.segmentation_picture, segmented(target, scorer.pairs, options.drawing))


def _draw(path: Path, picture: Image.Image) -> None:
    with output(path):
        save(picture, path)
    click.echo(printable(path))


def _is_trial(target: Target, options: Options) -> bool:
    """Whether this is not how the run scores itself, so that the scores are none of its own."""
    run, own = target.settings, target.own
    drawing, criteria, real = options.drawing, options.criteria, options.real
    usual = run.get("evaluation_images", RunConfig.model_fields["evaluation_images"].default)
    data, name = str(run.get("dataset")), run.get("extractor")
    return (
        drawing.back
        or replace(target.origin, seed=None) != replace(own, seed=None)
        or drawing.seed not in (0, own.seed)
        or drawing.n < usual
        or criteria.extractor not in (None, name or default_extractor(data))
        or replace(criteria.options, weights=None) != _arithmetic(run)
        or criteria.rounding != run.get("evaluation_rounding", True)
        or real.reference not in (None, "train", "test")
        or label(real.dataset or data) != label(data)
        or real.source not in (None, run.get("source"))
        or real.size not in (None, run.get("size"))
        or real.crop not in (None, run.get("crop"))
    )


def _arithmetic(run: Mapping[str, Any]) -> Arithmetic:
    """By which a run with these settings finds features, whatever ganlib wrote it."""
    precision = run.get("evaluation_precision", "float32")
    return Arithmetic(None, precision, run.get("evaluation_channels_last", False))


def neighbours(target: Target, evaluator: Evaluator, nearest: Nearest) -> Image.Image:
    """The samples that lie nearest to training images, the nearest first, each above that image;
    nearest: of the target's images.
    """
    numbers = nearest.distance.argsort(stable=True)[:NEIGHBOURS]
    samples = as_uint8(target.pick(numbers.tolist())).cpu()
    real = evaluator.images[evaluator.main][nearest.which[numbers]].cpu()
    channels = max(samples.shape[1], real.shape[1])
    pairs = torch.cat([x.expand(-1, channels, -1, -1) for x in (samples, real)], dim=2)
    return grid(pairs / 127.5 - 1)


def segmented(target: Target, pairs: PairScores, drawing: Drawing) -> Image.Image:
    """Of the first held-out maps of a drawing the map, the target's output and what is found in
    it, and the real image and what is found in that. pairs: with its segmenter.
    """
    assert pairs.segmenter is not None and pairs.data.source is not None
    numbers = range(replace(drawing, n=ROWS).count(pairs.updater))
    index = drawing.stream(pairs.updater).held(numbers).cpu()
    maps, truth = pairs.data.source[index][:, 0], pairs.data.x[index].cpu()
    output = exact(target.pick(numbers)).cpu()
    found = [_with_classes(x, pairs.segmenter(x).cpu()) for x in (output, truth)]
    columns = {"map": coloured_maps(maps), "output, found": found[0], "real, found": found[1]}
    return translation_grid({name: x / 127.5 - 1 for name, x in columns.items()})


def _with_classes(x: Tensor, classes: Tensor) -> Tensor:
    """Images (n, C, H, W) and the classes of their pixels, uint8 (n, 2, 3, H, W)."""
    return torch.stack([x.expand(-1, 3, -1, -1), coloured_maps(classes)], 1)
