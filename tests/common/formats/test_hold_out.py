"""Files that are held out of training, where a folder has no test images."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image

from ganlib.common.data import DataSet, Images
from ganlib.common.data.spec import NoSuchSplit
from ganlib.common.formats.folders import of_split
from ganlib.common.query import DataQuery, open_dataset

Draw = Callable[..., Path]


class File(NamedTuple):
    name: str


def names(n: int, hold_out: float, split: str = "test") -> set[str]:
    return {f.name for f in of_split([File(f"{i}.png") for i in range(n)], split, hold_out)}


@pytest.fixture
def draw(tmp_path: Path) -> Draw:
    """draw("in", 10, side=16): a folder of such pictures, each of one grey that is its number."""

    def make(name: str, n: int, width: int = 16, height: int = 16, start: int = 0) -> Path:
        (tmp_path / name).mkdir(parents=True)
        for i in range(n):
            pixels = np.full((height, width, 3), i + start, np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{i:03}.png")
        return tmp_path / name

    return make


def greys(data: DataSet) -> list[int]:
    return means(data.x)


def means(images: Images) -> list[int]:
    return [int(x.float().mean()) for x in images[torch.arange(len(images))]]


def test_digests_of_names_choose() -> None:
    by_hand = sorted((f"{i}.png" for i in range(20)), key=lambda n: sha256(n.encode()).hexdigest())
    assert names(20, 0.1) == set(by_hand[:2]) and names(20, 5) == set(by_hand[:5])
    assert names(20, 5, "train") == set(by_hand[5:])
    assert len(names(21, 0.1)) == 3 and len(names(2, 0.9)) == 1 and len(names(3, 50)) == 2
    kept = names(100, 0.1) & names(110, 0.1)
    assert len(kept) >= 8  # the ten files that came displace a few
    with pytest.raises(NoSuchSplit):
        names(1, 0.5)


def test_a_folder_is_two_splits(draw: Draw) -> None:
    folder = draw("photos", 20)
    with pytest.raises(NoSuchSplit):
        open_dataset(str(folder), split="test")
    assert len(open_dataset(str(folder))) == 20
    for how in ({}, {"crop": 8}, {"source": "edges"}, {"size": 8}, {"size": 12, "crop": 8}):
        train, test = (
            open_dataset(str(folder), split=split, hold_out=0.2, **how)  # type: ignore[arg-type]
            for split in ("train", "test")
        )
        assert sorted(greys(train) + greys(test)) == list(range(20))
        assert test.held_out == tuple(f"photos/{i:03}.png" for i in greys(test))
        assert len(test) == 4 and train.held_out == () and train.shape == test.shape


def test_both_splits_have_the_shape_of_all_files(draw: Draw) -> None:
    folder = draw("photos", 10)
    for i in range(10):
        Image.new("L", (40, 30)).save(folder / f"{i:03}.png")
        train, test = (open_dataset(str(folder), split=s, hold_out=1.0) for s in ("train", "test"))
        assert train.shape == test.shape == (1 if i == 9 else 3, 64, 64)


def test_pairs_stay_together(draw: Draw) -> None:
    photos, maps = draw("photos", 12), draw("maps", 10, start=100)
    both = draw("both", 9, width=32)
    for folder, source in (photos, str(maps)), (both, "left"):
        n = 10 if folder == photos else 9
        train, test = (
            open_dataset(str(folder), split=s, source=source, hold_out=3) for s in ("train", "test")
        )
        assert (len(train), len(test)) == (n - 3, 3) and train.paired and test.paired
        assert sorted(greys(train) + greys(test)) == list(range(n))
        assert test.source is not None
        assert means(test.source) == [g + (100 if folder == photos else 0) for g in greys(test)]


def test_whole_videos_are_held_out(draw: Draw, tmp_path: Path) -> None:
    for i in range(4):
        draw(f"videos/{i}", 6, start=10 * i)
    train, test = (
        open_dataset(str(tmp_path / "videos"), split=s, source="past:2", hold_out=0.25)
        for s in ("train", "test")
    )
    assert len(test) == 4 and len(train) == 12
    assert {g // 10 for g in greys(test)} == {int(name) for name in test.held_out}
    assert {g // 10 for g in greys(train)} | {g // 10 for g in greys(test)} == set(range(4))


def test_of_unpaired_sets_each_has_its_own(draw: Draw) -> None:
    horses, zebras = draw("horses", 10), draw("zebras", 20, start=100)
    how = {"source": f"unpaired:{zebras}", "hold_out": 0.1}
    train, test = (open_dataset(str(horses), split=s, **how) for s in ("train", "test"))  # type: ignore[arg-type]
    assert (len(train), len(test)) == (9, 1)
    assert train.source is not None and test.source is not None
    assert (len(train.source), len(test.source)) == (18, 2)
    assert {name.split("/")[0] for name in test.held_out} == {"horses", "zebras"}
    assert len(test.held_out) == 3 and len(test.turned().held_out) == 3


def test_what_can_be_held_out(draw: Draw, tmp_path: Path) -> None:
    photos, maps = str(draw("photos", 3)), str(draw("maps", 3))
    draw("own/train", 3), draw("own/test", 1)
    own = str(tmp_path / "own")

    def holds_out(name: str, source: str | None) -> bool:
        return DataQuery(name, source=source).holds_out

    assert holds_out(photos, None) and holds_out(photos, "edges") and holds_out(photos, maps)
    assert not holds_out(own, "edges") and not holds_out("emoji", "edges")
    assert not holds_out(photos, own) and not holds_out("none", None)
    assert holds_out("emoji", f"unpaired:{photos}") and holds_out(photos, "unpaired:emoji")
    assert len(open_dataset(own, split="train", hold_out=0.5)) == 3
    assert open_dataset(own, split="test", hold_out=0.5).held_out == ()
