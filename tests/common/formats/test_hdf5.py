"""Our HDF5 files: written, read at once or image by image; and what is wrong with one is said."""

import json
import math
import os
import pickle
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from ganlib.common.data import DataSet
from ganlib.common.data.spec import NoSuchSplit
from ganlib.common.errors import UserError
from ganlib.common.formats import hdf5, hdf5_writing
from ganlib.common.formats.hdf5 import Hdf5Images, read_hdf5
from ganlib.common.formats.hdf5_writing import write_hdf5, write_streams
from ganlib.common.formats.stream import Block, Stream

generator = torch.Generator().manual_seed(0)


def noise(*shape: int) -> torch.Tensor:
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


TRAIN = DataSet(
    "noise",
    noise(300, 3, 8, 10),
    torch.arange(300) % 3,
    noise(300, 1, 4, 4),
    ("a", "b", "ä"),
    {"source": "a test", "licence": "none"},
)
TEST = DataSet("noise", noise(7, 3, 8, 10))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "set.h5"
    write_hdf5(path, TRAIN, TEST)
    return path


def assert_equal(a: torch.Tensor | Any, b: torch.Tensor | Any) -> None:
    assert isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor) and torch.equal(a, b)


def test_round_trip(path: Path) -> None:
    train, test = read_hdf5(path, "train"), read_hdf5(path, "test")
    assert_equal(train.x, TRAIN.x)
    assert_equal(train.y, TRAIN.y)
    assert_equal(train.source, TRAIN.source)
    assert (train.name, train.classes) == (TRAIN.name, TRAIN.classes)
    assert train.provenance == TRAIN.provenance
    assert_equal(test.x, TEST.x)
    assert (test.y, test.source, test.classes) == (None, None, ())
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_layout(path: Path) -> None:
    with h5py.File(path) as file:
        images = file["train/images"]
        assert (images.dtype, images.shape) == (np.uint8, (300, 3, 8, 10))
        assert images.chunks == (136, 3, 8, 10)
        assert (images.compression, images.compression_opts, images.shuffle) == ("gzip", 6, False)
        assert file["train/labels"].dtype == np.int64
        assert file.attrs["version"] == 1


def test_same_bytes_every_time(path: Path) -> None:
    before = path.read_bytes()
    write_hdf5(path, TRAIN, TEST)
    assert path.read_bytes() == before


def test_many_classes(tmp_path: Path) -> None:
    names = tuple(f"person {i}" for i in range(20_000))
    data = DataSet("x", noise(2, 1, 4, 4), torch.tensor([0, 19_999]), None, names)
    write_hdf5(tmp_path / "set.h5", data)
    assert read_hdf5(tmp_path / "set.h5", "train").classes == names


def test_names_of_files_that_are_not_unicode(tmp_path: Path) -> None:
    name = os.fsdecode(b"gr\xfc\xdf")
    data = DataSet(name, noise(1, 1, 4, 4), torch.tensor([0]), None, (name,), {"folder": name})
    write_hdf5(tmp_path / "set.h5", data)
    read = read_hdf5(tmp_path / "set.h5", "train")
    assert {read.name, *read.classes, read.provenance["folder"]} == {"gr\ufffd\ufffd"}


IDS = torch.randint(0, 65536, (300, 2, 4, 5), generator=generator, dtype=torch.int32)


def write_new(path: Path) -> dict[str, DataSet]:
    """Files of what version 1 has not, by name."""
    names = ("road", "car")
    sets = {
        "ids": DataSet("ids", TRAIN.x, source=IDS, classes=names, source_kind="ids"),
        "frames": DataSet("frames", noise(9, 6, 4, 4), source=noise(9, 3, 2, 2), frames=2,
                          source_frames=3),
        "unpaired": DataSet("unpaired", noise(300, 3, 4, 4), source=noise(290, 1, 2, 2)),
        "many": DataSet("many", noise(3, 3, 4, 4), source=noise(600, 1, 2, 2)),
    }  # fmt: skip
    for name, data in sets.items():
        write_hdf5(path / f"{name}.h5", data)
    return sets


@pytest.mark.parametrize("memory", [None, 0])
def test_what_version_2_has(
    tmp_path: Path, memory: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if memory is not None:
        monkeypatch.setattr(hdf5, "IN_MEMORY", memory)
    for name, data in write_new(tmp_path).items():
        read = read_hdf5(tmp_path / f"{name}.h5", "train")
        parts = ("source_kind", "frames", "source_frames", "classes")
        assert [getattr(read, p) for p in parts] == [getattr(data, p) for p in parts]
        for mine, its in ((data.x, read.x), (data.source, read.source)):
            assert mine is not None and its is not None
            assert isinstance(its, Hdf5Images) == (memory is not None)
            rows = torch.tensor([2, 0, len(mine) - 1])
            assert its.shape == mine.shape
            assert_equal(its[rows], mine[rows])
        with h5py.File(tmp_path / f"{name}.h5", locking=False) as file:
            assert file.attrs["version"] == 2


def test_ids_take_half_the_bytes_in_a_file(tmp_path: Path) -> None:
    write_new(tmp_path)
    with h5py.File(tmp_path / "ids.h5") as file:
        assert (file["train/source"].dtype, file["train/source"].attrs["kind"]) == (
            np.uint16,
            "ids",
        )


@pytest.mark.parametrize("number", [-1, 65536])
def test_ids_that_have_no_room(tmp_path: Path, number: int) -> None:
    ids = torch.full((3, 2, 4, 4), number, dtype=torch.int32)
    data = DataSet("x", noise(3, 1, 4, 4), source=ids, source_kind="ids")
    with pytest.raises(UserError, match=r"numbers in /train/source must lie in 0\.\.65535"):
        write_hdf5(tmp_path / "set.h5", data)
    assert not list(tmp_path.iterdir())


def test_the_other_split_may_need_the_version(tmp_path: Path) -> None:
    sets = write_new(tmp_path)
    write_hdf5(tmp_path / "set.h5", TRAIN, sets["unpaired"])
    with h5py.File(tmp_path / "set.h5") as file:
        assert file.attrs["version"] == 2
    assert_equal(read_hdf5(tmp_path / "set.h5", "train").source, TRAIN.source)
    source = read_hdf5(tmp_path / "set.h5", "test").source
    assert source is not None and len(source) == 290


def test_fewer_images_than_announced(tmp_path: Path) -> None:
    blocks = iter([Block(TEST.x[:2]), Block(TEST.x[2:3])])  # type: ignore[index]
    write_streams(tmp_path / "set.h5", Stream("x", (3, 8, 10), 100, blocks))
    assert_equal(read_hdf5(tmp_path / "set.h5", "train").x, TEST.x[:3])  # type: ignore[index]


# How images lie in a file


def write(path: Path, storage: Any, total: int = 300, sides: Any = (), n: int = 300) -> str:
    x = TRAIN.x[:n, :, :, :8]  # type: ignore[index]
    blocks = (Block(x[i : i + 100], torch.arange(len(x[i : i + 100]))) for i in range(0, n, 100))
    return write_streams(path, Stream("x", (3, 8, 8), total, blocks), None, storage, sides)


@pytest.mark.parametrize("storage", ["gzip", "lzf", "contiguous"])
@pytest.mark.parametrize("memory", [0, 2**30])
def test_all_storages_hold_the_same(
    storage: Any, memory: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "set.h5"
    assert write(path, storage, sides=(4, 2)) == storage
    monkeypatch.setattr(hdf5, "IN_MEMORY", memory)
    data, rows = read_hdf5(path, "train"), torch.tensor([250, 3, 4, 3])
    assert_equal(data.x[rows], TRAIN.x[:, :, :, :8][rows])  # type: ignore[index]
    with h5py.File(path, locking=False) as file:
        for key in ("images", "smaller/4", "smaller/2"):
            found = file["train"][key]
            assert found.compression == (None if storage == "contiguous" else storage)
            assert (found.chunks is None) == (storage == "contiguous")
        assert file.attrs["version"] == 1


def test_what_is_not_read_at_once_lies_contiguous(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nbytes = 300 * 3 * 8 * 8
    for memory, storage in ((nbytes + 1, "gzip"), (nbytes, "contiguous")):
        monkeypatch.setattr(hdf5, "IN_MEMORY", memory)
        assert write(tmp_path / "set.h5", None, sides=(4,)) == storage
        read = read_hdf5(tmp_path / "set.h5", "train").x
        assert isinstance(read, torch.Tensor) == (storage == "gzip")
    monkeypatch.setattr(hdf5, "available_memory", lambda: nbytes)
    monkeypatch.setattr(hdf5, "IN_MEMORY", 2**30)
    assert write(tmp_path / "set.h5", None) == "contiguous"
    assert write_hdf5(tmp_path / "pair.h5", TEST, TRAIN) == "contiguous"


@pytest.mark.parametrize("memory", [0, 2**30])
@pytest.mark.parametrize(("storage", "version"), [("gzip", 1), ("lzf", 1), ("contiguous", 3)])
def test_fewer_images_than_there_is_room_for(
    storage: Any, version: int, memory: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "set.h5"
    write(path, storage, 305, (4,), 130)
    monkeypatch.setattr(hdf5, "IN_MEMORY", memory)
    data = read_hdf5(path, "train")
    assert len(data) == len(data.smaller[4]) == 130
    assert data.y is not None and len(data.y) == 130
    rows = torch.tensor([129, 0])
    assert_equal(data.x[rows], TRAIN.x[:, :, :, :8][rows])  # type: ignore[index]
    assert isinstance(data.x, torch.Tensor) == (memory > 0)
    with h5py.File(path, locking=False) as file:
        assert file.attrs["version"] == version
        assert file["train/images"].attrs.get("count", 130) == 130


@pytest.mark.parametrize("count", [0, 301, 1.5, "2"])
def test_a_wrong_count(count: Any, tmp_path: Path) -> None:
    write(tmp_path / "set.h5", "contiguous")
    with h5py.File(tmp_path / "set.h5", "r+") as file:
        file["train/images"].attrs["count"] = count
    with pytest.raises(UserError, match=r"/train/images@count must be an integer in 1\.\.300"):
        read_hdf5(tmp_path / "set.h5", "train")


# Lower resolutions


@pytest.fixture
def pyramid(tmp_path: Path) -> Path:
    write(tmp_path / "set.h5", None, sides=(4, 2, 1))
    return tmp_path / "set.h5"


@pytest.mark.parametrize("memory", [0, 2**30])
def test_lower_resolutions_are_means_of_blocks(
    pyramid: Path, memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hdf5, "IN_MEMORY", memory)
    smaller = read_hdf5(pyramid, "train").smaller
    assert list(smaller) == [1, 2, 4]
    x = TRAIN.x[:, :, :, :8].numpy().astype(np.float64)  # type: ignore[index]
    for side, images in smaller.items():
        assert isinstance(images, Hdf5Images) and images.shape == (300, 3, side, side)
        whole = images.at_once()
        assert isinstance(whole, torch.Tensor) == (memory > 0)
        k = 8 // side
        exact = x.reshape(300, 3, side, k, side, k).mean((3, 5))
        assert np.array_equal(whole[torch.arange(300)].numpy(), np.floor(exact + 0.5))


def test_without_them_a_file_is_as_before(tmp_path: Path, path: Path) -> None:
    assert read_hdf5(path, "train").smaller == {}
    with h5py.File(path) as file:
        assert sorted(file["train"]) == ["classes", "crc32", "images", "labels", "source"]


def test_frames_have_lower_resolutions_too(tmp_path: Path) -> None:
    data = DataSet("frames", noise(9, 6, 4, 4), frames=2)
    write_hdf5(tmp_path / "set.h5", data, sides=(2,))
    read = read_hdf5(tmp_path / "set.h5", "train")
    assert read.smaller[2].shape == (9, 6, 2, 2) and read.frames == 2


@pytest.mark.parametrize(
    ("shape", "sides", "words"),
    [
        ((8, 8), (3,), "Images of 8 pixels have no whole blocks for 3: of"),
        ((12, 12), (6, 4), "Images of 6 pixels have no whole blocks for 4: of"),
        ((8, 8), (8,), "8 pixels have no whole blocks for 8"),
        ((8, 8), (4, 4), "4 pixels have no whole blocks for 4"),
        ((8, 8), (0,), "have no whole blocks for 0"),
        ((8, 10), (4,), "The images are 10x8, and lower resolutions are of square ones"),
    ],
)
def test_resolutions_that_cannot_be(
    shape: tuple[int, int], sides: tuple[int, ...], words: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=words):
        write_hdf5(tmp_path / "set.h5", DataSet("x", noise(2, 1, *shape)), sides=sides)
    assert not list(tmp_path.iterdir())


# Files larger than memory


@pytest.fixture
def large(path: Path, monkeypatch: pytest.MonkeyPatch) -> DataSet:
    monkeypatch.setattr(hdf5, "IN_MEMORY", 1000)
    data = read_hdf5(path, "train")
    assert isinstance(data.x, Hdf5Images) and isinstance(data.source, Hdf5Images)
    return data


@pytest.mark.parametrize(
    "index",
    [
        [5],
        [0, 1, 2],
        [2, 0, 1],
        [299, 0, 150, 3],
        [7, 7, 3, 7],
        list(range(100, 300)),
        [],
        [0, 0, 2],
    ],
)
def test_large_files_are_read_by_index(large: DataSet, index: list[int]) -> None:
    rows = torch.tensor(index, dtype=torch.int64)
    assert large.shape == (3, 8, 10) and len(large) == 300
    assert_equal(large.x[rows], TRAIN.x[rows])
    assert large.source is not None and TRAIN.source is not None
    assert_equal(large.source[rows], TRAIN.source[rows])


def test_little_memory_makes_a_file_large(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hdf5, "available_memory", lambda: 100_000)
    assert isinstance(read_hdf5(path, "train").x, Hdf5Images)
    monkeypatch.setattr(hdf5, "available_memory", lambda: math.inf)
    assert isinstance(read_hdf5(path, "train").x, torch.Tensor)


def test_large_files_go_to_other_processes(large: DataSet) -> None:
    rows = torch.tensor([1])
    expected = large.x[rows]  # opened here first
    assert_equal(pickle.loads(pickle.dumps(large.x))[rows], expected)
    code = """
import pickle, sys, torch
images = pickle.load(sys.stdin.buffer)
print(images[torch.tensor([1])].flatten().tolist())
"""
    done = subprocess.run(
        [sys.executable, "-c", code], input=pickle.dumps(large.x), capture_output=True, check=True
    )
    assert json.loads(done.stdout) == expected.flatten().tolist()


def test_a_process_opens_the_file_for_itself(
    large: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = large.x
    assert isinstance(images, Hdf5Images)
    here = images._open()
    assert images._open() is here
    monkeypatch.setattr("os.getpid", lambda: 1)
    assert images._open() is not here


# What goes wrong in writing


def test_nothing_is_left_of_a_failed_write(path: Path) -> None:
    before = path.read_bytes()

    def blocks(error: BaseException) -> Iterator[Block]:
        yield Block(TEST.x)  # type: ignore[arg-type]
        raise error

    for error in (KeyboardInterrupt(), UserError("no"), ValueError("no")):
        with pytest.raises(type(error)):
            write_streams(path, Stream("x", (3, 8, 10), 100, blocks(error)))
        with pytest.raises(type(error)):
            write_streams(path.with_name("new.h5"), Stream("x", (3, 8, 10), 100, blocks(error)))
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("room", [0, 100, 5_000, 80_000, -1])
def test_full_disk(path: Path, room: int) -> None:
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room % len(before), hard))
    try:
        with pytest.raises(UserError, match="set.h5 could not be written: File too large.$"):
            write_hdf5(path, TRAIN, TEST)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_disk_that_is_too_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage:
        free = 300 * 3 * 8 * 8 - 1

    monkeypatch.setattr(hdf5_writing, "disk_usage", lambda _: Usage)
    with pytest.raises(UserError, match=r"set.h5 takes 0\.0 GiB and 0\.0 GiB are free there: give"):
        write(tmp_path / "set.h5", "contiguous")
    assert not list(tmp_path.iterdir())
    write(tmp_path / "set.h5", "gzip")


def test_a_folder_that_takes_no_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:  # root may write everywhere
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(UserError, match="set.h5 could not be written: Permission denied.$"):
        write_hdf5(path, TRAIN)


def test_a_folder_that_goes_away(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()

    def blocks() -> Iterator[Block]:
        yield Block(noise(2, 3, 8, 10))
        shutil.rmtree(folder)

    with pytest.raises(UserError, match="set.h5 could not be written: No such file"):
        write_streams(folder / "set.h5", Stream("x", (3, 8, 10), 2, blocks()))


# What goes wrong in reading

Change = Callable[[Any], None]


def replaced(key: str, value: Any) -> Change:
    def change(file: Any) -> None:
        del file[key]
        file[key] = value
        if "/" in key:
            del file[key.replace("/", "/crc32/", 1)]  # as a user is told

    return change


def removed(*keys: str) -> Change:
    def change(file: Any) -> None:
        for key in keys:
            del file[key]

    return change


def of_version(version: int) -> Change:
    return lambda file: file.attrs.__setitem__("version", version)


N = 300


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (removed("train/images"), "/train/images is missing.*data prepare"),
        (removed("train", "test"), "/train/images is missing"),
        (replaced("train", 5), "/train/images is missing"),
        (replaced("train/images", np.zeros((N, 3, 8, 8))), "must be uint8.*is float64"),
        (replaced("train/images", np.zeros((N, 8, 8), np.uint8)), r"\(300, 8, 8\)"),
        (replaced("train/images", np.zeros((N, 8, 8, 3), np.uint8)), "1 or 3, H, W.*8, 8, 3"),
        (replaced("train/images", np.zeros((0, 3, 8, 8), np.uint8)), r"\(0, 3, 8, 8\)"),
        (replaced("train/labels", np.zeros(5, np.int64)), "/train/labels must be 300 integers"),
        (replaced("train/labels", np.zeros(N)), "/train/labels must be 300 integers"),
        (replaced("train/labels", np.full(N, 3)), r"/train/labels must lie in 0\.\.2"),
        (replaced("train/labels", np.full(N, -1)), r"/train/labels must lie in 0\.\.2"),
        (replaced("train/source", np.zeros((5, 3, 8, 8), np.uint8)), "source must hold 300"),
        (replaced("train/source", np.zeros((N, 3, 8, 8))), "/train/source must be uint8"),
        (of_version(4), "format version 4 and this ganlib reads up to 3"),
    ],
)
def test_wrong_contents(path: Path, change: Change, words: str) -> None:
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(UserError, match=words):
        read_hdf5(path, "train")


def attribute(key: str, name: str, value: Any) -> Change:
    return lambda file: file[key].attrs.__setitem__(name, value)


def several(*changes: Change) -> Change:
    def change(file: Any) -> None:
        for one in changes:
            one(file)

    return change


IDS_HERE = attribute("train/source", "kind", "ids")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (attribute("train/images", "frames", 2), r"\(N, 2 or 6, H, W\) as it has 2 frames and has"),
        (attribute("train/images", "frames", 0), r"/train/images@frames must be an integer in 1"),
        (attribute("train/images", "frames", 1.5), r"@frames must be an integer in 1\.\.65,536"),
        (attribute("train/images", "frames", 2**16 + 1), "@frames must be an integer"),
        (attribute("train/images", "frames", "2"), "@frames must be an integer"),
        (attribute("train/images", "frames", [2, 3]), "@frames must be one number or text"),
        (attribute("train/source", "frames", 3), r"/train/source must have .*N, 3 or 9, H, W"),
        (attribute("train/source", "kind", "words"), "@kind must be image or ids and is words"),
        (attribute("train/source", "kind", 5), "@kind must be image or ids and is 5"),
        (IDS_HERE, r"/train/source must be uint16, 0\.\.65535, and is uint8"),
        (replaced("train/source", np.zeros((N, 2, 4, 4), np.uint16)), "must be uint8, 0..255, and"),
        (
            several(replaced("train/source", np.zeros((N, 3, 4, 4), np.uint16)), IDS_HERE),
            r"/train/source must have the shape \(N, 2, H, W\) and has \(300, 3, 4, 4\)",
        ),
        (
            several(replaced("train/source", np.zeros((N, 2, 4, 4), np.int32)), IDS_HERE),
            "must be uint16, .* and is int32",
        ),
        (
            several(replaced("train/images", np.zeros((N, 2, 3, 4, 4), np.uint8)), of_version(2)),
            r"\(N, 1 or 3, H, W\) and has \(300, 2, 3, 4, 4\)",
        ),
        (
            several(replaced("train/source", np.zeros((0, 3, 4, 4), np.uint8)), of_version(2)),
            r"and has \(0, 3, 4, 4\)",
        ),
    ],
)
def test_wrong_kinds_and_frames(path: Path, change: Change, words: str) -> None:
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(UserError, match=words):
        read_hdf5(path, "train")


@pytest.mark.parametrize(
    "images", [np.zeros((N, 3, 4, 5), np.uint8), np.zeros((5, 3, 4, 4), np.uint8), np.zeros(3)]
)
def test_wrong_lower_resolutions(pyramid: Path, images: Any) -> None:
    with h5py.File(pyramid, "r+") as file:
        replaced("train/smaller/4", images)(file)
    with pytest.raises(UserError, match="/train/smaller/4 must be"):
        read_hdf5(pyramid, "train")


def test_lower_resolutions_that_are_none(pyramid: Path) -> None:
    with h5py.File(pyramid, "r+") as file:
        replaced("train/images", np.zeros((N, 3, 4, 4), np.uint8))(file)
    with pytest.raises(UserError, match="must be smaller square images, of the shape .300, 3, 4"):
        read_hdf5(pyramid, "train")


def test_sources_of_another_length_need_the_version(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        replaced("train/source", np.zeros((5, 3, 8, 8), np.uint8))(file)
        of_version(2)(file)
    source = read_hdf5(path, "train").source
    assert source is not None and len(source) == 5


def test_a_file_of_somebody_else_needs_only_images(tmp_path: Path) -> None:
    path = tmp_path / "mine.hdf5"
    with h5py.File(path, "w") as file:
        file["train/images"] = TEST.x.numpy()  # type: ignore[attr-defined]
        file["train/labels"] = np.array([0, 4, 1, 1, 1, 2, 0], dtype=np.uint8)
    data = read_hdf5(path, "train")
    assert_equal(data.x, TEST.x)
    assert (data.name, data.provenance) == ("mine", {})
    assert data.y is not None and data.y.tolist() == [0, 4, 1, 1, 1, 2, 0]
    assert data.classes == ("0", "1", "2", "3", "4")
    with pytest.raises(NoSuchSplit, match="has no test images"):
        read_hdf5(path, "test")


def test_not_hdf5_and_cut_off(path: Path) -> None:
    whole = path.read_bytes()
    for content in (b"text", b"", whole[: len(whole) // 2], whole[:-1]):
        path.write_bytes(content)
        with pytest.raises(UserError, match="not an HDF5 file, or is damaged or cut off"):
            read_hdf5(path, "train")


def test_damaged_inside(path: Path) -> None:
    with h5py.File(path) as file:
        place = file["train/images"].id.get_chunk_info(0)
    content = bytearray(path.read_bytes())
    content[place.byte_offset + 50 : place.byte_offset + place.size] = bytes(place.size - 50)
    path.write_bytes(content)
    with pytest.raises(UserError, match="damaged"):
        read_hdf5(path, "train")


def test_no_file(path: Path) -> None:
    with pytest.raises(UserError, match="There is no file .*none.h5"):
        read_hdf5(path.with_name("none.h5"), "train")
