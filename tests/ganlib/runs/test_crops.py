"""Whole runs on random crops, of files of unequal size and of images in one file."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import ganlib
from ganlib.__main__ import cli
from ganlib.common.errors import UserError
from ganlib.common.io.jsonl import read_lines
from ganlib.common.query import open_dataset
from ganlib.evaluation.statistics.references import pixel_digest

SETTINGS: dict[str, Any] = {
    "algorithm": "dcgan",
    "width": 0.05,
    "batch_size": 4,
    "gpu": -1,
    "sample_interval": 0,
    "crop": 16,
    "jitter": 4,
    "flip": True,
    "dataset": "photos",
}
SCORED = {"evaluation_interval": 3, "evaluation_images": 20, "extractor": "fashion"}


@pytest.fixture(autouse=True)
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten training and three test images of as many sizes in ./photos."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for split, n in (("train", 10), ("test", 3)):
        (Path("photos") / split).mkdir(parents=True)
        for i in range(n):
            pixels = random.integers(0, 256, (17 + i, 40 - 2 * i, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(Path("photos") / split / f"{i}.png")


def networks(model: ganlib.Model) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = model.updater.state_dict()
    return state


def spoil(path: Path) -> None:
    """Write zeros over the middle of a file, which only those notice who decode it."""
    content = bytearray(path.read_bytes())
    third = len(content) // 3
    content[third : 2 * third] = bytes(third)
    path.write_bytes(content)


def test_a_run_goes_on_past_files_that_cannot_be_read(capfd: pytest.CaptureFixture[str]) -> None:
    for number in (3, 7):
        spoil(Path(f"photos/train/{number}.png"))
    plain = {**SETTINGS, "snapshot_interval": 3}
    whole = ganlib.train(**plain, max_iter=6, out="whole")
    said = capfd.readouterr().err
    assert "photos: 10 images" in said
    for number in (3, 7):
        assert said.count(f"{number}.png is of no use (damaged): another stands in its place") == 1
    ganlib.train(**plain, max_iter=3, out="parts")
    parts = ganlib.train(resume="parts", max_iter=6)
    a, b = networks(whole), networks(parts)
    assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.filterwarnings("ignore:.* images are too few")
def test_training_2n_is_training_n_and_resuming() -> None:
    whole = ganlib.train(**SETTINGS, **SCORED, max_iter=6, out="whole")
    ganlib.train(**SETTINGS, max_iter=3, out="parts", snapshot_interval=3)
    parts = ganlib.train(resume="parts", max_iter=6)
    assert (whole.updater.spec.native, whole.updater.spec.image) == ((3, 16, 16), (3, 16, 16))
    a, b = networks(whole), networks(parts)
    assert a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
    for other in ({"crop": 17}, {"jitter": 0}):
        with pytest.raises(UserError, match=f"{next(iter(other))} was .* and is now"):
            ganlib.train(resume="parts", **{"max_iter": 6, **other})

    digests = {
        split: pixel_digest(open_dataset("photos", split=split, crop=16).x)
        for split in ("train", "test")
    }
    trained = read_lines(Path("whole/scores.jsonl"))[-1]["scores"]
    command = [
        "evaluate",
        "whole",
        "--device",
        "cpu",
        "-n",
        "20",
        "--metrics",
        "fid",
        "-o",
        "s.json",
    ]
    assert CliRunner().invoke(cli, command, catch_exceptions=False).exit_code == 0
    afterwards = json.loads(Path("s.json").read_text())["scores"]
    for split, digest in digests.items():
        name = f"FD-fashion20-{split}"
        assert digest in json.dumps(trained[name]["protocol"])
        assert afterwards[name]["value"] == trained[name]["value"]
