"""Folders of images of unequal size, cropped when they are asked for."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from ganlib.common.data import DataSet, Loader, fit_spec
from ganlib.common.data.fingerprint import fingerprint
from ganlib.common.data.loader import WORKERS
from ganlib.common.errors import UserError
from ganlib.common.formats import folders as folder
from ganlib.common.formats.file_crops import FileCrops
from ganlib.common.query import open_dataset

SIZES = [(8, 8), (12, 9), (9, 31), (40, 17), (16, 16)]
ROTATED = 6  # EXIF: to be turned by 90 degrees


def noise(width: int, height: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Five images in two classes."""
    for i, (width, height) in enumerate(SIZES):
        path = tmp_path / "photos" / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise(width, height, i)).save(path)
    return tmp_path / "photos"


def opened(root: Path, crop: int = 8, split: str = "train") -> DataSet:
    data = open_dataset(str(root), split=split, crop=crop)
    assert isinstance(data.x, FileCrops)
    return data


def test_crops_are_slices_of_the_files(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = opened(root)
    assert data.shape == (3, 8, 8) and len(data) == 5 and data.x.shape == (5, 3, 8, 8)
    assert data.y is not None and data.y.tolist() == [0, 0, 0, 1, 1]
    assert capsys.readouterr().err == "photos: 5 images of 2 classes, crops of 8x8 RGB\n"
    index, places = torch.arange(5).flip(0), torch.rand(5, 2)
    got = data.x.crops(index, places)  # type: ignore[attr-defined]
    assert got.dtype == torch.uint8
    for image, number, (u, v) in zip(got.numpy(), index.tolist(), places.tolist(), strict=True):
        file = (0, 2, 4, 1, 3)[number]
        width, height = SIZES[file]
        top, left = int(u * (height - 7)), int(v * (width - 7))
        whole = noise(width, height, file).transpose(2, 0, 1)
        assert np.array_equal(image, whole[:, top : top + 8, left : left + 8])


def test_by_index_the_middle(root: Path) -> None:
    middle = opened(root).x[torch.tensor([2])][0].numpy()
    assert np.array_equal(middle, noise(16, 16, 4).transpose(2, 0, 1)[:, 4:12, 4:12])


def test_smaller_images_are_left_out(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = opened(root, 10)
    assert len(data) == 2 and data.y is not None and data.y.tolist() == [0, 1]
    assert capsys.readouterr().err == (
        "photos: 2 images of 2 classes, crops of 10x10 RGB; "
        "skipped 3: 3 smaller than 10x10 (a/0.png, a/2.png, b/1.png)\n"
    )
    (root / "a" / "notes.txt").touch()
    advice = "no usable image .*1 not images .*5 smaller than 99x99 .*: ask for a smaller size"
    with pytest.raises(UserError, match=advice):
        opened(root, 99)


def test_upright_and_grey(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = ROTATED
    wide = noise(24, 10)[:, :, 0]
    Image.fromarray(wide).save(tmp_path / "turned.png", exif=exif)
    data = opened(tmp_path, 10)
    assert data.shape == (1, 10, 10)
    down = data.x.crops(torch.tensor([0]), torch.tensor([[0.999, 0.5]]))  # type: ignore[attr-defined]
    assert np.array_equal(down[0, 0].numpy(), np.rot90(wide, -1)[14:])


def test_with_a_size_the_files_are_resized_and_lie_in_memory(root: Path) -> None:
    data = open_dataset(str(root), size=12, crop=8)
    whole = open_dataset(str(root), size=12)
    assert isinstance(whole.x, torch.Tensor)
    assert torch.equal(data.x[torch.arange(5)], whole.x[:, :, 2:10, 2:10])


def cut(path: Path) -> None:
    """Leave the first half of a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def spoil(path: Path) -> None:
    """Write zeros over the middle of a file, whose beginning and end stay."""
    content = bytearray(path.read_bytes())
    third = len(content) // 3
    content[third : 2 * third] = bytes(third)
    path.write_bytes(content)


@pytest.mark.parametrize("kind", ["png", "jpg", "gif"])
def test_files_without_their_ends_are_left_out(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for i in range(4):
        Image.fromarray(noise(30, 20, i)).save(tmp_path / f"{i}.{kind}")
    cut(tmp_path / f"1.{kind}")
    with (tmp_path / f"2.{kind}").open("ab") as file:
        file.write(b"what a camera adds")
    data = opened(tmp_path)
    assert data.x.items[1].name == f"2.{kind}"  # type: ignore[attr-defined]
    assert len(data) == 3 and capsys.readouterr().err.endswith(f" (1.{kind})\n")
    data.x[torch.arange(3)]
    assert not capsys.readouterr().err


def test_in_place_of_what_cannot_be_read_another_of_its_class_stands(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Items 0 to 4 are a/0, a/2, a/4, b/1 and b/3."""
    spoil(root / "a" / "4.png")
    data = opened(root, 8)
    assert len(data) == 5 and "skipped" not in capsys.readouterr().err
    index, places = torch.tensor([2, 3]), torch.rand(2, 2)
    first = data.x.crops(index, places)  # type: ignore[attr-defined]
    err = capsys.readouterr().err
    assert err == "a/4.png is of no use (damaged): another stands in its place.\n"
    others = data.x.crops(torch.tensor([0, 1, 3]), places[[0, 0, 1]])  # type: ignore[attr-defined]
    assert torch.equal(first[1], others[2])
    assert torch.equal(first[0], others[0]) or torch.equal(first[0], others[1])
    for again in (data, opened(root, 8)):  # told once, and by the number alone
        assert torch.equal(again.x.crops(index, places), first)  # type: ignore[attr-defined]
    assert capsys.readouterr().err.count("a/4.png is of no use (damaged)") == 1
    for path in root.glob("a/*.png"):
        path.unlink()
    with pytest.raises(UserError, match="a/0.png cannot be used, nor any of 100 others in its pl"):
        data.x[torch.tensor([0])]


def test_of_a_pair_both_are_anothers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for i in range(6):
        for name, sign in (("photos", 0), ("turned", 255)):
            path = tmp_path / name / f"{i}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(noise(20 + i, 30, i) ^ np.uint8(sign)).save(path)
    spoil(tmp_path / "photos" / "1.png")
    spoil(tmp_path / "turned" / "4.png")
    data = open_dataset(str(tmp_path / "photos"), crop=8, source=str(tmp_path / "turned"))
    index, places = torch.tensor([4, 0, 1, 5, 4]), torch.rand(5, 2)
    x, y = (one.crops(index, places) for one in (data.x, data.source))  # type: ignore[union-attr]
    assert torch.equal(y, 255 - x)
    err = capsys.readouterr().err
    assert (
        err.count("4.png is of no use (damaged)") == err.count("1.png is of no use (damaged)") == 1
    )
    fresh = open_dataset(str(tmp_path / "photos"), crop=8, source=str(tmp_path / "turned"))
    assert torch.equal(fresh.source.crops(index, places), y)  # type: ignore[union-attr]


def test_a_long_list_is_not_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for i in range(20):
        Image.fromarray(noise(9, 9, i)).save(tmp_path / f"{i:02}.png")
        if i < 15:
            spoil(tmp_path / f"{i:02}.png")
    data = opened(tmp_path)
    capsys.readouterr()
    data.x[torch.arange(20)]
    *lines, last = capsys.readouterr().err.splitlines()
    assert len(lines) == 10 and last == "Further files that are of no use are not named."


@pytest.mark.skipif(WORKERS == 0, reason="no safe forks here")
@pytest.mark.parametrize("spoilt", [False, True])
def test_two_workers_equal_none(
    root: Path, spoilt: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    if spoilt:
        spoil(root / "b" / "3.png")
    data = opened(root)
    spec = fit_spec(data, (8, 8))
    settings = {"flip": True, "condition": "labels"}
    plain, workers = (Loader(data, spec, 4, 0, workers=n, **settings) for n in (0, 2))  # type: ignore[arg-type]
    seen = set()
    for position in (0, 4 * 7):
        plain.position = workers.position = position
        for _ in range(6):
            (x, y), again = next(plain), next(workers)
            assert y is not None and torch.equal(x, again.x) and torch.equal(y, again.y)  # type: ignore[arg-type]
            seen |= {image.numpy().tobytes() for image in x}
    workers.close()
    assert len(seen) > 20 - 10 * spoilt  # of four images that can move at all
    assert ("b/3.png is of no use (damaged)" in capfd.readouterr().err) == spoilt
    assert fingerprint(data)["shape"] == [3, 8, 8]


def test_splits(root: Path, tmp_path: Path) -> None:
    both = tmp_path / "both"
    for split in ("train", "test"):
        (both / split).mkdir(parents=True)
        Image.fromarray(noise(20, 30)).save(both / split / "x.png")
    assert len(opened(both)) == len(opened(both, split="test")) == 1
    with pytest.raises(UserError, match="has no test images"):
        folder.lazy(root, "test", 8)
