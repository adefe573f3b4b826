"""The bundled set, and the script that makes it."""

import gzip
import hashlib
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from ganlib.common.datasets import fashion_mnist
from ganlib.common.errors import UserError
from scripts import make_fashion_mnist
from scripts.make_fashion_mnist import CLASSES, SUMS, make


@pytest.mark.parametrize(("split", "n"), [("train", 60_000), ("test", 10_000)])
def test_bundled_set(tmp_path: Path, split: str, n: int) -> None:
    data = fashion_mnist.load(tmp_path / "nowhere", split, None)
    assert data.x.shape == (n, 1, 28, 28) and isinstance(data.x, torch.Tensor)
    assert data.y is not None and torch.bincount(data.y).tolist() == [n // 10] * 10
    assert data.classes == CLASSES and data.name == "fashion_mnist"
    assert data.provenance["source"] == "https://github.com/zalandoresearch/fashion-mnist"
    # as in the SHA-256 of the published files, without the files
    images, labels = (data.x.numpy(), data.y.numpy().astype(np.uint8))
    part = "train" if split == "train" else "t10k"
    for name, values, magic in (("images-idx3", images, 2051), ("labels-idx1", labels, 2049)):
        head = np.array([magic, *values.squeeze().shape], dtype=">u4").tobytes()
        assert hashlib.sha256(head + values.tobytes()).hexdigest() == SUMS[f"{part}-{name}"]


def test_licence_is_beside_it() -> None:
    licence = (fashion_mnist.BUNDLED.parent / "LICENSE").read_text("utf-8")
    assert fashion_mnist.LICENSE == "MIT, Copyright 2017 Zalando SE"
    assert "2017 Zalando SE" in licence and "WITHOUT WARRANTY OF ANY KIND" in licence


def write_small(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sums = {}
    for part in ("train", "t10k"):
        images = np.array([2051, 30, 28, 28], dtype=">u4").tobytes() + bytes(range(196)) * 4 * 30
        labels = np.array([2049, 30], dtype=">u4").tobytes() + bytes(range(10)) * 3
        for name, content in (("images-idx3", images), ("labels-idx1", labels)):
            (folder / f"{part}-{name}-ubyte.gz").write_bytes(gzip.compress(content))
            sums[f"{part}-{name}"] = hashlib.sha256(content).hexdigest()
    monkeypatch.setattr(make_fashion_mnist, "SUMS", sums)


def test_same_bytes_every_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_small(tmp_path, monkeypatch)
    first, second = tmp_path / "a.h5", tmp_path / "b.h5"
    make(tmp_path, first)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    make(tmp_path, second)
    assert first.read_bytes() == second.read_bytes()


def test_other_content_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_small(tmp_path, monkeypatch)
    file = tmp_path / "train-labels-idx1-ubyte.gz"
    file.write_bytes(gzip.compress(b"something else"))
    with pytest.raises(UserError, match="its SHA-256 differs"):
        make(tmp_path, tmp_path / "out.h5")
    file.unlink()
    with pytest.raises(UserError, match="apt-get install dataset-fashion-mnist"):
        make(tmp_path, tmp_path / "out.h5")
    assert not (tmp_path / "out.h5").exists()
