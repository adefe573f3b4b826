"""ganlib.load: what a snapshot gives, and what is refused."""

import base64
import io
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import Result
from PIL import Image
from small_methods import FOLDER

import ganlib
from ganlib.common.errors import UserError
from ganlib.common.io.jsonl import append_line
from ganlib.common.pictures import class_grid, grid
from ganlib.contract.fixtures import toy
from ganlib.registry import algorithms
from ganlib.training.snapshot import FORMAT

Make = Callable[..., Path]
Run = Callable[..., Result]


@pytest.mark.parametrize("name", ["dcgan", "sngan", "wgan_gp"])
def test_sample_depends_on_seed_and_number_alone(make_snapshot: Make, name: str) -> None:
    model = ganlib.load(make_snapshot(name))
    images = model.sample(300, seed=3)
    assert images.shape == (300, 1, 28, 28) and images.dtype == torch.float32
    assert images.abs().max() <= 1 and images.std() > 0.1
    for n, batch_size in ((300, 7), (260, 300), (1, 1)):
        torch.testing.assert_close(model.sample(n, 3, batch_size), images[:n])
    assert not torch.allclose(model.sample(5, seed=4), images[:5])


def test_decode_of_latents_is_the_sample(snapshot: Path) -> None:
    model = ganlib.load(snapshot)
    z, y = model.latents([257, 3], seed=1)
    assert y is None
    torch.testing.assert_close(model.decode(z), model.sample(258, seed=1)[[257, 3]])


def test_a_class_for_all_and_one_for_each(small_snapshot: Make) -> None:
    model = ganlib.load(small_snapshot("labelled"))
    z, _ = model.latents([0, 1, 2])
    told = torch.tensor([2, 2, 2])
    torch.testing.assert_close(model.sample(3, y=2), model.decode(z, told))
    torch.testing.assert_close(model.sample(3, y=told), model.sample(3, y=2))
    assert torch.equal(model.sample(3, y="c"), model.sample(3, y=2))
    assert torch.equal(model.latents([5], y=1)[1], torch.tensor([1]))  # type: ignore[arg-type]


def test_a_grid_has_a_row_for_each_class_or_for_those_asked_for(small_snapshot: Make) -> None:
    model = ganlib.load(small_snapshot("labelled"))

    def rows(n: int, *classes: str) -> bytes:
        return class_grid([(name, model.sample(n, seed=5, y=name)) for name in classes]).tobytes()

    assert model.grid(seed=5).tobytes() == rows(8, "a", "b", "c")
    assert model.grid(6, seed=5).tobytes() == rows(2, "a", "b", "c")
    assert model.grid(6, seed=5, y=["c", 0]).tobytes() == rows(3, "c", "a")
    assert model.grid(12, seed=5, y="b").tobytes() == rows(12, "b")
    told = torch.tensor([2, 0, 1])
    assert model.grid(3, y=told).tobytes() == grid(model.sample(3, y=told)).tobytes()


def test_codes_in_two_steps(small_snapshot: Make) -> None:
    model = ganlib.load(small_snapshot("styled"))
    z, _ = model.latents([0, 1, 2])
    w, short = model.code(z), model.code(z, truncation=0.4)
    torch.testing.assert_close(model.draw(w), model.sample(3))
    torch.testing.assert_close(model.draw(short), model.sample(3, truncation=0.4))
    mean = model.updater.gen.w_mean
    torch.testing.assert_close(short, mean + 0.4 * (w - mean))


def test_a_translator_with_a_data_set(small_snapshot: Make) -> None:
    path = small_snapshot("dropped")
    with pytest.raises(UserError, match="give the data set that holds them"):
        ganlib.load(path).sample(2)
    model = ganlib.load(path, dataset=path.parents[2] / "data.h5")
    assert model.sample(3).shape == (3, 1, 28, 28)
    _, y = model.latents([0, 1])
    assert y is not None and y.shape == (2, 1, 32, 32)
    with pytest.raises(UserError, match="no data set 'nowhere'"):
        ganlib.load(path, dataset="nowhere")


def test_truncation_narrows(make_snapshot: Make) -> None:
    model = ganlib.load(make_snapshot("sngan", architecture="quick"))
    wide, narrow = model.sample(32), model.sample(32, truncation=0.1)
    assert narrow.std(0).mean() < wide.std(0).mean() / 2


def test_sampling_leaves_the_model_as_it_was(snapshot: Path) -> None:
    model = ganlib.load(snapshot)
    before = {name: t.clone() for name, t in model.updater.state_dict().items()}
    model.sample(10)
    assert model.updater.gen.training
    assert all(torch.equal(t, before[name]) for name, t in model.updater.state_dict().items())


def test_moving_average_is_preferred(make_snapshot: Make) -> None:
    model = ganlib.load(make_snapshot(ema_decay=0.99))
    average = model.updater.average
    assert average is not None
    images = model.sample(4)
    with torch.no_grad():
        for parameter in model.updater.gen.parameters():
            parameter.zero_()
    torch.testing.assert_close(model.sample(4), images)
    with torch.no_grad():
        for parameter in average.parameters():
            parameter.zero_()
    assert not model.sample(4).any()


def test_facts(snapshot: Path) -> None:
    model = ganlib.load(snapshot)
    assert model.spec.native == (1, 28, 28)
    assert model.settings["algorithm"] == "dcgan" and model.updater.iteration == 7
    assert model.out == snapshot.parent.parent and model.images is None
    assert model.grid(4).mode == "RGB"


def test_folder_gives_the_newest(make_snapshot: Make) -> None:
    for iteration in (20, 100, 3):
        path = make_snapshot(iteration=iteration)
    assert ganlib.load(path.parent.parent).updater.iteration == 100


def test_training_on_a_loaded_model_is_refused(snapshot: Path) -> None:
    with pytest.raises(UserError, match="no data"):
        ganlib.load(snapshot).updater.update()


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"n": 0}, "n is 0; give at least 1."),
        ({"n": -3}, "n is -3; give at least 1."),
        ({"n": 4, "batch_size": 0}, "batch_size is 0; give at least 1."),
        ({"n": 1, "truncation": -0.5}, "truncation is -0.5; give a number above 0"),
    ],
)
def test_samples_that_cannot_be(asked: dict[str, Any], words: str, snapshot: Path) -> None:
    with pytest.raises(UserError, match=words):
        ganlib.load(snapshot).sample(**asked)


def _refused(path: Path) -> str:
    with pytest.raises(UserError) as error:
        ganlib.load(path)
    message = str(error.value)
    assert "\n" not in message and message.endswith(".")
    return message


def test_missing(tmp_path: Path) -> None:
    assert "There is no snapshot" in _refused(tmp_path / "no.pt")
    assert "holds no snapshots" in _refused(tmp_path)


def test_damaged(snapshot: Path) -> None:
    whole = snapshot.read_bytes()
    for size in (0, 1, 100, len(whole) // 2, len(whole) - 1):
        snapshot.write_bytes(whole[:size])
        assert "not a whole snapshot" in _refused(snapshot)


@pytest.mark.parametrize(
    "content",
    [b"hello world\n", b'{"a": 1}', b"\x89PNG\r\n\x1a\n" + bytes(100), pickle.dumps({"a": 1})],
)
def test_other_kinds_of_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.pt"
    path.write_bytes(content)
    assert "not a whole snapshot" in _refused(path)


@pytest.mark.parametrize(
    "content", [[1, 2], {"weight": torch.zeros(3)}, {"format": "ganlib snapshot 0"}]
)
def test_other_checkpoints(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "other.pt")
    assert "not a snapshot of this version" in _refused(tmp_path / "other.pt")


@pytest.mark.parametrize("content", [{"format": FORMAT}, {"format": FORMAT, "spec": {"a": 1}}])
def test_forged(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "forged.pt")
    _refused(tmp_path / "forged.pt")


class _Bomb:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.mark),)


def test_malicious_code_does_not_run(tmp_path: Path, snapshot: Path) -> None:
    mark, bomb = tmp_path / "exploded", tmp_path / "bomb.pt"
    content = torch.load(snapshot, weights_only=True)
    for zipped in (True, False):
        torch.save({**content, "extra": _Bomb(mark)}, bomb, _use_new_zipfile_serialization=zipped)
        _refused(bomb)
    bomb.write_bytes(pickle.dumps(_Bomb(mark)))
    _refused(bomb)
    assert not mark.exists()


def test_changed_settings_and_networks(snapshot: Path) -> None:
    content = torch.load(snapshot, weights_only=True)
    for change in ({"width": 0.1}, {"unknown": 1}, {"architecture": "none"}):
        torch.save({**content, "settings": {**content["settings"], **change}}, snapshot)
        assert "does not fit 'dcgan'" in _refused(snapshot)


def test_unregistered_algorithm(snapshot: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(algorithms.entries, "dcgan")
    message = _refused(snapshot)
    assert "'dcgan'" in message and "plugin_dir=" in message


def test_a_notebook_shows_grid_name_iteration_and_newest_scores(make_snapshot: Make) -> None:
    path = make_snapshot("dcgan", iteration=1234)
    model = ganlib.load(path)
    line = {"iteration": 1000, "scores": {"FD<a>": {"value": 5.25}}}
    append_line(model.out / "scores.jsonl", line)
    html = model._repr_html_()
    assert "dcgan, iteration 1,234" in html and "FD&lt;a&gt;</td><td>5.25" in html
    picture = Image.open(io.BytesIO(base64.b64decode(html.split("base64,")[1].split('"')[0])))
    assert picture.size == model.grid().size
    assert repr(model) == f"<dcgan, 1x28x28, iteration 1234: {model.out}>"


def test_a_model_is_scored_as_the_command_scores_it(
    run: Run, make_snapshot: Make, toy_file: Path
) -> None:
    path = make_snapshot("dcgan", dataset=str(toy_file))
    model = ganlib.load(path)
    with pytest.warns(UserWarning, match="too few"):
        scores = model.evaluate(16, ("fid", "kid"), extractor="fashion")
        given = model.evaluate(16, ("fid",), dataset=toy().x, extractor="fashion", intervals=True)
    options = ["-n", 16, "--metrics", "fid,kid", "--extractor", "fashion", "--out", "x.json"]
    assert run("evaluate", path, *options).exit_code == 0
    expected = json.loads(Path("x.json").read_text())["scores"]
    assert {name: score.to_dict() for name, score in scores.items()} == expected
    with_error, without = given["FD-fashion16-train"], scores["FD-fashion16-train"]
    assert with_error.value == without.value and with_error.error and without.error is None


def test_a_model_of_given_data_is_scored_with_them(make_snapshot: Make) -> None:
    model = ganlib.load(make_snapshot("dcgan", dataset="given"))
    with pytest.raises(UserError, match="data given in Python: give them"):
        model.evaluate(16)


def test_load_takes_a_plugin_folder(small_snapshot: Make) -> None:
    path = small_snapshot("labelled")
    algorithms.entries.pop("labelled")
    with pytest.raises(UserError, match=r"plugin_dir= with its folder"):
        ganlib.load(path)
    assert ganlib.load(path, plugin_dir=FOLDER).spec.n_classes == 3
