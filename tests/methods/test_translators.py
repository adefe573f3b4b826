"""The small translators: what they learn, and files on which a user trains them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from small_methods import FOLDER
from torch import Tensor

import ganlib
from ganlib.common.data import DataSet
from ganlib.common.errors import UserError
from ganlib.common.formats import hdf5
from ganlib.common.formats.hdf5_writing import write_hdf5
from ganlib.config import RunConfig
from ganlib.contract.fixtures import small_updater
from ganlib.registry import algorithms
from ganlib.speed import bench

TRANSLATORS = ("superres", "labelmap", "frames", "unpaired")
SMALL = {
    "width": 0.1,
    "batch_size": 4,
    "gpu": -1,
    "evaluation_interval": 0,
    "tensorboard": False,
    "plugin_dir": str(FOLDER),
    "flip": True,
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def example(name: str, side: int = 16) -> DataSet:
    make = algorithms[name].example
    assert make is not None
    return make(3, side)


def held_out(data: DataSet, n: int) -> DataSet:
    """The last of both."""
    assert isinstance(data.x, Tensor) and isinstance(data.source, Tensor)
    return replace(data, x=data.x[-n:], source=data.source[-n:])


def same(a: ganlib.Model, b: ganlib.Model) -> bool:
    one, other = a.updater.state_dict(), b.updater.state_dict()
    return one.keys() == other.keys() and all(torch.equal(t, other[k]) for k, t in one.items())


@pytest.mark.parametrize(
    ("name", "wanted"), [("superres", 0.5), ("labelmap", 0.75), ("frames", 0.4)]
)
def test_pairs_are_learned(name: str, wanted: float) -> None:
    """The distance to the images falls to this part of it."""
    settings: dict[str, Any] = {"width": 0.25, "adam_alpha": 1e-3, "adam_beta1": 0.5}
    updater = small_updater(name, 3, 16, batch_size=8, **settings)
    x = updater.data.data.x.float() / 127.5 - 1
    y = updater.data.condition_at(torch.arange(len(x)))
    distances = []
    for updates in (0, 100):
        for _ in range(updates):
            updater.update()
        made = updater.decode(torch.empty(len(x), 0), y)
        distances.append(float((made - x).abs().mean()))
    assert distances[1] < wanted * distances[0]


def test_the_way_back_is_learned_without_pairs() -> None:
    updater = small_updater("unpaired", 3, 16, batch_size=8, width=0.25, adam_alpha=1e-3)
    first, *_, last = (float(updater.update()["loss_back"]) for _ in range(100))
    assert last < 0.1 < 0.5 < first


@pytest.mark.parametrize(
    ("name", "lazy"),
    [("superres", False), ("frames", False), ("labelmap", True), ("unpaired", True)],
)
def test_a_run_on_a_file_resumes_to_the_last_bit(
    name: str, lazy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = example(name)
    write_hdf5(Path("set.h5"), data, held_out(data, 5))
    if lazy:  # read by other processes
        monkeypatch.setattr(hdf5, "IN_MEMORY", 0)
    settings: dict[str, Any] = {**SMALL, "algorithm": name, "dataset": "set.h5", "max_iter": 10}
    whole = ganlib.train(**settings, out="whole")
    ganlib.train(**{**settings, "max_images": 20}, out="parts")
    parts = ganlib.train(**{**settings, "max_images": 10**6}, resume="parts")
    assert same(whole, parts) and parts.updater.iteration == 10
    assert (whole.out / "samples" / "0000010.png").is_file()
    assert whole.sample(3).shape == (3, 3, 16, 16)
    assert whole.updater.held_out is not None and whole.updater.held_out.n_sources == 5


def test_other_sources_are_other_data() -> None:
    data = example("superres")
    assert isinstance(data.source, Tensor)
    write_hdf5(Path("set.h5"), data)
    settings: dict[str, Any] = {**SMALL, "algorithm": "superres", "dataset": "set.h5"}
    model = ganlib.train(**settings, max_iter=2)
    write_hdf5(Path("set.h5"), replace(data, source=255 - data.source))
    with pytest.raises(UserError, match="other sources"):
        ganlib.train(**settings, max_iter=4, resume=str(model.out))


def test_a_test_split_without_sources_is_not_asked_for_them() -> None:
    data = example("superres")
    write_hdf5(Path("set.h5"), data, replace(held_out(data, 5), source=None))
    settings: dict[str, Any] = {**SMALL, "algorithm": "superres", "dataset": "set.h5"}
    model = ganlib.train(**settings, max_iter=1)
    assert model.updater.held_out is not None and model.updater.held_out.n_sources == 32


@pytest.mark.parametrize(
    ("name", "of", "words"),
    [
        ("superres", "frames", "wants images 4 times as large as their sources"),
        ("labelmap", "superres", "wants sources of the kind ids"),
        ("unpaired", "superres", "wants two sets of images of one size"),
        ("frames", "unpaired", "has 32 images and 20 sources, which are no pairs"),
    ],
)
def test_files_for_another_method(name: str, of: str, words: str) -> None:
    write_hdf5(Path("set.h5"), example(of))
    settings: dict[str, Any] = {**SMALL, "algorithm": name, "dataset": "set.h5"}
    with pytest.raises(UserError, match=words):
        ganlib.train(**settings, max_iter=1)


@pytest.mark.parametrize("name", TRANSLATORS)
def test_iterations_are_timed_on_the_example(name: str) -> None:
    algorithm = algorithms[name]
    config = algorithm.config(width=0.1, batch_size=4)
    work = bench.Work(name, algorithm, config, (3, 16, 16))
    updater = bench.assemble(work, torch.device("cpu"))
    assert len(updater.data.data) >= 8 and updater.data.n_sources >= 8
    updater.update()
    updater.check_finite()


def test_a_label_maps_drawing_by_hand() -> None:
    from ganlib.labelmap.net import drawing

    ids = torch.tensor([[[0, 0, 2], [1, 1, 9]], [[5, 5, 5], [5, 6, 6]]], dtype=torch.int32)[None]
    drawn = drawing(ids, 3, torch.zeros(1))
    classes = [[[1, 1, 0], [0, 0, 0]], [[0, 0, 0], [1, 1, 0]], [[0, 0, 1], [0, 0, 0]]]
    edges = [[0, 1, 1], [1, 1, 1]]
    assert torch.equal(drawn[0], torch.tensor([*classes, edges], dtype=torch.float32))


def test_sources_that_are_made_of_the_images_train_and_sample() -> None:
    more = {**SMALL, "algorithm": "superres", "source": "low-resolution:4", "max_iter": 2}
    model = ganlib.train(dataset="fashion_mnist", **more)
    assert model.spec.source == (1, 7, 7)
    run = Path("result") / "superres_fashion_mnist_from_low-resolution_4" / "seed0"
    drawn = ganlib.load(run, dataset="fashion_mnist").sample(2)
    assert drawn.shape == (2, 1, 28, 28) and torch.equal(drawn, model.sample(2))
    file = DataSet("file", torch.zeros(3, 1, 28, 28).byte(), source=torch.ones(3, 1, 7, 7).byte())
    write_hdf5(Path("own.h5"), file)
    made, own = (
        ganlib.load(run, dataset="own.h5", source=source).updater.held_out
        for source in (None, "own")
    )
    assert made is not None and not made.data.source[torch.arange(3)].any()
    assert own is not None and own.data.source[torch.arange(3)].all()
    given = torch.randint(256, (8, 3, 16, 16)).byte()
    assert ganlib.train(dataset=given, **more).spec.source == (3, 4, 4)


def test_methods_that_start_from_no_images_take_no_source() -> None:
    with pytest.raises(UserError, match=r"^dcgan starts from no images: leave source= out"):
        ganlib.train(**SMALL, algorithm="dcgan", source="edges", dataset="fashion_mnist")


def test_files_that_belong_together_train_and_sample(tmp_path: Path) -> None:
    """Maps of classes beside photographs, and two sets."""
    random = np.random.default_rng(0)
    for i in range(6):
        numbers = np.kron(random.integers(0, 3, (4, 4)), np.ones((4, 4))).astype(np.uint8)
        photo = np.stack([80 * numbers, 255 - numbers, numbers], 2)
        for name, image in (("photos", photo), ("maps", numbers), ("others", photo[::-1])):
            (tmp_path / name).mkdir(exist_ok=True)
            Image.fromarray(np.ascontiguousarray(image)).save(tmp_path / name / f"{i}.png")
    for name, source, shape in (
        ("labelmap", "label-maps:maps", (2, 16, 16)),
        ("unpaired", "unpaired:others", (3, 16, 16)),
    ):
        model = ganlib.train(**SMALL, algorithm=name, dataset="photos", source=source, max_iter=2)
        assert model.spec.source == shape
        assert torch.equal(ganlib.load(model.out, dataset="photos").sample(2), model.sample(2))


def test_videos_train_and_sample_and_are_scored_as_pairs(tmp_path: Path) -> None:
    """Two next frames, whose features no extractor has: the evaluation is of pairs alone."""
    random = np.random.default_rng(0)
    for split, length in (("train", 8), ("test", 7)):
        folder = tmp_path / "clips" / split / "a"
        folder.mkdir(parents=True)
        for i in range(length):
            pixels = random.integers(0, 256, (16, 16), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{i}.png")
    settings = {**SMALL, "evaluation_interval": 1, "evaluation_images": 3}
    model = ganlib.train(
        **settings, algorithm="frames", dataset="clips", source="past:3:2", max_iter=1
    )
    assert (model.spec.image, model.spec.source) == ((2, 16, 16), (3, 16, 16))
    assert (model.spec.frames, model.spec.source_frames) == (2, 3)
    assert model.sample(2).shape == (2, 2, 16, 16)
    assert model.out is not None
    (line,) = (model.out / "scores.jsonl").read_text().splitlines()
    assert {"L1", "PSNR"} <= json.loads(line)["scores"].keys()
    assert "fashion" not in line


def test_pairs_are_scored_without_an_extractor_that_nobody_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    usual = RunConfig.model_fields["evaluation_interval"].default
    settings = {**SMALL, "evaluation_interval": usual, "algorithm": "superres", "max_iter": 1}
    given = torch.randint(256, (8, 3, 16, 16)).byte()
    model = ganlib.train(**settings, dataset=given, source="low-resolution:4")
    assert "Nothing is scored in features. " in capsys.readouterr().err
    assert model.out is not None
    (line,) = (model.out / "scores.jsonl").read_text().splitlines()
    assert list(json.loads(line)["scores"]) == ["L1", "PSNR", "SSIM", "PSNR-Y"]


def test_scenes_twice_as_wide_as_high_train_and_sample() -> None:
    """Squared for a method whose image_size() is the default, and brought back."""
    model = ganlib.train(
        **SMALL, algorithm="labelmap", dataset="wardrobe_wide", size=32, max_iter=1
    )
    assert (model.spec.native, model.spec.image) == ((3, 32, 64), (3, 64, 64))
    assert model.sample(2).shape == (2, 3, 32, 64)
