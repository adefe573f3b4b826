"""Image files that belong together two by two, against arrays they were written from."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ganlib.common.data import DataSet, Loader, fit_spec
from ganlib.common.data.spec import NoSuchSplit
from ganlib.common.errors import UserError
from ganlib.common.formats.hdf5_writing import write_streams
from ganlib.common.query import DataQuery, open_dataset

Pixels = NDArray[np.uint8]


def picture(seed: int, width: int = 16, height: int = 16) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def write(path: Path, pixels: NDArray[np.generic]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def channels_first(pixels: list[Pixels]) -> Tensor:
    return torch.from_numpy(np.stack(pixels).transpose(0, 3, 1, 2).copy())


def sources(data: DataSet) -> Tensor:
    assert isinstance(data.source, Tensor)
    return data.source


@pytest.fixture
def double(tmp_path: Path) -> Path:
    """Three files of two images each, by number 0 to 2 on the left, 10 to 12 on the right."""
    for i in range(3):
        both = np.concatenate([picture(i), picture(10 + i)], 1)
        write(tmp_path / "double" / f"{i}.png", both)
    return tmp_path / "double"


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    """Photos, 0 to 3, and the drawings of the same names."""
    for i in range(4):
        write(tmp_path / "photos" / f"{i}.png", picture(i))
        write(tmp_path / "drawings" / f"{i}.bmp", picture(10 + i)[..., 0])
    return tmp_path / "photos", tmp_path / "drawings"


@pytest.mark.parametrize("half", ["left", "right"])
def test_one_half_of_a_file_is_the_source_and_the_other_the_image(half: str, double: Path) -> None:
    data = open_dataset(str(double), source=half)
    left, right = (channels_first([picture(k + i) for i in range(3)]) for k in (0, 10))
    x, y = (right, left) if half == "left" else (left, right)
    assert isinstance(data.x, Tensor)
    assert torch.equal(data.x, x) and torch.equal(sources(data), y)
    assert data.provenance["sources"] == f"the {half} half of each file"


def test_halves_of_a_turned_photograph_are_cut_when_it_stands_upright(tmp_path: Path) -> None:
    both = np.concatenate([picture(0), picture(1)], 1)
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    path = tmp_path / "turned" / "0.png"
    write(path, both[::-1, ::-1])
    Image.open(path).save(path, exif=exif)
    data = open_dataset(str(path.parent), source="left")
    assert isinstance(data.x, Tensor)
    assert torch.equal(sources(data), channels_first([picture(0)]))
    assert torch.equal(data.x, channels_first([picture(1)]))


def test_files_of_odd_width_and_damaged_ones_are_counted_in_one_line(
    double: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(double / "odd.png", picture(0, 31))
    (double / "torn.png").write_bytes((double / "0.png").read_bytes()[:300])
    assert len(open_dataset(str(double), source="left")) == 3
    assert capsys.readouterr().err == (
        "double: 3 images, 16x16 RGB; skipped 2: 1 of an odd width (odd.png), "
        "1 truncated (torn.png)\n"
    )
    for path in double.glob("[0-9t]*"):
        path.unlink()
    with pytest.raises(UserError, match=r"is two images side by side; skipped 1: 1 of an odd wid"):
        open_dataset(str(double), source="left")


def test_two_folders_are_matched_by_name(two: tuple[Path, Path]) -> None:
    photos, drawings = two
    data = open_dataset(str(photos), source=str(drawings))
    assert isinstance(data.x, Tensor)
    assert torch.equal(data.x, channels_first([picture(i) for i in range(4)]))
    wanted = channels_first([picture(10 + i) for i in range(4)])[:, :1]
    assert torch.equal(sources(data), wanted)


def test_missing_partners_other_sizes_and_unreadable_files_end_in_one_line(
    two: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    photos, drawings = two
    write(photos / "alone.png", picture(5))
    write(photos / "wide.png", picture(6))
    write(drawings / "wide.png", picture(6, 18))
    write(drawings / "left_over.png", picture(7))
    write(drawings / "0.png", picture(8))  # there is a 0.bmp
    (drawings / "2.bmp").write_bytes(b"")
    (photos / "3.png").write_bytes((photos / "3.png").read_bytes()[:500])
    write(photos / "last.png", picture(9))
    write(drawings / "last.png", picture(9))
    (drawings / "last.png").write_bytes((drawings / "last.png").read_bytes()[:500])
    (drawings / "notes.txt").write_text("no image")
    data = open_dataset(str(photos), source=str(drawings))
    assert capsys.readouterr().err == (
        "photos: 2 images, 16x16 RGB; skipped 9: 1 empty (drawings/2.bmp), 1 not images "
        "(drawings/notes.txt), 1 of the name of another (drawings/0.png), 1 truncated (3.png), "
        "1 with a source of another size (wide.png), 1 with sources truncated (last.png), "
        "2 without a source (2.png, alone.png), 1 without an image (drawings/left_over.png)\n"
    )
    assert isinstance(data.x, Tensor)
    assert torch.equal(data.x, channels_first([picture(i) for i in (0, 1)]))
    for path in drawings.iterdir():
        path.rename(path.with_name(f"no_{path.name}"))
    with pytest.raises(UserError) as error:
        open_dataset(str(photos), source=str(drawings))
    assert str(error.value).startswith(f"No image in {photos} has a source in {drawings}; skipped")


def test_sources_keep_their_proportion_to_the_images(two: tuple[Path, Path]) -> None:
    photos, drawings = two
    for i in range(4):
        (drawings / f"{i}.bmp").unlink()
        write(drawings / f"{i}.png", picture(i, 4, 4))
    assert sources(open_dataset(str(photos), source=str(drawings))).shape == (4, 3, 4, 4)
    assert sources(open_dataset(str(photos), size=32, source=str(drawings))).shape == (4, 3, 8, 8)
    assert open_dataset(str(photos), size=8, source=str(drawings)).shape == (3, 8, 8)
    with pytest.raises(UserError, match="of another size than their images, and crops"):
        open_dataset(str(photos), crop=8, source=str(drawings))


@pytest.mark.parametrize("mode", ["P", "L", "I;16"])
def test_label_maps_keep_their_numbers(mode: str, two: tuple[Path, Path]) -> None:
    photos, maps = two
    numbers = np.random.default_rng(0).integers(0, 7, (16, 16))
    numbers[0, 0] = 6
    for path in maps.iterdir():
        path.unlink()
    for i in range(4):
        kind = np.uint16 if mode == "I;16" else np.uint8
        image = Image.fromarray(np.roll(numbers, i, 1).astype(kind))
        if mode == "P":
            image.putpalette(picture(0).tobytes())
            assert image.mode == "P"
        image.save(maps / f"{i}.png")
    data = open_dataset(str(photos), source=f"label-maps:{maps}")
    found = sources(data)
    assert data.source_kind == "ids" and found.dtype == torch.int32
    assert data.classes == tuple("0123456")
    for i in range(4):
        assert np.array_equal(found[i, 0].numpy(), np.roll(numbers, i, 1))
    assert not found[:, 1].any() and fit_spec(data, (16, 16)).instances is False
    doubled = sources(open_dataset(str(photos), size=32, source=f"label-maps:{maps}"))
    for k in (0, 1):
        assert torch.equal(doubled[:, :, k::2, k::2], found)


def test_a_table_names_the_classes_of_label_maps(
    two: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    photos, maps = two
    for path in maps.iterdir():
        path.unlink()
    for i, number in enumerate((0, 1, 2, 200)):
        Image.fromarray(np.full((16, 16), number, np.uint8)).save(maps / f"{i}.png")
    (maps / "classes.txt").write_text("sky\nroad\ncar\ntree\n")
    data = open_dataset(str(photos), source=f"label-maps:{maps}")
    assert data.classes == ("sky", "road", "car", "tree")
    assert sources(data)[:, 0, 0, 0].tolist() == [0, 1, 2]
    assert capsys.readouterr().err.endswith(
        "skipped 1: 1 with sources with classes other than 0 to 3 (3.png)\n"
    )


def test_a_stray_number_makes_no_thousands_of_classes(two: tuple[Path, Path]) -> None:
    photos, maps = two
    for path in maps.iterdir():
        path.unlink()
    for i in range(4):
        numbers = np.zeros((16, 16), np.uint16)
        numbers[0, 0] = 65535 if i == 2 else i
        Image.fromarray(numbers).save(maps / f"{i}.png")
    with pytest.raises(UserError, match=r"2.png has the class 65535, .* in .*/classes.txt, one in"):
        open_dataset(str(photos), source=f"label-maps:{maps}")
    (maps / "classes.txt").write_text("a\nb\nc\nd\n")  # as the sentence says
    assert len(open_dataset(str(photos), source=f"label-maps:{maps}")) == 3


def test_label_maps_in_colour_are_left_out(
    two: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    photos, maps = two
    (maps / "3.bmp").unlink()
    write(maps / "3.png", picture(0))
    assert len(open_dataset(str(photos), source=f"label-maps:{maps}")) == 3
    assert capsys.readouterr().err.endswith(
        "skipped 1: 1 with sources without numbers of classes (3.png)\n"
    )


@pytest.mark.parametrize("halves", [True, False])
def test_files_of_any_size_are_cropped_alike(
    halves: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The source is the image with its colours turned, wherever both were cut."""
    for i, (width, height) in enumerate([(16, 20), (31, 12), (14, 14), (9, 30)]):
        x = picture(i, width, height)
        if halves:
            write(tmp_path / "photos" / f"{i}.png", np.concatenate([255 - x, x], 1))
        else:
            write(tmp_path / "photos" / f"{i}.png", x)
            write(tmp_path / "turned" / f"{i}.png", 255 - x)
    source = "left" if halves else str(tmp_path / "turned")
    data = open_dataset(str(tmp_path / "photos"), crop=8, source=source)
    assert len(data) == 4 and not isinstance(data.x, Tensor)
    loader = Loader(data, fit_spec(data, (8, 8)), 4, 0, condition="images", flip=True, workers=0)
    for _ in range(3):
        x, y = next(loader)
        assert y is not None and torch.allclose(x, -y, atol=1e-6)


def test_a_file_of_pairs_is_what_they_are_on_the_fly(
    two: tuple[Path, Path], double: Path, tmp_path: Path
) -> None:
    file = tmp_path / "pairs.h5"
    for name, source in (
        (two[0], str(two[1])),
        (two[0], f"label-maps:{two[1]}"),
        (double, "right"),
    ):
        write_streams(file, DataQuery(str(name), source=source).stream())
        fly, stored = open_dataset(str(name), source=source), open_dataset(str(file))
        assert isinstance(stored.x, Tensor) and isinstance(fly.x, Tensor)
        assert torch.equal(stored.x, fly.x) and torch.equal(sources(stored), sources(fly))
        assert stored.source_kind == fly.source_kind and stored.classes == fly.classes
        assert fit_spec(stored, (16, 16)) == fit_spec(fly, (16, 16))


def test_splits_are_those_of_both_folders(tmp_path: Path) -> None:
    for split, n in (("train", 3), ("test", 2)):
        for i in range(n):
            write(tmp_path / "photos" / split / f"{i}.png", picture(i))
            write(tmp_path / "drawings" / split / f"{i}.png", picture(10 + i))
    name, source = str(tmp_path / "photos"), str(tmp_path / "drawings")
    assert len(open_dataset(name, split="test", source=source)) == 2
    assert len(open_dataset(name, source=source)) == 3
    for i in range(2):
        (tmp_path / "drawings" / "test" / f"{i}.png").unlink()
    (tmp_path / "drawings" / "test").rmdir()
    with pytest.raises(UserError, match="has test images and .*drawings none: divide both") as told:
        open_dataset(name, split="test", source=source)
    assert not isinstance(told.value, NoSuchSplit)  # which would be taken for a set without tests


@pytest.mark.parametrize("source", ["left", "drawings"])
def test_sources_of_files_want_a_folder(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("drawings").mkdir()
    for opens in (DataQuery.open, DataQuery.stream):
        with pytest.raises(UserError, match=f"^The source '{source}' is for a folder of image"):
            opens(DataQuery("emoji", source=source))
