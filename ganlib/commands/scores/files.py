"""What `ganlib evaluate` leaves behind: lines in a run's folder, a JSON file, pictures."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
from PIL import Image

from ganlib.commands.scores.neighbours import neighbours
from ganlib.commands.scores.options import Asked
from ganlib.commands.scores.segmented import segmented
from ganlib.commands.scores.targets import Target
from ganlib.common.io.console import printable
from ganlib.common.io.files import MARK, atomic, output
from ganlib.common.io.jsonl import append_line
from ganlib.common.open_dataset import dataset_label
from ganlib.common.pictures import save
from ganlib.config import RunConfig
from ganlib.evaluation import Evaluation, Evaluator
from ganlib.evaluation.extractors.base import Options, default_extractor
from ganlib.training.scores.scorer import SCORES, TRIALS, scores_line
from ganlib.training.scores.translations import PairScores


@dataclass(frozen=True)
class Scored:
    """A target with its scores, and by what they were made."""

    target: Target
    evaluator: Evaluator | None
    result: Evaluation
    pairs: PairScores | None


def write_scores(scored: Scored, run: Path | None, asked: Asked) -> None:
    """The files that are asked for, and the line in the run's folder, if that is given."""
    target, result = scored.target, scored.result
    line = scores_line(result.scores, target.iteration, target.images)
    if run is not None:
        file = run / (TRIALS if _is_trial(target, asked) else SCORES)
        with output(file):
            append_line(file, line)
        click.echo(printable(file))
    if asked.out is not None:
        of = {"software": MARK, "target": str(target.path), **_data(target, asked)}
        text = json.dumps({**of, **line}, indent=2)
        with output(asked.out), atomic(asked.out) as temporary:
            temporary.write_text(text + "\n", "utf-8")
        click.echo(printable(asked.out))
    if asked.duplicates_picture is not None and result.nearest is not None:
        assert scored.evaluator is not None
        _draw(asked.duplicates_picture, neighbours(target, scored.evaluator, result.nearest))
    if asked.segmentation_picture is not None and scored.pairs is not None:
        _draw(asked.segmentation_picture, segmented(target, scored.pairs, asked.seed))


def _draw(path: Path, picture: Image.Image) -> None:
    with output(path):
        save(picture, path)
    click.echo(printable(path))


def _is_trial(target: Target, asked: Asked) -> bool:
    """Whether this is not how the run scores itself, so that the scores are none of its own."""
    run, own = target.settings, target.own
    usual = run.get("evaluation_images", RunConfig.model_fields["evaluation_images"].default)
    data, name = str(run.get("dataset")), run.get("extractor")
    return (
        asked.back
        or replace(target.origin, seed=None) != replace(own, seed=None)
        or asked.seed not in (0, own.seed)
        or asked.n < usual
        or asked.extractor not in (None, name or default_extractor(data))
        or replace(asked.options, weights=None) != Options()
        or asked.reference not in (None, "train", "test")
        or dataset_label(asked.dataset or data) != dataset_label(data)
        or asked.source not in (None, run.get("source"))
        or asked.size not in (None, run.get("size"))
        or asked.crop not in (None, run.get("crop"))
    )


def _data(target: Target, asked: Asked) -> dict[str, Any]:
    """The data that the images are like, for `compare`."""
    real = asked.real.completed(target.settings)
    source = {} if real.source is None else {"source": real.source}
    return {"dataset": real.dataset, "size": real.size, **source}
