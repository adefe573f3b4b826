import pickle
import struct
import tracemalloc
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from ganlib.common.data import DataSet
from ganlib.common.errors import UserError
from ganlib.common.formats import arrays
from ganlib.common.formats.hdf5_writing import write_hdf5
from ganlib.common.io import memory
from ganlib.evaluation.formats import Pictures, as_block, as_uint8, open_images


def read(path: Path) -> Tensor:
    return images_of(open_images(path))


def images_of(opened: Pictures) -> Tensor:
    return torch.cat([as_block(batch).images for batch in opened.batches])


@pytest.fixture
def colour() -> Tensor:
    """uint8 (300, 3, 8, 8)."""
    random = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (300, 3, 8, 8), generator=random).to(torch.uint8)


def test_every_kind_of_file_gives_the_same(colour: Tensor, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for i, image in enumerate(colour):
        picture = Image.fromarray(image.permute(1, 2, 0).numpy())
        picture.save(tmp_path / "folder" / f"{i:04}.png")
    last = colour.permute(0, 2, 3, 1).numpy()
    np.savez(tmp_path / "adm.npz", last)
    np.savez(tmp_path / "named.npz", labels=np.arange(300), images=colour.numpy())
    np.save(tmp_path / "plain.npy", last)
    write_hdf5(tmp_path / "ours.h5", DataSet("ours", colour))
    for name in ("folder", "adm.npz", "named.npz", "plain.npy", "ours.h5"):
        assert torch.equal(read(tmp_path / name), colour), name


def test_labels_come_with_the_images_that_have_some(colour: Tensor, tmp_path: Path) -> None:
    y = torch.randint(3, (300,), generator=torch.Generator().manual_seed(0))
    names = ("ant", "bee", "cow")
    floats = colour.permute(0, 2, 3, 1).numpy() / np.float32(255)
    for kind in (np.int64, np.uint8):
        np.savez(tmp_path / f"{kind.__name__}.npz", images=floats, labels=y.numpy().astype(kind))
    write_hdf5(tmp_path / "ours.h5", DataSet("ours", colour, y, None, names))
    order = y.argsort(stable=True)
    for name, k in zip(names, range(3), strict=True):
        (tmp_path / "folder" / name).mkdir(parents=True)
        for i in torch.nonzero(y == k)[:, 0].tolist():
            picture = Image.fromarray(colour[i].permute(1, 2, 0).numpy())
            picture.save(tmp_path / "folder" / name / f"{i:04}.png")
    for name, value_range, classes, expected in (
        ("int64.npz", (0, 1), (), y),
        ("uint8.npz", (0, 1), (), y),
        ("ours.h5", None, names, y),
        ("folder", None, names, y[order]),
    ):
        opened = open_images(tmp_path / name, value_range=value_range)
        found = [as_block(batch) for batch in opened.batches]
        assert opened.classes == classes
        assert torch.equal(torch.cat([b.labels for b in found]), expected), name  # type: ignore
        assert sum(len(b.images) for b in found) == 300


@pytest.mark.parametrize("labels", [np.zeros(299, int), np.zeros(300), np.zeros((300, 3), int)])
def test_labels_that_are_no_integer_for_each_image_are_none(
    labels: Any, colour: Tensor, tmp_path: Path
) -> None:
    np.savez(tmp_path / "x.npz", images=colour.numpy(), labels=labels)
    assert [as_block(b).labels for b in open_images(tmp_path / "x.npz").batches] == [None, None]


def test_floats_stay_floats(colour: Tensor, tmp_path: Path) -> None:
    np.savez(tmp_path / "floats.npz", (colour / 127.5 - 1).numpy())
    assert torch.equal(read(tmp_path / "floats.npz"), colour / 127.5 - 1)


class Bomb:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return Path.mkdir, (self.marker,)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    marker = tmp_path / "boom"
    np.savez(tmp_path / "bomb.npz", np.array([Bomb(marker)], dtype=object))
    (tmp_path / "bomb.npy").write_bytes(pickle.dumps(Bomb(marker)))
    for name in ("bomb.npz", "bomb.npy"):
        with pytest.raises(UserError, match="cannot be read"):
            read(tmp_path / name)
    assert not marker.exists()


def test_what_holds_no_images_is_refused(tmp_path: Path, colour: Tensor) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.txt").write_text("hello")
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04")
    np.savez(tmp_path / "moments.npz", mu=np.zeros(3))
    np.save(tmp_path / "none.npy", np.zeros((0, 8, 8, 3), np.uint8))
    np.save(tmp_path / "integers.npy", np.zeros((2, 8, 8, 3), np.int64))
    for name in ("empty", "text.txt", "cut.npz", "moments.npz", "none.npy", "integers.npy", "gone"):
        with pytest.raises(UserError):
            read(tmp_path / name)


@pytest.mark.parametrize("write", [np.savez, np.save])
@pytest.mark.parametrize("value_range", [(0, 1), (0, 255), (-1, 1)])
def test_the_range_of_floats_can_be_given(
    write: Any, value_range: Any, colour: Tensor, tmp_path: Path
) -> None:
    low, high = value_range
    path = tmp_path / ("x.npz" if write is np.savez else "x.npy")
    write(path, (colour.double() / 255 * (high - low) + low).float().numpy())
    found = images_of(open_images(path, value_range=value_range))
    assert torch.equal(as_uint8(found), colour)
    if low == 0:
        with pytest.raises(UserError, match=f"from 0 to {high}, .*--range 0,1 or 0,255"):
            open_images(path)


def test_a_wrong_range_is_refused(colour: Tensor, tmp_path: Path) -> None:
    np.save(tmp_path / "floats.npy", (colour / 127.5 - 1).numpy())
    np.save(tmp_path / "far.npy", (colour / 10.0 - 5).numpy())
    np.save(tmp_path / "bytes.npy", colour.numpy())
    write_hdf5(tmp_path / "ours.h5", DataSet("ours", colour))
    with pytest.raises(UserError, match="from -1 to 1, and their range is said to be 0,1"):
        images_of(open_images(tmp_path / "floats.npy", value_range=(0, 1)))
    with pytest.raises(UserError, match="from -5 to 20.5, "):
        open_images(tmp_path / "far.npy")
    with pytest.raises(UserError, match="holds uint8"):
        open_images(tmp_path / "bytes.npy", value_range=(0, 255))
    with pytest.raises(UserError, match="--range is for .npz and .npy files"):
        open_images(tmp_path / "ours.h5", value_range=(0, 255))


def test_a_folder_of_several_sizes_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    Image.new("RGB", (9, 9)).save(tmp_path / "b.png")
    with pytest.raises(UserError, match="one size"):
        read(tmp_path)


def npy(shape: str, data: bytes = b"", dtype: str = "|u1", version: int = 1) -> bytes:
    """An .npy file that says of itself what it likes."""
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}}}".encode()
    length = struct.pack("<H" if version == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + length + header + data


FALSE = {
    "713 TiB": (npy("(783958837846, 32, 32, 1)"), "damaged or cut off: its array"),
    "more than numbers can say": (npy(f"({2**62}, {2**62}, 3, 3)"), "damaged or cut off"),
    "one byte less": (npy("(2, 3, 3, 1)", bytes(17)), "takes 18 bytes, and 17 are there"),
    "negative": (npy("(-1, 3, 3, 1)", bytes(9)), "has an array"),
    "no numbers": (npy("(2, 'a', 3, 1)", bytes(9)), "cannot be read"),
    "objects": (npy("(2, 3, 3, 1)", bytes(9**3), "|O"), "not unpickled"),
    "fields": (npy("(2, 3, 3, 1)", bytes(9**3), "|u1:1"), "cannot be read"),
    "another type": (npy("(2, 3, 3, 1)", bytes(9**3), "<i8"), "array of int64"),
    "a later version": (npy("(2, 3, 3, 1)", bytes(18), version=2), "more than plain numbers"),
    "no header": (b"\x93NUMPY\x01\x00\xff\xff{", "cannot be read"),
    "no array": (b"hello, world", "cannot be read"),
    "deep": (npy("(" * 3000), "cannot be read"),
    "nothing": (b"", "cannot be read"),
}


@pytest.mark.parametrize("kind", [".npy", ".npz"])
@pytest.mark.parametrize("what", FALSE)
def test_a_false_array_is_refused_before_memory_is_asked_for(
    what: str, kind: str, tmp_path: Path
) -> None:
    content, words = FALSE[what]
    path = tmp_path / f"false{kind}"
    if kind == ".npy":
        path.write_bytes(content)
    else:
        with ZipFile(path, "w") as archive:
            archive.writestr("images.npy", content)
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match=words):
            open_images(path)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_only_the_images_of_an_npz_file_are_read(
    colour: Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mixed.npz"
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        archive.writestr("readme.txt", "hello")
        archive.writestr("labels.npy", npy(f"({2**50},)"))
        archive.writestr("images.npy", npy("(300, 3, 8, 8)", colour.numpy().tobytes()))
        archive.writestr("bomb.npy", npy("(2**62, 3, 8, 8)"))
    assert torch.equal(read(path), colour)
    monkeypatch.setattr(memory, "available_memory", lambda: 2 * colour.numel() - 2)
    with pytest.raises(UserError, match="GiB of memory .* give an .npy file"):
        open_images(path)


def test_images_that_unpack_to_more_than_the_memory_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez_compressed(tmp_path / "black.npz", np.zeros((1000, 64, 64, 1), np.uint8))
    assert (tmp_path / "black.npz").stat().st_size < 10_000
    monkeypatch.setattr(memory, "available_memory", lambda: 4 * 2**20)
    monkeypatch.setattr(arrays.npy, "read_array", None)
    with pytest.raises(UserError, match="GiB of memory"):
        open_images(tmp_path / "black.npz")
