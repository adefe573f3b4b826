"""LSUN's databases of WebP images, in small."""

import os
import sys
from io import BytesIO
from pathlib import Path

import pytest
import torch
from PIL import Image

from ganlib.common.data.spec import NoSuchSplit
from ganlib.common.datasets import lsun_bedroom, lsun_church_outdoor
from ganlib.common.errors import UserError

lmdb = pytest.importorskip("lmdb")


def room(value: int, size: tuple[int, int] = (100, 80)) -> bytes:
    file = BytesIO()
    Image.new("RGB", size, (value, 10, 20)).save(file, "WEBP", lossless=True)
    return file.getvalue()


def write(folder: Path, images: dict[str, bytes]) -> None:
    folder.mkdir(parents=True)
    with lmdb.open(str(folder), map_size=2**24) as database, database.begin(write=True) as change:
        for key, value in images.items():
            change.put(key.encode(), value)


def reds(x: object) -> list[int]:
    assert isinstance(x, torch.Tensor)
    return x[:, 0, 0, 0].tolist()


def test_lsun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "bedroom_train_lmdb", {"c": room(30), "a": room(10), "b": room(20)})
    write(tmp_path / "bedroom_val_lmdb", {"a": room(99)})
    write(tmp_path / "church_outdoor_train_lmdb", {"a": room(50, (70, 300))})
    monkeypatch.chdir(tmp_path)
    before = sorted(os.listdir())
    train, test = (lsun_bedroom.load(tmp_path, split, None) for split in ("train", "test"))
    assert train.x.shape == (3, 3, 64, 64)
    assert (reds(train.x), reds(test.x)) == ([10, 20, 30], [99])
    assert (train.name, train.y, train.classes) == ("lsun_bedroom", None, ())
    church = lsun_church_outdoor.load(tmp_path, "train", 16)
    assert (church.x.shape, reds(church.x)) == ((1, 3, 16, 16), [50])
    assert "lsun_bedroom: 3 images, 64x64 RGB; 3 cropped at the centre\n" in capsys.readouterr().err
    assert sorted(os.listdir()) == before  # torchvision's own class leaves a file here


def test_damaged_image(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "bedroom_train_lmdb", {"a": room(10), "b": b"junk", "c": b""})
    assert reds(lsun_bedroom.load(tmp_path, "train", None).x) == [10]
    assert "skipped 2: 1 empty (c), 1 not images (b)" in capsys.readouterr().err


def test_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="bedroom_train_lmdb/data.mdb: download http://dl.yf.io"):
        lsun_bedroom.load(tmp_path, "train", None)
    with pytest.raises(NoSuchSplit, match="church_outdoor_val_lmdb"):
        lsun_church_outdoor.load(tmp_path, "test", None)


def test_not_a_database(tmp_path: Path) -> None:
    (tmp_path / "bedroom_train_lmdb").mkdir()
    (tmp_path / "bedroom_train_lmdb" / "data.mdb").write_bytes(b"junk" * 5000)
    with pytest.raises(UserError, match="is not an LMDB database or is damaged"):
        lsun_bedroom.load(tmp_path, "train", None)


def test_damaged_inside(tmp_path: Path) -> None:
    write(tmp_path / "bedroom_train_lmdb", {f"{i:03}": bytes(500) for i in range(50)})
    file = tmp_path / "bedroom_train_lmdb" / "data.mdb"
    content = bytearray(file.read_bytes())
    page = content.index(b"020")  # the page that holds this key, of 4,096 bytes
    page -= page % 4096
    content[page + 10 : page + 12] = b"\xff\x00"  # the kind of a page
    file.write_bytes(content)
    with pytest.raises(UserError, match="bedroom_train_lmdb is not an LMDB database or is damaged"):
        lsun_bedroom.load(tmp_path, "train", None)


def test_package_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "bedroom_train_lmdb", {"a": room(10)})
    monkeypatch.setitem(sys.modules, "lmdb", None)
    with pytest.raises(UserError, match="run `pip install lmdb`"):
        lsun_bedroom.load(tmp_path, "train", None)
