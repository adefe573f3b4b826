"""The recipes of CONTRIBUTING.md, followed to the letter in a copy of the library."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import ganlib

ROOT = Path(ganlib.__file__).resolve().parents[1]
BLOCK = re.compile(r"^`([\w/.]+)`([^\n]*)\n\n```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGE = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
RECIPES = BLOCK.findall(PAGE)
TRIED = """
import json
from pathlib import Path
import torch
import ganlib
from click.testing import CliRunner
from ganlib.__main__ import cli
from ganlib.common.losses import loss_dis_pearson
from ganlib.common.query import open_dataset

small = {"dataset": "checkers", "max_iter": 3, "batch_size": 4, "width": 0.05, "gpu": -1}
small |= {"tensorboard": False, "evaluation_interval": 0, "sample_interval": 0, "adam_alpha": 0.01}

def distances(*flags):
    words = ["evaluate", "translated", "-n", "16", "--metrics", "fid", "--extractor", "fashion"]
    done = CliRunner().invoke(cli, [*words, "--no-save", "--out", "scores.json", "--force", *flags])
    assert done.exit_code == 0, done.output
    return json.loads(Path("scores.json").read_text())["scores"]

model = ganlib.train("pearson", **small, extension="csv_log", out="run")
x = model.sample(64, seed=0).add(1).mul(127.5).round()
(score,) = model.evaluate(64, ["brightness"], extractor="fashion").values()
ganlib.train("pearson", **small, sample_seed=7, out="other_grid")
ganlib.train("pix2pix", **small, architecture="quick", source="masked", out="translated")
data = open_dataset("checkers")
negative = open_dataset("checkers", source="negative")
print(json.dumps({
    "loss": loss_dis_pearson(torch.tensor([1.0, 3.0]), torch.tensor([2.0, -2.0])).item(),
    "classes": data.classes,
    "shape": data.x.shape,
    "labels": data.y[:8].tolist(),
    "rows": data.x[:8, 0, 0].tolist(),
    "sums": (negative.x + negative.source).unique().tolist(),
    "help": CliRunner().invoke(cli, ["data", "info", "--help"]).output,
    "score": [score.name, score.value, score.better],
    "means": [x.mean().item(), data.x[:64].double().mean().item()],
    "with": distances(),
    "without": distances("--no-baselines"),
}))
"""
"""What a person who followed them would try."""


def followed(place: Path) -> Path:
    """A copy of the library in which all recipes are followed."""
    heavy = shutil.ignore_patterns("common", "evaluation", "bundled", "weights")
    for name in ("ganlib", "common", "evaluation"):
        shutil.copytree(ROOT / name, place / name, ignore=heavy)
    for name in ("common/datasets/bundled", "evaluation/extractors/weights"):
        (place / name).symlink_to(ROOT / name)
    for name in ("common", "evaluation"):
        (place / "ganlib" / name).symlink_to(place / name)
    for name, where, text in RECIPES:
        file = place / name
        file.parent.mkdir(exist_ok=True)
        assert file.exists() == bool(where), f"{name}{where}"
        file.write_text(edited(file.read_text("utf-8"), where, text) if where else text, "utf-8")
    return place


def edited(before: str, where: str, text: str) -> str:
    """A file with `text` where a recipe says: at its end, below a line, or in place of one."""
    if where == ", at its end":
        return f"{before}\n\n{text}"
    ((how, line),) = re.findall("^, (below|in place of) `(.*)`$", where)
    assert before.count(f"\n{line}\n") == 1, line
    return before.replace(f"\n{line}\n", f"\n{line}\n{text}" if how == "below" else f"\n{text}")


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The folder in which TRIED ran, and what it printed."""
    place = followed(tmp_path_factory.mktemp("library"))
    environment = {**os.environ, "PYTHONPATH": str(place), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", TRIED], cwd=place, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return place, json.loads(done.stdout.splitlines()[-1])


def test_every_room_is_in_the_table() -> None:
    """And each room of it, by its name."""
    table = dict(re.findall(r"^\| `([\w/]+)/`(.*)$", PAGE, re.MULTILINE))
    for room in ("commands", "contract", "runs", "sampling", "speed", "training"):
        table[room] = table.pop(f"ganlib/{room}")
    for room, text in table.items():
        inner = ROOT / "ganlib" / room
        rooms = {file.parent.name for file in inner.glob("*/__init__.py")}
        assert {name for name in rooms if f"`{name}/`" not in text} == set(), room


def test_a_loss(tried: tuple[Path, dict[str, Any]]) -> None:
    """By hand: (2 + 1 - 2 + 1) / 2 - (1 + 3) / 2; a method of it trains."""
    place, found = tried
    assert found["loss"] == -1
    assert (place / "run" / "DONE").exists()


def test_a_metric(tried: tuple[Path, dict[str, Any]]) -> None:
    name, value, better = tried[1]["score"]
    samples, real = tried[1]["means"]
    assert (name, better) == ("brightness64-train", "lower")
    assert value == pytest.approx(abs(samples - real), rel=1e-6) and value > 0


def test_a_data_set(tried: tuple[Path, dict[str, Any]]) -> None:
    """A row of a board changes its colour at each multiple of the side, shifted."""
    found = tried[1]
    assert found["shape"] == [200, 1, 32, 32] and found["classes"] == ["small", "large"]
    for label, row in zip(found["labels"], found["rows"], strict=True):
        changes = [k for k in range(1, 32) if row[k] != row[k - 1]]
        side = (4, 8)[label]
        assert set(row) == {0, 255} and len(changes) in (32 // side - 1, 32 // side)
        assert {b - a for a, b in pairwise(changes)} == {side}


def test_a_source(tried: tuple[Path, dict[str, Any]]) -> None:
    assert tried[1]["sums"] == [255]
    assert "masked[:SEED]; negative; own;" in " ".join(tried[1]["help"].split())


def test_an_extension(tried: tuple[Path, dict[str, Any]]) -> None:
    with (tried[0] / "run" / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["iteration"] for row in rows] == ["1", "2", "3"]
    assert all(float(row["loss_dis"]) == float(row["loss_dis"]) for row in rows)


def test_a_flag_of_train(tried: tuple[Path, dict[str, Any]]) -> None:
    """The same run shows samples of another seed."""
    runs = [tried[0] / name for name in ("run", "other_grid")]
    grids = [(run / "samples" / "0000003.png").read_bytes() for run in runs]
    assert grids[0] != grids[1]
    losses = [json.loads((run / "log.jsonl").read_text().splitlines()[-1]) for run in runs]
    assert losses[0]["loss_dis"] == losses[1]["loss_dis"]
    assert "\nsample_seed: 7\n" in (runs[1] / "config.yaml").read_text()


def test_a_flag_of_evaluate(tried: tuple[Path, dict[str, Any]]) -> None:
    """Frechet distances have baselines beside them or not, and are the same."""
    more, less = tried[1]["with"], tried[1]["without"]
    distances = [name for name in more if name.startswith("FD-")]
    assert distances and more.keys() == less.keys()
    for name in distances:
        assert "more" in more[name] and "more" not in less[name]
        assert more[name]["value"] == less[name]["value"]
