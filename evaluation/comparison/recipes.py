"""Which settings tell one recipe from another."""

from collections.abc import Sequence
from typing import Any

from ganlib.evaluation.comparison.runs import Run
from ganlib.evaluation.comparison.values import differing

ELSEWHERE = {"algorithm", "dataset", "size", "seed"}
"""Settings that a table shows in a place of their own."""
NO_RECIPE = {
    "preset",
    "epochs",
    "force",
    "data_root",
    "out",
    "gpu",
    "device",
    "deterministic",
    "graph",
    "compile",
    "workers",
    "checkpoint_blocks",
    "resume",
    "max_hours",
    "display_interval",
    "sample_interval",
    "snapshot_interval",
    "evaluation_interval",
    "evaluation_images",
    "metrics",
    "segmentation",
    "extractor",
    "inception_weights",
    "keep_snapshots",
    "best_by",
    "tensorboard",
    "extension",
    "plugin_dir",
    "statistics",
    "vgg_weights",
}
"""Settings on which no number depends, or only those of scores, whose protocols have them."""


def recipe(run: Run) -> dict[str, Any]:
    """The settings that runs share if they differ in nothing but their seed."""
    return {k: v for k, v in run.settings.items() if k not in ELSEWHERE | NO_RECIPE}


def varied(runs: Sequence[Run]) -> list[str]:
    """The names of the settings in which the recipes of runs differ."""
    return differing(recipe(run) for run in runs)
