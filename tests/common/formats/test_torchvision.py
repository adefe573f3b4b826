"""Small files in the real formats of MNIST, CIFAR, SVHN and STL-10, read by torchvision.

Their contents are not the published ones, so the checksums that torchvision expects are replaced by
those of the files written here; everything else is the code that reads the real files.
"""

import gzip
import hashlib
import pickle
import socket
import tarfile
import warnings
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import scipy.io
import torch
import torchvision.datasets as tv
import torchvision.datasets.utils as tv_utils
from torch import Tensor

from ganlib.common.data import DataSet
from ganlib.common.datasets import cifar10, cifar100, mnist, stl10, svhn
from ganlib.common.errors import UserError

rng = np.random.default_rng(0)
Load = Callable[[Path, str, int | None], DataSet]


def md5(file: Path) -> str:
    return hashlib.md5(file.read_bytes()).hexdigest()


def tensor(data: DataSet) -> np.ndarray:
    assert isinstance(data.x, Tensor) and data.x.dtype == torch.uint8 and data.x.is_contiguous()
    return data.x.numpy()


def labels(data: DataSet) -> list[int]:
    assert data.y is not None and data.y.dtype == torch.int64
    return data.y.tolist()


def no_net(*_: object, **__: object) -> None:
    raise URLError("no net in this test")


# MNIST: big-endian IDX files


def write_mnist(folder: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for split, part, n in (("train", "train", 7), ("test", "t10k", 4)):
        x = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        y = rng.integers(0, 10, n, dtype=np.uint8)
        for name, values, magic in (("images-idx3", x, 2051), ("labels-idx1", y, 2049)):
            head = np.array([magic, *values.shape], dtype=">u4").tobytes()
            packed = gzip.compress(head + values.tobytes())
            (folder / f"{part}-{name}-ubyte.gz").write_bytes(packed)
        written[split] = x, y
    return written


def expect_mnist(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    resources = [(name, md5(folder / name)) for name, _ in tv.MNIST.resources]
    monkeypatch.setattr(tv.MNIST, "resources", resources)


@pytest.mark.parametrize("place", [".", "MNIST/raw"])
def test_mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    written = write_mnist(tmp_path / place)
    expect_mnist(monkeypatch, tmp_path / place)
    monkeypatch.setattr(tv_utils, "_urlretrieve", no_net)
    for split, (x, y) in written.items():
        data = mnist.load(tmp_path, split, None)
        assert np.array_equal(tensor(data), x[:, None])
        assert labels(data) == y.tolist()
        assert data.name == "mnist" and data.classes[3] == "3 - three"
        assert len(data.classes) == 10


def test_mnist_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_mnist(tmp_path)
    expect_mnist(monkeypatch, tmp_path)
    mnist.load(tmp_path, "train", None)
    file = tmp_path / "train-images-idx3-ubyte"
    for rest in (b"", file.read_bytes()[:-100]):
        file.write_bytes(rest)
        with pytest.raises(UserError, match=f"files of mnist in {tmp_path} are damaged .*remove"):
            mnist.load(tmp_path, "train", None)


# CIFAR: pickles of dicts with rows of 3072 bytes, as numpy of old wrote them


def write_cifar(folder: Path, files: dict[str, int], key: str) -> dict[str, dict[str, object]]:
    folder.mkdir(parents=True)
    written = {}
    for name, n in files.items():
        batch = {"data": rng.integers(0, 256, (n, 3072), dtype=np.uint8)}
        written[name] = batch | {key: rng.integers(0, 10, n).tolist()}
        (folder / name).write_bytes(pickle.dumps(written[name], protocol=2))
    return written


def expect_cifar(
    monkeypatch: pytest.MonkeyPatch, kind: type, folder: Path, names: dict[str, list[str]]
) -> None:
    meta = folder / kind.meta["filename"]  # type: ignore[attr-defined]
    meta.write_bytes(pickle.dumps({kind.meta["key"]: names["classes"]}))  # type: ignore[attr-defined]
    for part in ("train_list", "test_list"):
        sums = [[name, md5(folder / name)] for name in names[part]]
        monkeypatch.setattr(kind, part, sums)
    monkeypatch.setattr(kind, "meta", kind.meta | {"md5": md5(meta)})  # type: ignore[attr-defined]


def planes(rows: np.ndarray) -> np.ndarray:
    """A row is the red plane, then green, then blue, each line by line."""
    return np.array([[row[0:1024], row[1024:2048], row[2048:3072]] for row in rows]).reshape(
        -1, 3, 32, 32
    )


def test_cifar10(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "cifar-10-batches-py"
    batches = [f"data_batch_{i}" for i in range(1, 6)]
    written = write_cifar(folder, dict.fromkeys(batches, 3) | {"test_batch": 2}, "labels")
    classes = [f"class {i}" for i in range(10)]
    names = {"classes": classes, "train_list": batches, "test_list": ["test_batch"]}
    expect_cifar(monkeypatch, tv.CIFAR10, folder, names)
    train = cifar10.load(tmp_path, "train", None)
    rows = np.concatenate([written[name]["data"] for name in batches])
    assert np.array_equal(tensor(train), planes(rows))
    assert labels(train) == list(chain(*(written[name]["labels"] for name in batches)))  # type: ignore
    assert train.classes == tuple(classes)
    assert labels(cifar10.load(tmp_path, "test", None)) == written["test_batch"]["labels"]


def test_cifar100_has_its_fine_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "cifar-100-python"
    written = write_cifar(folder, {"train": 4, "test": 2}, "fine_labels")
    classes = [f"class {i}" for i in range(100)]
    names = {"classes": classes, "train_list": ["train"], "test_list": ["test"]}
    expect_cifar(monkeypatch, tv.CIFAR100, folder, names)
    for split in ("train", "test"):
        data = cifar100.load(tmp_path, split, None)
        assert np.array_equal(tensor(data), planes(written[split]["data"]))  # type: ignore
        assert labels(data) == written[split]["fine_labels"]
        assert (data.name, data.classes) == ("cifar100", tuple(classes))


def test_cifar_archive_put_there_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "elsewhere" / "cifar-100-python"
    write_cifar(folder, {"train": 4, "test": 2}, "fine_labels")
    names = {"classes": ["a"] * 100, "train_list": ["train"], "test_list": ["test"]}
    expect_cifar(monkeypatch, tv.CIFAR100, folder, names)
    archive = tmp_path / tv.CIFAR100.filename
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, folder.name)
    monkeypatch.setattr(tv.CIFAR100, "tgz_md5", md5(archive))
    monkeypatch.setattr(tv_utils, "_urlretrieve", no_net)
    assert len(cifar100.load(tmp_path, "train", None)) == 4


def test_warnings_of_old_pickles_stay_inside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def loads(*_: object, **__: object) -> object:
        warnings.warn("align should be passed as a boolean", UserWarning, stacklevel=2)
        raise pickle.UnpicklingError("cut off")

    folder = tmp_path / "cifar-100-python"
    write_cifar(folder, {"train": 1, "test": 1}, "fine_labels")
    names = {"classes": ["a"] * 100, "train_list": ["train"], "test_list": ["test"]}
    expect_cifar(monkeypatch, tv.CIFAR100, folder, names)
    monkeypatch.setattr(pickle, "load", loads)
    with pytest.raises(UserError, match="damaged .UnpicklingError: cut off"):
        cifar100.load(tmp_path, "train", None)


# SVHN: a MATLAB file with X (32, 32, 3, N) and y (N, 1) in 1..10, where 10 is the digit 0


def test_svhn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x = rng.integers(0, 256, (32, 32, 3, 5), dtype=np.uint8)
    y = np.array([[1], [10], [9], [10], [2]], dtype=np.uint8)
    splits = {}
    for split in ("train", "test"):
        url, name, _ = tv.SVHN.split_list[split]
        scipy.io.savemat(tmp_path / name, {"X": x, "y": y})
        splits[split] = [url, name, md5(tmp_path / name)]
    monkeypatch.setattr(tv.SVHN, "split_list", splits)
    for split in splits:
        data = svhn.load(tmp_path, split, None)
        assert np.array_equal(tensor(data), np.moveaxis(np.moveaxis(x, 3, 0), 3, 1))
        assert labels(data) == [1, 0, 9, 0, 2]
        assert data.classes == tuple("0123456789")


# STL-10: raw planes in column-major order, labels in 1..10


def write_stl10(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    folder.mkdir()
    written = {}
    for part, n in (("train", 2), ("unlabeled", 3), ("test", 2)):
        x = rng.integers(0, 256, (n, 3, 96, 96), dtype=np.uint8)
        x.transpose(0, 1, 3, 2).tofile(folder / f"{part}_X.bin")
        written[part] = x
        if part != "unlabeled":
            np.array([1, 10], dtype=np.uint8).tofile(folder / f"{part}_y.bin")
    (folder / "class_names.txt").write_text("\n".join(f"class {i}" for i in range(10)) + "\n")
    for part in ("train_list", "test_list"):
        sums = [[name, md5(folder / name)] for name, _ in getattr(tv.STL10, part)]
        monkeypatch.setattr(tv.STL10, part, sums)
    return written


def test_stl10(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = write_stl10(tmp_path / "stl10_binary", monkeypatch)
    train, test = (stl10.load(tmp_path, split, None) for split in ("train", "test"))
    both = np.concatenate([written["train"], written["unlabeled"]])
    assert np.array_equal(tensor(train), both)
    assert (train.y, train.classes) == (None, ())
    assert np.array_equal(tensor(test), written["test"])
    assert labels(test) == [0, 9]
    assert test.classes == tuple(f"class {i}" for i in range(10))


# Downloads that fail


SETS: list[tuple[str, Load, str, str, str]] = [
    ("mnist", mnist.load, "train-images-idx3-ubyte.gz", "ossci-datasets.s3.amazonaws.com", "."),
    ("cifar10", cifar10.load, "cifar-10-python.tar.gz", "www.cs.toronto.edu", "."),
    ("cifar100", cifar100.load, "cifar-100-python.tar.gz", "www.cs.toronto.edu", "."),
    ("svhn", svhn.load, "train_32x32.mat", "ufldl.stanford.edu", "."),
    ("stl10", stl10.load, "stl10_binary.tar.gz", "ai.stanford.edu", "."),
]


@pytest.mark.parametrize(("name", "load", "file", "host", "place"), SETS)
@pytest.mark.parametrize(
    "error",
    [URLError("unreachable"), TimeoutError("timed out"), ConnectionResetError(104, "reset")],
)
def test_failed_download(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    load: Load,
    file: str,
    host: str,
    place: str,
    error: Exception,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(tv_utils.urllib.request, "urlopen", fail)
    with pytest.raises(UserError) as caught:
        load(tmp_path / "data", "train", None)
    message = str(caught.value)
    assert message.startswith(f"{name} is not in {tmp_path / 'data'} and {file} could not be ")
    assert f"downloaded from {host}" in message
    assert f"put {file}" in message and f"into {tmp_path / 'data'} by hand" in message
    assert "fashion_mnist, which needs no download." in message
    assert "\n" not in message


def test_closed_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setattr(tv.CIFAR10, "url", f"http://127.0.0.1:{port}/cifar-10-python.tar.gz")
    before = socket.getdefaulttimeout()
    with pytest.raises(UserError, match=rf"downloaded from 127.0.0.1:{port} .*refused"):
        cifar10.load(tmp_path, "train", None)
    assert socket.getdefaulttimeout() == before


def test_a_download_with_another_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def portal(url: str, filename: str, *_: object) -> None:
        Path(filename).write_text("<html>Please log in</html>")

    monkeypatch.setattr(tv_utils, "_get_redirect_url", lambda url, max_hops: url)
    monkeypatch.setattr(tv_utils, "_urlretrieve", portal)
    with pytest.raises(UserError, match="could not be downloaded .*not found or corrupted"):
        svhn.load(tmp_path, "train", None)


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(UserError, match=r"cannot use its folder .*FileExists.*GANLIB_DATA"):
        mnist.load(tmp_path / "data", "train", None)
