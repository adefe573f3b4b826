"""Data sets by name and by path."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from ganlib.common import query
from ganlib.common.data import DataSet
from ganlib.common.datasets import mnist
from ganlib.common.errors import UserError
from ganlib.common.formats.hdf5 import Hdf5Images
from ganlib.common.formats.hdf5_writing import write_hdf5
from ganlib.common.formats.stream import collect
from ganlib.common.io import memory as _memory
from ganlib.common.query import DataQuery, datasets, default_root, label, open_dataset

NAMES = {
    "celeba",
    "cityscapes",
    "cifar10",
    "cifar100",
    "emoji",
    "fashion_mnist",
    "folder",
    "hdf5",
    "lsun_bedroom",
    "lsun_church_outdoor",
    "mnist",
    "moving",
    "pushed",
    "stl10",
    "svhn",
    "wardrobe",
    "wardrobe_wide",
}


@pytest.fixture
def digits(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """mnist replaced by three images; the folders that it was loaded from."""
    places: list[Path] = []

    def load(root: Path, split: str, size: int | None) -> DataSet:
        places.append(root)
        return DataSet("mnist", torch.full((3, 1, 28, 28), 9, dtype=torch.uint8), torch.arange(3))

    monkeypatch.setattr(mnist, "load", load)
    return places


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(3):
        Image.new("RGB", (8, 8), (i, 50, 60)).save(folder / f"{i}.png")
    return folder


def test_every_data_set_is_listed_and_described_in_one_line() -> None:
    assert NAMES <= set(datasets.names())
    for name in NAMES:
        first = datasets.describe(name).partition("\n")[0]
        assert 20 < len(first) < 100 and first.endswith((".", ";"))


def test_naming_imports_no_data_set() -> None:
    code = (
        "import sys; from ganlib.common.query import datasets, label; "
        "datasets.names(); label('mnist'); datasets.describe('mnist'); "
        "slow = ('torchvision', 'ganlib.common.datasets.m'); "
        "print([m for m in sys.modules if m.startswith(slow)])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_default_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GANLIB_DATA", raising=False)
    assert default_root() == Path.home() / ".cache" / "ganlib" / "data"
    monkeypatch.setenv("GANLIB_DATA", "")
    assert default_root() == Path.home() / ".cache" / "ganlib" / "data"
    monkeypatch.setenv("GANLIB_DATA", "~/images")
    assert default_root() == Path.home() / "images"
    monkeypatch.setenv("GANLIB_DATA", "~no-such-user/images")
    with pytest.raises(UserError, match="~no-such-user/images cannot be found"):
        default_root()


def test_where_a_registered_set_is_looked_for(
    digits: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANLIB_DATA", str(tmp_path / "default"))
    open_dataset("mnist")
    open_dataset("mnist", tmp_path / "given")
    (tmp_path / "given" / "mnist").mkdir(parents=True)
    open_dataset("mnist", tmp_path / "given")
    expected = [tmp_path / "default" / "mnist", tmp_path / "given", tmp_path / "given" / "mnist"]
    assert digits == expected


def test_a_registered_name_goes_before_a_folder_of_that_name(
    digits: list[Path], photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photos.parent)
    photos.rename("mnist")
    assert open_dataset("mnist").name == "mnist" and len(digits) == 1
    assert open_dataset("./mnist").shape == (3, 8, 8)


def test_folder_by_path(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert open_dataset(str(photos)).name == "photos"
    assert open_dataset("folder", photos).name == "photos"
    monkeypatch.setenv("HOME", str(photos.parent))
    assert len(open_dataset("~/photos", size=4)) == 3


def test_file_by_path(tmp_path: Path) -> None:
    data = DataSet("x", torch.zeros((2, 1, 4, 4), dtype=torch.uint8))
    for name in ("a.h5", "b.hdf5", "c.H5"):
        write_hdf5(tmp_path / name, data)
        assert open_dataset(str(tmp_path / name)).name == "x"
    assert open_dataset("hdf5", tmp_path / "a.h5").name == "x"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cifar-10", "no data set 'cifar-10'. Did you mean 'cifar10'.*path of a folder"),
        ("", "no data set ''"),
        ("nowhere/photos", "no data set 'nowhere/photos'.*path of a folder of images"),
        ("nowhere.h5", "There is no file nowhere.h5"),
        (__file__, "neither a folder of images nor an .h5, .npz or .npy file"),
        ("x" * 300, "x cannot be read: File name too long"),
        ("x" * 300 + ".h5", "x.h5 cannot be read: File name too long"),
        ("a/" * 3000, "a cannot be read: File name too long"),
        ("a\0b", "no data set 'a\0b'"),
        ("a\0b.h5", "There is no file a\0b.h5"),
        ("~no-such-user/x", "~no-such-user/x cannot be found: there is no home folder"),
        ("~no-such-user/x.h5", "~no-such-user/x.h5 cannot be found: there is no home folder"),
    ],
)
def test_no_such_thing(name: str, words: str) -> None:
    for find in (DataQuery.open, DataQuery.stream):
        with pytest.raises(UserError, match=words):
            find(DataQuery(name))


def test_wrong_split_and_size() -> None:
    with pytest.raises(UserError, match="no split 'valid'"):
        open_dataset("fashion_mnist", split="valid")
    for size in (0, -1, 8193, 10**9, 10**30):
        for find in (DataQuery.open, DataQuery.stream):
            with pytest.raises(UserError, match=f"size of the images is {size} and must lie in 1"):
                find(DataQuery("fashion_mnist", size=size))


@pytest.mark.parametrize("name", ["mnist", "celeba", "lsun_bedroom", "cifar10", "folder", "hdf5"])
@pytest.mark.parametrize("root", ["~no-such-user/x", "x" * 300, __file__, "a\0b"])
def test_wrong_root(name: str, root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = "cannot be (found|read)|cannot use its folder|There is no|are damaged|not an HDF5 file"
    with pytest.raises(UserError, match=words):
        open_dataset(name, Path(root))
    if "~" not in root:
        monkeypatch.setattr(query, "default_root", lambda: Path(root))
        with pytest.raises(UserError, match=words):
            open_dataset(name)


def test_size_of_a_set_that_has_its_own(digits: list[Path]) -> None:
    small, own = open_dataset("mnist", size=14), open_dataset("mnist")
    assert isinstance(small.x, torch.Tensor) and small.shape == (1, 14, 14)
    assert set(small.x.flatten().tolist()) == {9}
    assert small.y is not None and small.y.tolist() == [0, 1, 2]
    assert small.provenance["resized"] == "28x28 to 14x14, bicubic"
    assert own.shape == (1, 28, 28)
    assert DataQuery("mnist", size=14).stream().shape == (1, 14, 14)


def test_size_of_a_large_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.full((5, 3, 8, 8), 7, dtype=torch.uint8)
    write_hdf5(tmp_path / "a.h5", DataSet("x", x))
    monkeypatch.setattr("ganlib.common.formats.hdf5.IN_MEMORY", 10)
    data = open_dataset(str(tmp_path / "a.h5"), size=4)
    assert data.shape == (3, 4, 4) and not isinstance(data.x, torch.Tensor)
    assert torch.equal(data.x[torch.tensor([3, 1])], x[:2, :, :4, :4])
    assert isinstance(open_dataset(str(tmp_path / "a.h5")).x, Hdf5Images)


def test_a_stream_gives_what_a_data_set_does(
    photos: Path, digits: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, size in ((str(photos), None), (str(photos), 4), ("mnist", None), ("mnist", 14)):
        whole, stream = open_dataset(name, size=size), collect(DataQuery(name, size=size).stream())
        assert isinstance(whole.x, torch.Tensor) and isinstance(stream.x, torch.Tensor)
        assert torch.equal(whole.x, stream.x) and whole.provenance == stream.provenance
    monkeypatch.setattr(_memory, "available_memory", lambda: 1000)
    with pytest.raises(UserError, match="data prepare"):
        open_dataset(str(photos), size=64)
    with pytest.raises(UserError, match="data prepare"):
        open_dataset("mnist", size=64)
    for name in (str(photos), "mnist"):
        assert sum(len(block.x) for block in DataQuery(name, size=64).stream().blocks) == 3


def test_a_plugins_data_set(tmp_path: Path) -> None:
    (tmp_path / "checkers.py").write_text(
        '"""A checkerboard."""\nimport torch\nfrom ganlib.common.data import DataSet\n'
        "def load(root, split, size):\n"
        "    return DataSet('checkers', torch.eye(2, dtype=torch.uint8)[None, None])\n"
    )
    before, path = dict(datasets.entries), list(sys.modules["ganlib.common.datasets"].__path__)
    try:
        datasets.add_folder(tmp_path)
        assert open_dataset("checkers", size=4).shape == (1, 4, 4)
        assert DataQuery("checkers").stream().total == 1
        assert DataQuery("checkers").label == "checkers"
    finally:
        datasets.entries = before
        sys.modules["ganlib.common.datasets"].__path__ = path
        sys.modules.pop("ganlib.common.datasets.checkers", None)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("cifar10", "cifar10"),
        ("/data/my photos/", "my_photos"),
        ("/data/photos.v2", "photos.v2"),
        ("/data/celeba-64.h5", "celeba-64"),
        ("x.HDF5", "x"),
        ("/data/größe", "größe"),
        ("/data/a:b*c", "a_b_c"),
        ("/data/.hidden", "hidden"),
        ("/", "data"),
        ("/data/" + "ö" * 200, "ö" * 60),
        ("/data/a\0b", "a_b"),
    ],
)
def test_label(name: str, label: str) -> None:
    assert DataQuery(name).label == label


def test_label_of_links(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("photos")
    (tmp_path / "loop").symlink_to("loop")
    assert DataQuery(str(tmp_path / "link")).label == "photos"
    assert DataQuery(str(tmp_path / "loop")).label == "loop"
    with pytest.raises(UserError, match="no home folder"):
        label("~no-such-user/x")


def test_label_of_the_current_folder(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(photos)
    assert DataQuery(".").label == "photos"
    assert DataQuery("../photos").label == "photos"
