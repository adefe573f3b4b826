"""A model that is turned: sampled, scored and exported the way back, in Python and by command."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import Result
from PIL import Image
from tiny_extractor import tiny_extractor

import ganlib
from ganlib.common.data import DataSet
from ganlib.common.errors import UserError
from ganlib.common.formats.hdf5 import read_hdf5
from ganlib.common.formats.hdf5_writing import write_hdf5
from ganlib.common.io.jsonl import read_lines
from ganlib.evaluation import differences
from ganlib.evaluation.protocol import Protocol
from ganlib.sampling.exports.export import load_export
from ganlib.training.scores.scorer import origin_of

Run = Callable[..., Result]

SETTINGS: dict[str, Any] = {
    "algorithm": "cyclegan",
    "width": 0.05,
    "blocks": 1,
    "n_layers": 2,
    "lam_idt": 0,
    "ema_decay": 0.5,
    "gpu": -1,
    "tensorboard": False,
    "evaluation_interval": 0,
    "sample_interval": 0,
    "max_iter": 2,
}
pytestmark = pytest.mark.filterwarnings("ignore:.* images are too few")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In a folder with an extractor `tiny`, which is forgotten after the test."""
    monkeypatch.chdir(tmp_path)
    with tiny_extractor(tmp_path):
        yield


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A run on 9 coloured images of 14 pixels and 7 grey ones, with 5 pairs to test on."""
    random = torch.Generator().manual_seed(0)
    x = torch.randint(256, (14, 3, 14, 14), generator=random).byte()
    train = DataSet("set", x[:9], source=255 - x[:7, :1])
    write_hdf5(Path("set.h5"), train, DataSet("set", x[9:], source=255 - x[9:, :1]))
    return ganlib.train(**SETTINGS, dataset="set.h5", out="run").out


def test_a_model_is_turned(out: Path) -> None:
    there, back = (ganlib.load(out, dataset="set.h5", back=b) for b in (False, True))
    assert there.updater.spec.image == back.updater.spec.source == (3, 16, 16)
    assert there.sample(2).shape == (2, 3, 14, 14) and back.sample(2).shape == (2, 1, 14, 14)
    assert there.updater.sampling_gen is there.updater.average
    assert there.updater.average_back is not None
    for ours, theirs in (("average_back", "average"), ("average", "average_back")):
        a, b = getattr(there.updater, ours).state_dict(), getattr(back.updater, theirs).state_dict()
        assert all(torch.equal(t, b[name]) for name, t in a.items())
    z, y = back.latents([0, 1])
    assert y is not None and y.shape == (2, 3, 16, 16)
    with torch.no_grad():
        by_hand = there.updater.average_back(z, y)[:, :, 1:15, 1:15]
    assert torch.equal(back.sample(2), by_hand)
    assert torch.equal(back.decode(z, y), by_hand)
    assert "cyclegan (back)" in repr(back) and "(back)" not in repr(there)
    assert back.grid(4).size == there.grid(4).size


def test_its_sources_are_the_held_out_images(out: Path) -> None:
    there, back = (ganlib.load(out, dataset="set.h5", back=b) for b in (False, True))
    seen, other = there.updater.held_out, back.updater.held_out
    assert seen is not None and other is not None
    assert torch.equal(other.data.source[torch.arange(5)], seen.data.x[torch.arange(5)])
    assert torch.equal(other.data.x[torch.arange(5)], seen.data.source[torch.arange(5)])


def test_without_an_average_the_weights_go_back() -> None:
    x = torch.randint(256, (4, 1, 16, 16)).byte()
    write_hdf5(Path("set.h5"), DataSet("set", x, source=255 - x))
    out = ganlib.train(**{**SETTINGS, "ema_decay": 0}, dataset="set.h5", out="run").out
    model = ganlib.load(out, back=True)
    assert model.updater.average is None and model.updater.sampling_gen is model.updater.back
    assert origin_of(model.updater, 0).weights == "raw"


@pytest.mark.parametrize("command", ["sample", "evaluate", "export", "interpolate"])
def test_a_method_that_does_not_go_back_is_a_sentence(
    command: str, run: Run, snapshot: Path
) -> None:
    result = run(command, snapshot, "--back", *(["-o", "o"] if command == "export" else []))
    assert isinstance(result.exception, UserError)
    assert str(result.exception) == "This generator has no way back: leave --back out."
    with pytest.raises(UserError, match="has no way back"):
        ganlib.load(snapshot, back=True)


def test_no_files_go_back(run: Run) -> None:
    Path("images").mkdir()
    Image.new("L", (8, 8)).save("images/a.png")
    result = run("evaluate", "images", "--back", "--dataset", "images")
    assert "--back is for a generator" in str(result.exception)


def test_sampling_the_way_back(run: Run, out: Path) -> None:
    assert run("sample", out, "--back", "-n", 4, "-o", "back.png").exit_code == 0
    expected = ganlib.load(out, dataset="set.h5", back=True).grid(4)
    with Image.open("back.png") as picture:
        assert picture.convert(expected.mode).tobytes() == expected.tobytes()


def test_scores_of_the_two_ways_never_share_a_column(run: Run, out: Path) -> None:
    more = ["--extractor", "tiny", "--metrics", "fid,kid", "-n", 4, "--plugin-dir", "plugins"]
    for back in ([], ["--back"]):
        result = run("evaluate", out, *more, *back)
        assert result.exit_code == 0, result.exception
    there, back = read_lines(out / "trials.jsonl")
    assert there["scores"].keys() == back["scores"].keys()
    for name in there["scores"]:
        one, other = (
            Protocol.from_dict(line["scores"][name]["protocol"]) for line in (there, back)
        )
        assert other.settings["source"] == "back from set to the sources"
        assert one.reference_digest != other.reference_digest
        assert "source: none against back from set to the sources" in differences(one, other)
    model = ganlib.load(out, dataset="set.h5", back=True)
    model.settings = {**model.settings, "extractor": "tiny"}
    scores = model.evaluate(4, ["fid"])
    assert scores["FD-tiny4-train"].value == pytest.approx(
        back["scores"]["FD-tiny4-train"]["value"]
    )


def test_what_is_scored_the_way_back_is_a_trial(run: Run) -> None:
    """Also where all else is as the run scores itself."""
    x = torch.randint(256, (4, 1, 16, 16)).byte()
    write_hdf5(Path("set.h5"), DataSet("set", x, source=255 - x))
    settings = {**SETTINGS, "extractor": "tiny", "plugin_dir": "plugins", "evaluation_images": 4}
    out = ganlib.train(**settings, dataset="set.h5", out="run").out
    for back, name in ([], "scores.jsonl"), (["--back"], "trials.jsonl"):
        arguments = ["--metrics", "fid", "-n", 4, "--plugin-dir", "plugins", *back]
        result = run("evaluate", out, *arguments)
        assert result.exit_code == 0, result.exception
        assert len(read_lines(out / name)) == 1


def test_an_export_holds_one_way(run: Run, out: Path) -> None:
    arguments = ["--format", "safetensors"]
    assert run("export", out, "-o", "there", *arguments).exit_code == 0
    assert run("export", out, "-o", "back", "--back", *arguments).exit_code == 0
    cards = [json.loads(Path(name, "model_card.json").read_text()) for name in ("there", "back")]
    assert [card["direction"] for card in cards] == [
        "from sources to images",
        "back, from images to sources",
    ]
    assert cards[1]["condition"]["shape"] == [3, 16, 16]
    assert cards[1]["images"]["shape"] == [1, 14, 14]
    ours = ganlib.load(out, dataset="set.h5", back=True).sample(3)
    for back in (False, True):
        model = load_export("back", dataset="set.h5", back=back)
        torch.testing.assert_close(model.sample(3), ours)
    assert load_export("there", dataset="set.h5").sample(1).shape == (1, 3, 14, 14)
    with pytest.raises(UserError, match="there does not hold the way back"):
        load_export("there", back=True)


def test_cards_of_one_way_do_not_speak_of_it(run: Run, snapshot: Path) -> None:
    assert run("export", snapshot, "-o", "o", "--format", "safetensors").exit_code == 0
    assert "direction" not in json.loads(Path("o/model_card.json").read_text())


@pytest.mark.slow
def test_onnx_takes_images_of_any_size_that_fits(run: Run) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    x = torch.randint(256, (4, 3, 16, 16)).byte()
    write_hdf5(Path("set.h5"), DataSet("set", x, source=x[:, :1]))
    out = ganlib.train(**SETTINGS, dataset="set.h5", out="run").out
    result = run("export", out, "-o", "back", "--back")
    assert result.exit_code == 0, result.exception
    card = json.loads(Path("back/model_card.json").read_text())
    assert card["onnx"] == {"y": ["n", 3, "height", "width"]}
    session = onnxruntime.InferenceSession("back/generator.onnx")
    model = ganlib.load(out, back=True)
    for size in ((16, 16), (24, 20)):
        y = torch.rand(2, 3, *size) * 2 - 1
        (images,) = session.run(None, {"y": y.numpy()})
        ours = model.decode(torch.empty(2, 0), y)
        torch.testing.assert_close(torch.from_numpy(images), ours, atol=1e-4, rtol=0)


def test_a_run_may_start_from_weights_without_averages(out: Path) -> None:
    plain = ganlib.train(**{**SETTINGS, "ema_decay": 0}, dataset="set.h5", out="plain")
    first = ganlib.train(**{**SETTINGS, "max_iter": 1}, dataset="set.h5", init_from=plain.out)
    # the averages started from the networks and went 9/11 of the way to what one step made of them
    for network, average in (("gen", "average"), ("back", "average_back")):
        for name, p in getattr(plain.updater, network).named_parameters():
            moved = getattr(first.updater, network).get_parameter(name)
            found = getattr(first.updater, average).get_parameter(name)
            torch.testing.assert_close(found, p + (moved - p) * 9 / 11)


def test_a_test_split_of_images_alone_has_no_part_in_it(run: Run, out: Path) -> None:
    data = read_hdf5(Path("set.h5"), "train")
    write_hdf5(Path("alone.h5"), data, DataSet("set", data.x[torch.arange(4)]))
    arguments = ["--dataset", "alone.h5", "--extractor", "tiny", "--metrics", "fid", "-n", 8]
    result = run("evaluate", out, *arguments, "--plugin-dir", "plugins", "--back", "-o", "s.json")
    assert result.exit_code == 0, result.exception
    assert list(json.loads(Path("s.json").read_text())["scores"]) == ["FD-tiny8-train"]
