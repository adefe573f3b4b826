"""The same data are known anywhere, and other data by what differs."""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
import torch
from PIL import Image

from ganlib.common.data import DataSet
from ganlib.common.data.crops import Uncut
from ganlib.common.data.fingerprint import SPREAD, changes, fingerprint
from ganlib.common.formats.hdf5 import Hdf5Images
from ganlib.common.formats.hdf5_writing import write_hdf5
from ganlib.common.query import open_dataset

Make = Callable[..., DataSet]


def test_the_fingerprint_is_of_the_content(toy_data: Make, tmp_path: Path) -> None:
    data = toy_data(n=300)
    write_hdf5(tmp_path / "toy.h5", data)
    lazy = replace(
        data, name="elsewhere", x=Hdf5Images(tmp_path / "toy.h5", "train/images", data.x.shape)
    )
    assert changes(fingerprint(data), fingerprint(lazy)) == ""


def test_the_digest_by_hand(toy_data: Make) -> None:
    data = toy_data(n=3)
    assert isinstance(data.x, torch.Tensor)
    by_hand = sha256(b"torch.uint8 (3, 1, 28, 28)" + data.x.numpy().tobytes()).hexdigest()
    assert fingerprint(data)["images"] == by_hand


def test_sources_of_another_length_and_kind_are_known_too(toy_data: Make) -> None:
    data = toy_data(n=20)
    ids = torch.arange(40 * 2 * 4, dtype=torch.int32).reshape(40, 2, 2, 2)
    by_hand = sha256(b"torch.int32 (40, 2, 2, 2) of 40" + ids.numpy().tobytes()).hexdigest()
    then = fingerprint(replace(data, source=ids))
    assert then["sources"] == by_hand
    many = torch.zeros(SPREAD + 1, 1, 2, 2, dtype=torch.uint8)
    prints = {
        fingerprint(replace(data, source=source))["sources"]
        for source in (ids, ids[:20], ids.to(torch.uint8), many, many[:-1], many.repeat(2, 1, 1, 1))
    }
    assert len(prints) == 6


@pytest.mark.parametrize("n", [1, 2, SPREAD, SPREAD + 1, 100_000])
def test_the_first_and_the_last_image_are_looked_at(n: int) -> None:
    seen: list[torch.Tensor] = []

    class Watched:
        shape = (n, 1, 1, 1)

        def __len__(self) -> int:
            return n

        def __getitem__(self, index: torch.Tensor) -> torch.Tensor:
            seen.append(index)
            return torch.zeros(len(index), 1, 1, 1, dtype=torch.uint8)

    fingerprint(DataSet("watched", Watched()))
    (index,) = seen
    assert index[0] == 0 and index[-1] == n - 1 and len(index) == min(n, SPREAD)
    assert (index.diff() >= 1).all() and (n == 1 or index.diff().max() <= n / (SPREAD - 1) + 1)


def test_what_differs_is_named(toy_data: Make) -> None:
    data = toy_data()
    then = fingerprint(data)
    assert data.y is not None and isinstance(data.x, torch.Tensor)
    cases: list[tuple[DataSet, str]] = [
        (toy_data(n=20), "count was 32 and is now 20"),
        (toy_data(channels=3), "shape was [1, 28, 28] and is now [3, 28, 28]"),
        (replace(data, x=data.x.flip(0)), "other images"),
        (replace(data, y=data.y.flip(0)), "other labels"),
        (replace(data, y=None), "other labels"),
        (replace(data, source=data.x), "other sources, other pairing"),
        (replace(data, classes=data.classes[::-1]), "other class names"),
        (replace(data, x=255 - data.x, y=None), "other images, other labels"),
    ]
    for other, words in cases:
        assert changes(then, fingerprint(other)) == words


def test_what_an_older_ganlib_did_not_look_at_is_taken_to_be_the_same(toy_data: Make) -> None:
    data = toy_data()
    now = fingerprint(data)
    old = ("count", "shape", "images", "labels", "sources")
    then = {name: now[name] for name in old}
    assert changes(then, now) == ""
    assert changes({**then, "images": "other"}, now) == "other images"


def photos(folder: Path) -> list[Path]:
    """Five images of as many sizes, in two folders."""
    random = np.random.default_rng(0)
    paths = [
        folder / name / f"{i}.png" for i, name in enumerate(["cat", "dog", "dog", "cat", "dog"])
    ]
    for i, path in enumerate(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (20 + i, 30 - i, 3), dtype=np.uint8)).save(path)
    return paths


@pytest.mark.parametrize("size", [None, 24])
def test_one_pixel_outside_of_the_crops_is_seen(size: int | None, tmp_path: Path) -> None:
    """Of files that are cropped as they are, and of images that are all of one size before."""
    *_, path = photos(tmp_path / "a")
    copytree(tmp_path / "a", tmp_path / "b")
    then, moved = (fingerprint(open_dataset(str(tmp_path / n), size=size, crop=8)) for n in "ab")
    assert changes(then, moved) == ""
    if size is None:
        with Image.open(path) as picture:
            changed = picture.copy()
        changed.putpixel((0, 0), (1, 2, 3))
        changed.save(path)
    else:
        with Image.open(path) as picture:
            changed = Image.new("RGB", picture.size, (1, 2, 3))
            changed.paste(picture.crop((3, 3, *picture.size)), (3, 3))
        changed.save(path)
    now = fingerprint(open_dataset(str(tmp_path / "a"), size=size, crop=8))
    assert changes(then, now) == "other images around the crops"


def test_the_middles_of_files_are_those_of_crops(tmp_path: Path) -> None:
    photos(tmp_path)
    x = open_dataset(str(tmp_path), crop=9).x
    assert isinstance(x, Uncut)
    index = torch.tensor([4, 0, 2])
    crops, sizes = x.uncut(index, lambda image: tuple(image.shape))
    assert torch.equal(crops, x[index])
    assert sizes == [(3, 24, 26), (3, 20, 30), (3, 21, 29)]  # cat/0, cat/3, dog/1, dog/2, dog/4


def test_a_class_folder_that_is_renamed_is_another_class(tmp_path: Path) -> None:
    photos(tmp_path)
    then = fingerprint(open_dataset(str(tmp_path)))
    (tmp_path / "dog").rename(tmp_path / "fox")
    assert changes(then, fingerprint(open_dataset(str(tmp_path)))) == "other class names"
