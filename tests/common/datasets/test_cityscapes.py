"""Cityscapes' folders, in small, with files that were made for the test."""

from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ganlib.commands.data import command
from ganlib.common.data import DataSet, Loader, fit_spec
from ganlib.common.data.spec import NoSuchSplit
from ganlib.common.datasets import cityscapes
from ganlib.common.errors import UserError
from ganlib.common.query import open_dataset

HEIGHT, WIDTH = 8, 16
CAR = 26


def scene(seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint16]]:
    """A photograph, and maps of classes and instances: two cars side by side on a road."""
    photo = np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    labels = np.full((HEIGHT, WIDTH), 7, np.uint8)
    labels[2:6, 2:10] = CAR
    instances = labels.astype(np.uint16)
    instances[2:6, 2:6], instances[2:6, 6:10] = 1000 * CAR, 1000 * CAR + 1
    return photo, labels, instances


def write(root: Path, split: str, city: str, name: str, seed: int) -> None:
    photo, labels, instances = scene(seed)
    for folder, end, pixels in (
        ("leftImg8bit", "leftImg8bit", photo),
        ("gtFine", "gtFine_labelIds", labels),
        ("gtFine", "gtFine_instanceIds", instances),
    ):
        place = root / folder / split / city
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(place / f"{city}_{name}_{end}.png")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for city, name, seed in (("ulm", "0", 2), ("aachen", "1", 1), ("aachen", "0", 0)):
        write(tmp_path, "train", city, name, seed)
    write(tmp_path, "val", "munster", "0", 3)
    return tmp_path


def sources(data: DataSet) -> Tensor:
    assert isinstance(data.source, Tensor)
    return data.source


def test_photographs_and_maps(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = open_dataset("cityscapes", root, size=HEIGHT)
    photos = np.stack([scene(seed)[0] for seed in (0, 1, 2)]).transpose(0, 3, 1, 2)
    assert isinstance(data.x, Tensor) and torch.equal(data.x, torch.from_numpy(photos.copy()))
    _, labels, instances = scene(0)
    expected = np.stack([labels, instances]).astype(np.int32)
    assert sources(data).dtype == torch.int32 and sources(data).shape == (3, 2, HEIGHT, WIDTH)
    assert all(np.array_equal(ids.numpy(), expected) for ids in sources(data))
    assert (data.source_kind, data.y, len(data.classes)) == ("ids", None, 35)
    named = {7: "road", CAR: "car", 0: "unlabeled", 33: "bicycle", 24: "person", 11: "building"}
    assert all(data.classes[number] == name for number, name in named.items())
    assert capsys.readouterr().err == "cityscapes: 3 images of 35 classes, 16x8 RGB\n"
    assert len(open_dataset("cityscapes", root, "test", HEIGHT)) == 1  # val


def test_where_it_lies(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANLIB_DATA", str(tmp_path / "elsewhere"))
    with pytest.raises(UserError) as error:
        open_dataset("cityscapes")
    place = tmp_path / "elsewhere" / "cityscapes"
    assert str(error.value) == (
        f"There is no folder {place / 'leftImg8bit' / 'train'}: download "
        "leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip from "
        f"https://www.cityscapes-dataset.com, which asks for a login, and unpack both in {place}, "
        "or use the data set wardrobe_wide, which needs no download."
    )
    (root / "leftImg8bit" / "val").rename(root / "leftImg8bit" / "away")
    with pytest.raises(NoSuchSplit):
        open_dataset("cityscapes", root, "test")


def test_size_is_the_height(root: Path) -> None:
    data = open_dataset("cityscapes", root)
    assert data.shape == (3, 128, 256) and sources(data).shape[1:] == (2, 128, 256)
    half = open_dataset("cityscapes", root, size=4)
    assert half.shape == (3, 4, 8)
    x, _, _ = scene(0)
    wanted = Image.fromarray(x).resize((8, 4), Image.Resampling.BICUBIC)
    assert np.array_equal(half.x[torch.tensor([0])][0].permute(1, 2, 0).numpy(), np.asarray(wanted))
    # a car of 4 x 4 pixels is one of 2 x 2, and no number is between two
    assert (sources(half)[0, 1] == 1000 * CAR + 1).nonzero().tolist() == [
        [1, 3],
        [1, 4],
        [2, 3],
        [2, 4],
    ]
    assert set(sources(half)[:, 0].unique().tolist()) == {7, CAR}
    crops = open_dataset("cityscapes", root, size=HEIGHT, crop=4)
    assert crops.shape == (3, 4, 4) and crops.source is not None
    assert torch.equal(
        crops.source[torch.arange(3)],
        sources(open_dataset("cityscapes", root, size=HEIGHT))[:, :, 2:6, 6:10],
    )


def test_a_license_plate_is_the_last_class(root: Path) -> None:
    path = root / "gtFine" / "train" / "ulm" / "ulm_0_gtFine_labelIds.png"
    labels = scene(0)[1]
    labels[0, 0] = 255  # -1 as a byte
    Image.fromarray(labels).save(path)
    data = open_dataset("cityscapes", root, size=HEIGHT)
    assert data.classes[sources(data)[2, 0, 0, 0]] == "license plate"


def test_folders_of_the_same_kind_name_their_own_classes(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"class {k}" for k in range(CAR + 1)]
    (root / "classes.txt").write_text("\n".join(names) + "\n")
    data = open_dataset("cityscapes", root, size=HEIGHT)
    assert data.classes == tuple(names) and set(sources(data)[:, 0].unique().tolist()) == {7, CAR}
    (root / "classes.txt").write_text("\n".join(names[:-1]))
    with pytest.raises(UserError, match="3 with classes other than 0 to 25"):
        open_dataset("cityscapes", root, size=HEIGHT)


def test_what_is_of_no_use_is_counted_in_one_line(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos, maps = root / "leftImg8bit" / "train", root / "gtFine" / "train"
    for name, seed in (("2", 4), ("3", 5), ("4", 6), ("5", 7), ("6", 8), ("7", 9)):
        write(root, "train", "bremen", name, seed)
    (maps / "bremen" / "bremen_2_gtFine_labelIds.png").unlink()
    Image.new("L", (9, 8)).save(maps / "bremen" / "bremen_3_gtFine_instanceIds.png")
    Image.new("RGB", (16, 8)).save(maps / "bremen" / "bremen_4_gtFine_labelIds.png")
    Image.new("L", (16, 8), 77).save(maps / "bremen" / "bremen_5_gtFine_labelIds.png")
    Image.new("RGB", (15, 8)).save(photos / "bremen" / "bremen_6_leftImg8bit.png")
    too_high = Image.fromarray(scene(0)[2].astype(np.int32) * 3)  # PNG has no such numbers
    too_high.save(maps / "bremen" / "bremen_7_gtFine_instanceIds.png", format="TIFF")
    (photos / "ulm" / "notes.txt").write_text("")
    assert len(open_dataset("cityscapes", root, size=HEIGHT)) == 3
    line = capsys.readouterr().err
    assert line.startswith("cityscapes: 3 images of 35 classes, 16x8 RGB; skipped 7: ")
    for reason in (
        "1 not photographs (ulm/notes.txt)",
        "1 not twice as wide as high (bremen/bremen_6_leftImg8bit.png)",
        "1 with classes other than 0 to 34 (bremen/bremen_5_leftImg8bit.png)",
        "1 with instances other than 0 to 65535 (bremen/bremen_7_leftImg8bit.png)",
        "1 with maps of another size (bremen/bremen_3_leftImg8bit.png)",
        "1 with maps without numbers of classes (bremen/bremen_4_leftImg8bit.png)",
        "1 without maps (bremen/bremen_2_leftImg8bit.png)",
    ):
        assert reason in line


def test_photographs_without_any_maps_are_a_sentence(root: Path) -> None:
    (root / "gtFine").rename(root / "elsewhere")
    with pytest.raises(UserError) as error:
        open_dataset("cityscapes", root, size=HEIGHT)
    assert str(error.value) == (
        f"There is no photograph with maps in {root / 'leftImg8bit' / 'train'}; skipped 3: 3 "
        "without maps (aachen/aachen_0_leftImg8bit.png, aachen/aachen_1_leftImg8bit.png, "
        "ulm/ulm_0_leftImg8bit.png): to each CITY/NAME_leftImg8bit.png belong "
        "CITY/NAME_gtFine_labelIds.png and CITY/NAME_gtFine_instanceIds.png in "
        f"{root / 'gtFine' / 'train'}."
    )


def test_it_becomes_a_file_and_is_loaded(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "cityscapes.h5"
    arguments = ["prepare", "cityscapes", str(out), "--data-root", str(root), "--size", str(HEIGHT)]
    assert CliRunner().invoke(command, arguments).exit_code == 0
    of_files, of_file = open_dataset("cityscapes", root, size=HEIGHT), open_dataset(str(out))
    rows = torch.arange(3)
    assert torch.equal(of_file.x[rows], of_files.x[rows])
    assert torch.equal(sources(of_file), sources(of_files))
    assert of_file.classes == cityscapes.CLASSES
    spec = fit_spec(of_file, (HEIGHT, WIDTH))
    assert spec.image == (3, HEIGHT, WIDTH) and spec.n_classes == 35
    x, y = next(Loader(of_file, spec, 2, 0, condition="images"))
    assert y is not None and x.shape == (2, 3, HEIGHT, WIDTH) and y.shape == (2, 2, HEIGHT, WIDTH)
    told = CliRunner().invoke(command, ["info", str(out)]).output
    assert "train: 3 images, 16x8 RGB\n  each with a source image, 16x8, ids of class and" in told
