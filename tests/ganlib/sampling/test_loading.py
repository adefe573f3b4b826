"""ganlib.load and the verbs, of what is no run: exports, the gallery, names that nobody has."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import Result
from PIL import Image

import ganlib
from ganlib.common.errors import UserError
from ganlib.sampling import loading
from ganlib.sampling.loading import is_export, shareable

Make = Callable[..., Path]
Run = Callable[..., Result]


@pytest.fixture
def exported(run: Run, make_snapshot: Make, toy_file: Path) -> Path:
    """What `ganlib export` wrote of a run's average on toy data, in the folder "out"."""
    path = make_snapshot(dataset=str(toy_file), ema_decay=0.5)
    assert run("export", path, "--out", "out", "--format", "safetensors").exit_code == 0
    return Path("out")


def refused(result: Result) -> str:
    assert isinstance(result.exception, UserError), result.output
    return str(result.exception)


def test_the_verbs_take_an_export_as_they_take_its_run(run: Run, exported: Path) -> None:
    Image.new("L", (28, 28), "grey").save("grey.png")
    for out, verb, *arguments in (
        ("samples.png", "sample"),
        ("walk.png", "interpolate", "--frames", 3),
        ("codes.png", "invert", "grey.png", "--steps", 1),
    ):
        made = []
        for place in (exported, "run"):
            name = Path(out).with_suffix(".npz") if verb == "invert" else out
            result = run(verb, place, *arguments, "--out", name, "--force")
            assert result.exit_code == 0, result.exception
            made.append(Path(out).read_bytes())
        assert made[0] == made[1]
    assert run("export", exported, "--out", "again", "--format", "safetensors").exit_code == 0
    cards = [json.loads(Path(out, "model_card.json").read_text()) for out in ("out", "again")]
    assert all(card.pop("sha256") for card in cards) and cards[0] == cards[1]
    assert torch.equal(ganlib.load("again").sample(3), ganlib.load("run").sample(3))


def test_an_export_is_scored_as_its_run_and_the_scores_go_into_a_file(
    run: Run, exported: Path, toy_file: Path
) -> None:
    options = ["-n", 16, "--metrics", "kid", "--extractor", "fashion", "--dataset", toy_file]
    found = []
    for place in (exported, "run"):
        result = run("evaluate", place, *options, "--out", "x.json", "--force")
        assert result.exit_code == 0, result.exception
        found.append(json.loads(Path("x.json").read_text()))
    assert found[0]["scores"] == found[1]["scores"] and found[0]["target"] == "out"
    before = {path.name for path in exported.iterdir()}
    said = run("evaluate", exported, *options).stderr
    assert "An export keeps no scores: --out FILE.json does." in said
    assert {path.name for path in exported.iterdir()} == before


def test_what_an_export_has_not_is_refused(run: Run, exported: Path, toy_file: Path) -> None:
    for verb in ("sample", "evaluate"):
        for at in ("best", "3"):
            assert f"--at={at} is for a run's folder, and out is none" in refused(
                run(verb, exported, "--at", at)
            )
        words = refused(run(verb, exported / "generator.safetensors"))
        assert "is a file of an export: give its folder, out." in words
    assert "ema_length is for a run's folder" in refused(run("sample", exported, "--ema-length", 1))
    refused(run("sample", exported, "--back"))
    options = ["--weights", "raw", "--dataset", toy_file]
    assert "the moving average alone" in refused(run("evaluate", exported, *options))
    assert "no data set 'toy'" in refused(run("evaluate", exported))
    assert "name the folder of a run" in refused(run("film", exported))


def test_a_card_tells_no_path_and_opens_none(exported: Path, toy_file: Path) -> None:
    text = (exported / "model_card.json").read_text()
    assert str(toy_file.parent) not in text
    card: dict[str, Any] = json.loads(text)
    card["settings"] |= {"dataset": "/etc", "source": "unpaired:http://there/horses"}
    (exported / "model_card.json").write_text(json.dumps(card))
    settings = ganlib.load(exported).settings
    assert (settings["dataset"], settings["source"]) == ("etc", "unpaired:horses")
    with pytest.raises(UserError, match="no data set 'etc'"):
        ganlib.load(exported).evaluate(8)


@pytest.mark.parametrize(
    ("source", "short"),
    [
        ("edges:0.1,0.2", "edges:0.1,0.2"),
        ("grey", "grey"),
        ("/home/me/edges", "./edges"),
        ("./edges", "./edges"),
        ("unpaired:wardrobe", "unpaired:wardrobe"),
        ("unpaired:~/horses.h5", "unpaired:horses"),
    ],
)
def test_sources_keep_their_words_and_lose_their_paths(source: str, short: str) -> None:
    assert shareable({"source": source, "dataset": "emoji"}) == {
        "source": short,
        "dataset": "emoji",
    }


def test_the_gallery_is_opened_by_name(
    run: Run, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = ganlib.load(exported).sample(2)
    exported.rename("shoes")
    monkeypatch.setattr(loading, "GALLERY", Path.cwd())
    model = ganlib.load("gallery:shoes")
    assert torch.equal(model.sample(2), images)
    assert repr(model) == "<dcgan, 1x28x28, iteration 7: gallery:shoes>"
    assert run("sample", "gallery:shoes").exit_code == 0
    words = "The gallery has no 'boots'; there are: shoes."
    for verb in ("sample", "evaluate"):
        assert refused(run(verb, "gallery:boots")) == words


def test_what_is_there_wins_over_a_hub(run: Run, exported: Path) -> None:
    Path("me").mkdir()
    exported.rename("me/gan")
    assert is_export("me/gan") and ganlib.load("me/gan").place == "me/gan"
    for name in ("me/gun", "me/gun@v1", "a.b/c-d_e@refs/pr/1", "gallery:x"):
        assert is_export(name)
    for name in (
        "gun",
        "me/gun.pt",
        "me/gun.npz",
        "/me/gun",
        "./me",
        "../me",
        "a/b/c",
        "a/b@",
        "/",
    ):
        assert not is_export(name)


def test_a_hub_needs_a_package(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    for verb in ("sample", "evaluate"):
        words = "me/gan is no file or folder here; to ask a hub for it: pip install ganlib[hub]"
        assert refused(run(verb, "me/gan")) == words
