"""Runs that hold files out of training."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

import ganlib
from ganlib.common.errors import UserError
from ganlib.common.io.jsonl import read_lines
from ganlib.runs.run import gather
from ganlib.training.snapshot import newest_snapshot, read_snapshot

SMALL: dict[str, Any] = {
    **{"algorithm": "pix2pix", "dataset": "photos", "source": "grey", "width": 0.05, "jitter": 0},
    **{"batch_size": 2, "gpu": -1, "tensorboard": False, "sample_interval": 0, "max_iter": 2},
    **{"downs": 2, "n_layers": 1, "lr_decay": "none"},
}


@pytest.fixture(autouse=True)
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANLIB_CACHE", str(tmp_path / "cache"))
    Path("photos").mkdir()
    random = np.random.default_rng(0)
    for i in range(20):
        pixels = random.integers(0, 256, (16, 16, 3), np.uint8)
        Image.fromarray(pixels).save(f"photos/{i}.png")


def state(run: Path) -> dict[str, torch.Tensor]:
    modules: dict[str, torch.Tensor] = read_snapshot(newest_snapshot(run))["updater"]["modules"]
    return modules


@pytest.mark.filterwarnings("ignore:.*too few")
def test_a_run_says_which_files_it_holds_out_and_goes_on_without_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole = ganlib.train(extractor="emoji", **{**SMALL, "max_iter": 4})
    said = capsys.readouterr().err
    assert "Held out of training, by their names: 2 files, listed in " in said
    listed = (whole.out / "held_out.txt").read_text().split()
    assert len(listed) == 2 and all(Path(name).is_file() for name in listed)
    files = {tuple(np.asarray(Image.open(name)).flat) for name in listed}
    updater = whole.updater
    assert len(updater.data.data) == 18 and updater.held_out is not None
    seen = {tuple(x.permute(1, 2, 0).flatten().tolist()) for x in updater.held_out.data.x}  # type: ignore[attr-defined]
    assert seen == files
    (line,) = read_lines(whole.out / "scores.jsonl")
    assert line["scores"]["L1"]["protocol"]["reference"] == "test"
    assert yaml.safe_load((whole.out / "config.yaml").read_text())["hold_out"] == 0.1

    part = ganlib.train(evaluation_interval=0, **SMALL)
    with pytest.raises(UserError, match="hold_out was 0.1 and is now 0.2"):
        ganlib.train(resume=str(part.out), hold_out=0.2, max_iter=4)
    again = ganlib.train(resume=str(part.out), max_iter=4)
    ours, theirs = state(again.out), state(whole.out)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    later = ganlib.load(whole.out)
    later.give_sources()
    assert later.updater.held_out is not None
    assert torch.equal(later.updater.held_out.data.x, updater.held_out.data.x)  # type: ignore[arg-type]


def test_a_run_of_before_keeps_what_it_had() -> None:
    old = ganlib.train(evaluation_interval=0, hold_out=0, **SMALL)
    path = newest_snapshot(old.out)
    content = torch.load(path, weights_only=True)
    assert content["settings"].pop("hold_out") == 0
    torch.save(content, path)
    config = yaml.safe_load((old.out / "config.yaml").read_text())
    del config["hold_out"]
    (old.out / "config.yaml").write_text(yaml.safe_dump(config))
    longer = ganlib.train(resume=str(old.out), max_iter=3)
    assert len(longer.updater.data.data) == 20 and not (old.out / "held_out.txt").exists()
    (old.out / "DONE").unlink()
    with pytest.raises(UserError, match="hold_out was 0.0 and is now 0.1"):
        ganlib.train(evaluation_interval=0, resume="auto", **SMALL)


@pytest.mark.parametrize(
    ("given", "comes_to"),
    [
        ({"algorithm": "dcgan"}, 0),  # it starts from no images
        ({"dataset": "emoji"}, 0),  # it has test images
        ({}, 0.1),
        ({"hold_out": "5"}, 5),
        ({"source": "unpaired:photos", "dataset": "emoji", "algorithm": "cyclegan"}, 0.1),
    ],
)
def test_what_the_part_held_out_comes_to(given: dict[str, Any], comes_to: float) -> None:
    named = {name: SMALL[name] for name in ("algorithm", "dataset", "source")} | given
    if named["algorithm"] == "dcgan":
        del named["source"]
    assert gather(named).run.hold_out == comes_to


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"hold_out": 1.5}, "hold_out is 1.5, but should be a part below 1, or a whole number"),
        ({"hold_out": -1}, "hold_out is -1"),
        ({"hold_out": 0.1, "algorithm": "dcgan"}, "dcgan trains on all images: leave --hold-out"),
    ],
)
def test_what_cannot_be_held_out(given: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        gather({"algorithm": "pix2pix", "dataset": "photos"} | given)
