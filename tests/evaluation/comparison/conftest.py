"""Run folders, written by hand, and their tables."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from ganlib.evaluation.comparison.compare import compare
from ganlib.evaluation.comparison.table import Table

PROTOCOL = {
    "extractor": "fashion",
    "n_generated": 10_000,
    "reference": "test",
    "settings": {"k": 3},
}


def _score(value: float, key: str = "aaaa", **changes: Any) -> dict[str, Any]:
    return {"value": value, "std": 0.5, "protocol": {**PROTOCOL, **changes}, "hash": key}


def _lines(path: Path, objects: list[Any]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in objects))


def _log(*seconds: float, rate: float = 640.0) -> list[dict[str, Any]]:
    """A line per 100 iterations of 64 images: each takes 10 seconds at the default rate."""
    return [
        {
            "iteration": 100 * i,
            "images": 6400 * i,
            "loss_dis": 1.0 / i,
            "seconds": s,
            "images_per_second": rate,
        }
        for i, s in enumerate(seconds, 1)
    ]


@pytest.fixture
def score() -> Callable[..., dict[str, Any]]:
    """score(5.0, "hash", n_generated=...): a score as it stands in scores.jsonl."""
    return _score


@pytest.fixture
def lines() -> Callable[..., None]:
    """lines(path, objects) writes one a line."""
    return _lines


@pytest.fixture
def log() -> Callable[..., list[dict[str, Any]]]:
    """log(10, 20, rate=640.0): the lines of a log by their seconds."""
    return _log


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """make("sngan", seed=1, scores={200: {"FD": 3.1}}, ...) writes the folder of a run."""

    def write(
        algorithm: str = "dcgan",
        seed: int = 0,
        scores: Mapping[int, Mapping[str, Any]] | None = None,
        done: bool = True,
        name: str = "",
        log_lines: list[dict[str, Any]] | None = None,
        device: str = "NVIDIA H100",
        **settings: Any,
    ) -> Path:
        folder = tmp_path / "result" / algorithm / (name or f"seed{seed}")
        folder.mkdir(parents=True)
        flat = {"algorithm": algorithm, "dataset": "toy", "seed": seed, "out": None, **settings}
        (folder / "config.yaml").write_text(yaml.safe_dump(flat))
        (folder / "environment.json").write_text(json.dumps({"device": device}))
        _lines(folder / "log.jsonl", _log(10, 20) if log_lines is None else log_lines)
        evaluations = [
            {
                "iteration": iteration,
                "scores": {
                    name: s if isinstance(s, dict) else _score(s, name) for name, s in given.items()
                },
            }
            for iteration, given in (scores or {}).items()
        ]
        if evaluations:
            _lines(folder / "scores.jsonl", evaluations)
        if done:
            (folder / "DONE").touch()
        return folder

    return write


@pytest.fixture
def the_table(tmp_path: Path) -> Callable[..., Table]:
    """the_table(best=True): the only one of the runs that were made."""

    def build(**options: bool) -> Table:
        (table,) = compare([tmp_path / "result"], **options)
        return table

    return build


@pytest.fixture
def texts() -> Callable[[Table], dict[str, list[str]]]:
    """texts(table): the scores of each row as they are shown."""

    def show(table: Table) -> dict[str, list[str]]:
        return {row.title: [text for text, _ in table.shown(row)] for row in table.rows}

    return show
