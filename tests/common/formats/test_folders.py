"""Folders of images as people have them."""

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganlib.common.data.spec import NoSuchSplit
from ganlib.common.errors import UserError
from ganlib.common.formats import blocks as _blocks
from ganlib.common.formats import folders as folder
from ganlib.common.io import memory as _memory

rng = np.random.default_rng(0)


def save(
    path: Path, value: int | tuple[int, int, int] = 50, size: tuple[int, int] = (8, 8)
) -> Path:
    """An image of one colour; an int makes it grey."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("L" if isinstance(value, int) else "RGB", size, value)
    image.save(path, "JPEG" if path.suffix.lower() in (".jpg", ".jpeg") else None)
    return path


def first_pixels(x: torch.Tensor) -> list[int]:
    return [int(v) for v in x[:, 0, 0, 0]]


def load(root: Path, split: str = "train", size: int | None = None):  # type: ignore[no-untyped-def]
    data = folder.load(root, split, size)
    assert isinstance(data.x, torch.Tensor)
    return data


def test_flat_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "photos"
    for i in (3, 1, 2):
        save(root / f"{i}.png", (i * 10, 0, 0))
    data = load(root)
    assert data.x.shape == (3, 3, 8, 8) and data.x.dtype == torch.uint8
    assert first_pixels(data.x) == [10, 20, 30]
    assert (data.y, data.classes, data.name) == (None, (), "photos")
    assert data.provenance == {"folder": str(root), "size": "as in the files"}
    assert capsys.readouterr() == ("", "photos: 3 images, 8x8 RGB\n")


def test_subfolders_are_classes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "pets"
    save(root / "dogs" / "old" / "b.png", 20)
    save(root / "dogs" / "z.png", 30)
    save(root / "cats" / "a.PNG", 10)
    save(root / ".thumbs" / "x.png", 99)
    save(root / "dogs" / ".hidden.png", 99)
    (root / "notes").mkdir()
    (root / "notes" / "todo.txt").write_text("more pets")
    save(root / "stray.png", 99)
    data = load(root)
    assert data.classes == ("cats", "dogs")
    assert first_pixels(data.x) == [10, 20, 30]
    assert data.y is not None and data.y.dtype == torch.int64 and data.y.tolist() == [0, 1, 1]
    assert capsys.readouterr().err == (
        "pets: 3 images of 2 classes, 8x8 grey; skipped 2: 1 not images (notes/todo.txt), "
        "1 outside the class folders (stray.png)\n"
    )


@pytest.mark.parametrize("test", ["test", "val", "valid", "Test"])
def test_splits(tmp_path: Path, test: str) -> None:
    save(tmp_path / "train" / "a" / "1.png", 1)
    save(tmp_path / "train" / "b" / "2.png", 2)
    save(tmp_path / test / "b" / "3.png", 3)
    train, held_out = load(tmp_path), load(tmp_path, "test")
    assert first_pixels(train.x) == [1, 2] and train.y.tolist() == [0, 1]
    assert first_pixels(held_out.x) == [3] and held_out.y.tolist() == [1]
    assert train.classes == held_out.classes == ("a", "b")


def test_splits_without_classes_and_with_two_held_out(tmp_path: Path) -> None:
    for i, split in enumerate(("train", "val", "test")):
        save(tmp_path / split / "1.png", i)
    assert first_pixels(load(tmp_path).x) == [0]
    assert first_pixels(load(tmp_path, "test").x) == [2]
    assert load(tmp_path).y is None


def test_train_among_other_folders_is_a_class(tmp_path: Path) -> None:
    for name in ("train", "test", "bus"):
        save(tmp_path / name / "1.png")
    assert load(tmp_path).classes == ("bus", "test", "train")


def test_no_test_split(tmp_path: Path) -> None:
    save(tmp_path / "1.png")
    with pytest.raises(NoSuchSplit, match="no test images: .* 'train' and 'test'"):
        load(tmp_path, "test")


def test_test_split_with_a_class_of_its_own(tmp_path: Path) -> None:
    save(tmp_path / "train" / "a" / "1.png")
    save(tmp_path / "test" / "b" / "1.png")
    with pytest.raises(UserError, match="has the class 'b' and the training images"):
        load(tmp_path, "test")


@pytest.mark.parametrize(
    ("sizes", "asked", "side"),
    [
        ([(8, 8), (8, 8)], None, 8),
        ([(8, 8), (9, 9)], None, 64),
        ([(8, 10), (8, 10)], None, 64),
        ([(8, 8), (8, 8)], 4, 4),
        ([(30, 20), (100, 7)], 16, 16),
    ],
)
def test_sizes(tmp_path: Path, sizes: list[tuple[int, int]], asked: int | None, side: int) -> None:
    for i, size in enumerate(sizes):
        save(tmp_path / f"{i}.png", 10 * i, size)
    data = load(tmp_path, size=asked)
    assert data.x.shape == (2, 1, side, side)
    assert first_pixels(data.x) == [0, 10]
    assert (data.provenance["size"] == "as in the files") == ({(side, side)} == set(sizes))


def test_one_colour_image_makes_all_colour(tmp_path: Path) -> None:
    save(tmp_path / "1.png", 5)
    save(tmp_path / "2.png", (1, 2, 3))
    data = load(tmp_path)
    assert data.x[:, :, 0, 0].tolist() == [[5, 5, 5], [1, 2, 3]]


def test_a_tree_of_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "photos"
    good = save(root / "a.png", (1, 2, 3))
    save(root / "B.JPG", 80)
    (root / "c.jpg").write_bytes(Path(save(root / "d.jpg", 90, (64, 64))).read_bytes()[:-40])
    (root / "e.png").write_bytes(b"no image at all")
    (root / "f.png").touch()
    (root / "g.txt").write_text("notes")
    (root / "broken.png").symlink_to(root / "nowhere.png")
    (root / "loop.png").symlink_to(root / "loop.png")
    (root / "link.png").symlink_to(good)
    (root / "no suffix").write_bytes(good.read_bytes())
    (root / ("gr\udcfc\udcdf.txt")).write_text("a name that is not UTF-8")
    os.mkfifo(root / "pipe.png")
    data = load(root, size=8)
    assert data.x.shape == (4, 3, 8, 8)
    names = ["B.JPG", "a.png", "d.jpg", "link.png"]
    assert first_pixels(data.x) == [80, 1, 90, 1], names
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert err.startswith("photos: 4 images, 8x8 RGB; skipped 8: 1 empty (f.png), ")
    assert "4 not images (g.txt, gr\ufffd\ufffd.txt, no suffix, ...)" in err
    assert "1 truncated (c.jpg)" in err
    assert "2 unreadable (broken.png, loop.png)" in err


def test_links_to_folders(tmp_path: Path) -> None:
    save(tmp_path / "data" / "cats" / "1.png", 10)
    (tmp_path / "data" / "dogs").symlink_to(tmp_path / "data" / "cats")
    (tmp_path / "data" / "cats" / "up").symlink_to(tmp_path / "data")
    (tmp_path / "data" / "cats" / "self").symlink_to(tmp_path / "data" / "cats")
    data = load(tmp_path / "data")
    assert data.classes == ("cats", "dogs")
    assert data.y.tolist() == [0, 1]


def test_unreadable_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "1.png")
    save(tmp_path / "locked" / "2.png")
    list_folder = os.listdir

    def refuse(path: Path) -> list[str]:  # root may read everything, so permissions would not do
        if path.name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return list_folder(path)

    monkeypatch.setattr(os, "listdir", refuse)
    assert len(load(tmp_path)) == 1
    assert "1 unreadable (locked)" in capsys.readouterr().err


def test_a_folder_that_cannot_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "1.png")

    def refuse(path: Path) -> list[str]:  # as above
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "listdir", refuse)
    with pytest.raises(UserError, match=f"{tmp_path} cannot be read: Permission denied.$"):
        load(tmp_path)


def test_a_folder_whose_files_cannot_be_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = tmp_path / "locked"
    save(locked / "1.png")
    (locked / "2.txt").touch()
    look = os.stat

    def refuse(path: object, **options: bool) -> os.stat_result:
        if locked in Path(str(path)).parents:
            raise PermissionError(13, "Permission denied", str(path))
        return look(path, **options)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr(os, "stat", refuse)
    with pytest.raises(UserError, match=r"skipped 2: 2 unreadable \(2.txt, 1.png\)"):
        load(locked)
    with pytest.raises(UserError, match="locked/deeper cannot be read: Permission denied.$"):
        load(locked / "deeper")


def test_files_that_go_away(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        save(tmp_path / f"{name}.png")
    stream = folder.stream(tmp_path, "train", None)
    (tmp_path / "b.png").unlink()
    assert [len(block.x) for block in stream.blocks] == [2]
    assert "3x" not in capsys.readouterr().err
    list_folder = os.listdir

    def and_remove(path: Path) -> list[str]:
        names = list_folder(path)
        (tmp_path / "c.png").unlink(missing_ok=True)
        return names

    monkeypatch.setattr(os, "listdir", and_remove)
    assert len(load(tmp_path)) == 1


def test_names_that_would_control_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path / "a\x1b[2J" / "1.png")
    (tmp_path / "a\x1b[2J" / "\n.txt").touch()
    load(tmp_path / "a\x1b[2J")
    err = capsys.readouterr().err
    assert err.startswith("a\\x1b[2J: 1 image") and err.count("\n") == 1


def test_an_image_that_claims_to_be_huge(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path / "a.png")
    content = bytearray((tmp_path / "a.png").read_bytes())
    content[16:24] = struct.pack(">II", 10**5, 10**5)  # width and height, and their checksum
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    (tmp_path / "b.png").write_bytes(content)
    assert len(load(tmp_path)) == 1
    assert "1 too large (b.png)" in capsys.readouterr().err


def test_nothing_usable(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"no usable image in {tmp_path}: .*.jpg"):
        load(tmp_path)
    (tmp_path / "a.png").write_text("text")
    (tmp_path / "b.txt").write_text("text")
    with pytest.raises(UserError, match=r"skipped 2: 2 not images \(b.txt, a.png\)"):
        load(tmp_path)


def test_nothing_that_can_be_decoded(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg", 5, (64, 64))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UserError, match=r"skipped 1: 1 truncated \(a.jpg\)"):
        load(tmp_path)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no folder .*nowhere: give the path"):
        load(tmp_path / "nowhere")


def test_blocks_keep_the_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(23):
        save(tmp_path / f"c{i % 2}" / f"{i:02}.png", i)
    (tmp_path / "c0" / "08.png").write_bytes((tmp_path / "c0" / "08.png").read_bytes()[:-30])
    monkeypatch.setattr(_blocks, "block_length", lambda shape: 5)
    blocks = list(folder.stream(tmp_path, "train", None).blocks)
    expected = [i for i in (*range(0, 23, 2), *range(1, 23, 2)) if i != 8]
    assert [len(block.x) for block in blocks] == [4, 5, 5, 5, 3]
    assert [i for block in blocks for i in first_pixels(block.x)] == expected
    assert [int(y) for b in blocks if b.y is not None for y in b.y] == [i % 2 for i in expected]


def test_more_than_half_of_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "1.png")
    monkeypatch.setattr(_memory, "available_memory", lambda: 100)
    with pytest.raises(UserError, match="python -m ganlib data prepare"):
        load(tmp_path)
    assert len(list(folder.stream(tmp_path, "train", None).blocks)) == 1
