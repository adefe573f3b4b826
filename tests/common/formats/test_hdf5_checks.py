"""HDF5 files that somebody made to deceive or to break: a sentence, and nothing else, for each."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from ganlib.common.data import DataSet
from ganlib.common.errors import UserError
from ganlib.common.formats import hdf5
from ganlib.common.formats import hdf5_checks as _inside
from ganlib.common.formats.hdf5 import Hdf5Images, read_hdf5
from ganlib.common.formats.hdf5_writing import write_hdf5

N = 6
SHAPE = (N, 1, 4, 4)
IMAGES = torch.arange(N * 16, dtype=torch.uint8).reshape(SHAPE)

Change = Callable[[Any], None]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "set.h5"
    write_hdf5(path, DataSet("x", IMAGES, torch.arange(N) % 2, IMAGES, ("a", "b"), {"k": "v"}))
    write_hdf5(tmp_path / "other.h5", DataSet("other", IMAGES))
    (tmp_path / "secret").write_bytes(bytes(range(96)))
    os.mkfifo(tmp_path / "pipe")
    return path


def put(key: str, value: Any, **options: Any) -> Change:
    """`key` replaced by a dataset of `value`, or by a link."""

    def change(file: Any) -> None:
        if key in file:
            del file[key]
        if options:
            file.create_dataset(key, data=value, **options)
        else:
            file[key] = value

    return change


def claim(key: str, shape: tuple[int, ...], **options: Any) -> Change:
    """`key` replaced by a dataset of uint8 of which nothing is written."""

    def change(file: Any) -> None:
        del file[key]
        file.create_dataset(key, shape, **{"dtype": "uint8", **options})

    return change


def group(key: str) -> Change:
    """`key` replaced by a group."""

    def change(file: Any) -> None:
        del file[key]
        file.create_group(key)

    return change


def attribute(owner: str, key: str, value: Any) -> Change:
    return lambda file: file[owner].attrs.__setitem__(key, value)


def reference(file: Any) -> None:
    file["/"].attrs["name"] = file["train"].ref


def external(file: Any) -> None:
    del file["train/images"]
    where = [(str(Path(file.filename).with_name("secret")), 0, 96)]
    file.create_dataset("train/images", SHAPE, "uint8", external=where)


def virtual(file: Any) -> None:
    del file["train/images"]
    layout = h5py.VirtualLayout(SHAPE, "uint8")
    layout[:] = h5py.VirtualSource("other.h5", "train/images", SHAPE)
    file.create_virtual_dataset("train/images", layout)


def unknown_filter(file: Any) -> None:
    del file["train/images"]
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_chunk(SHAPE)
    plan.set_filter(32_999, h5py.h5z.FLAG_OPTIONAL)
    space = h5py.h5s.create_simple(SHAPE)
    h5py.h5d.create(file["train"].id, b"images", h5py.h5t.NATIVE_UINT8, space, plan)


def several(*changes: Change) -> Change:
    def change(file: Any) -> None:
        for one in changes:
            one(file)

    return change


OUT = "is a link out of this file, or one that leads nowhere"
CLAIM = "claims more values than are in the file"
ONE = "must be one number or text"
PAIRS = np.zeros(N, [("a", "i4"), ("b", "i4")])
TABLE: dict[str, tuple[Change, str]] = {
    "train elsewhere": (put("train", h5py.ExternalLink("other.h5", "/train")), f"/train {OUT}"),
    "images elsewhere": (
        put("train/images", h5py.ExternalLink("other.h5", "/train/images")),
        f"/train/images {OUT}",
    ),
    "a pipe elsewhere": (put("train/images", h5py.ExternalLink("pipe", "/")), OUT),
    "a way that leads out": (
        several(
            put("door", h5py.ExternalLink("other.h5", "/train")),
            put("train/images", h5py.SoftLink("/door/images")),
        ),
        OUT,
    ),
    "labels elsewhere": (put("train/labels", h5py.ExternalLink("other.h5", "/x")), OUT),
    "classes elsewhere": (put("train/classes", h5py.ExternalLink("other.h5", "/x")), OUT),
    "provenance elsewhere": (put("provenance", h5py.ExternalLink("other.h5", "/x")), OUT),
    "a link to itself": (put("train/images", h5py.SoftLink("/train/images")), OUT),
    "a link to nothing": (put("train/images", h5py.SoftLink("nowhere")), "images is missing"),
    "external storage": (external, "/train/images lies in other files"),
    "virtual": (virtual, "/train/images lies in other files"),
    "a filter": (unknown_filter, r"is packed by filter 32999 \(.*\), not installed here"),
    "too many images": (claim("train/images", (10**15, 1, 4, 4), chunks=(1, 1, 4, 4)), CLAIM),
    "too many, in one piece": (claim("train/images", (10**12, 1, 4, 4)), CLAIM),
    "too large images": (claim("train/images", (1, 3, 10**6, 10**6), chunks=(1, 3, 64, 64)), CLAIM),
    "too large chunks": (
        claim("train/images", (1, 1, 2**20, 2**20), chunks=(1, 1, 2**20, 2**20)),
        "has chunks of 1,024.0 GiB, too large to be read",
    ),
    "not yet written": (claim("train/images", SHAPE), CLAIM),
    "no images": (put("train/images", np.zeros((0, 1, 4, 4), np.uint8)), r"has \(0, 1, 4, 4\)"),
    "a number": (put("train/images", np.uint8(3)), r"the shape .* has \(\)"),
    "nothing": (put("train/images", h5py.Empty("uint8")), "is not a dataset with values"),
    "a group": (group("train/images"), "images is not a dataset with values"),
    "a group for labels": (group("train/labels"), "labels is not a dataset with values"),
    "a group for classes": (group("train/classes"), "classes is not a dataset with values"),
    "signed": (put("train/images", IMAGES.numpy().astype(np.int8)), "must be uint8.*int8"),
    "compound": (put("train/images", PAIRS), "must be uint8"),
    "booleans": (put("train/images", np.zeros(SHAPE, bool)), "must be uint8.*bool"),
    "arrays of arrays": (claim("train/images", (N, 1), dtype="(4,4)u1"), f"({CLAIM}|must be)"),
    "source claims": (claim("train/source", SHAPE), f"/train/source {CLAIM}"),
    "source elsewhere": (put("train/source", h5py.ExternalLink("other.h5", "/x")), OUT),
    "labels compound": (put("train/labels", PAIRS), "labels must be 6 integers"),
    "labels text": (put("train/labels", ["a"] * N), "labels must be 6 integers"),
    "labels claim": (claim("train/labels", (10**13,), chunks=(10,)), f"labels {CLAIM}"),
    "a huge label": (put("train/labels", np.full(N, 2**62)), r"labels must lie in 0\.\.1,"),
    "a huge unsigned label": (
        put("train/labels", np.full(N, 2**64 - 1, np.uint64)),
        r"labels must lie in 0\.\.1,",
    ),
    "a huge label without names": (
        several(lambda file: file.__delitem__("train/classes"), put("train/labels", [2**62] * N)),
        r"labels must lie in 0\.\.1048575;",
    ),
    "classes by number": (put("train/classes", [1, 2]), "classes must be a list of strings"),
    "classes in two axes": (put("train/classes", [["a", "b"]]), "must be a list of strings"),
    "one class": (put("train/classes", "a"), "must be a list of strings"),
    "classes claim": (
        put("train/classes", np.zeros(1, "S100"), maxshape=(None,), chunks=(1,)),
        "labels must lie in 0",
    ),
    "references": (
        lambda file: put("train/classes", np.array([file["train"].ref], h5py.ref_dtype))(file),
        "must be a list of strings",
    ),
    "version array": (attribute("/", "version", [1, 1]), f"/@version {ONE}"),
    "version text": (attribute("/", "version", "1.0"), "format version 1.0 and"),
    "version nothing": (attribute("/", "version", h5py.Empty("f")), f"/@version {ONE}"),
    "name array": (attribute("/", "name", ["a", "b"]), f"/@name {ONE}"),
    "name reference": (reference, f"/@name {ONE}"),
    "name compound": (attribute("/", "name", PAIRS[0]), f"/@name {ONE}"),
    "provenance array": (attribute("provenance", "k", np.ones(9)), f"/provenance@k {ONE}"),
}


@pytest.mark.parametrize("name", TABLE)
def test_refused(path: Path, name: str) -> None:
    change, words = TABLE[name]
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(UserError, match=words) as error:
        read_hdf5(path, "train")
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def compact(file: Any) -> None:
    del file["train/images"]
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_layout(h5py.h5d.COMPACT)
    space = h5py.h5s.create_simple(SHAPE)
    h5py.h5d.create(file["train"].id, b"images", h5py.h5t.NATIVE_UINT8, space, plan)
    file["train/images"][:] = IMAGES.numpy()


@pytest.mark.parametrize(
    "change",
    [
        lambda file: None,
        several(
            lambda file: file.move("train/images", "elsewhere"),
            put("way", h5py.SoftLink("./elsewhere")),
            put("train/images", h5py.SoftLink("/way")),
        ),
        put("train/images", IMAGES.numpy()),
        put("train/images", IMAGES.numpy(), chunks=(4, 1, 3, 3), compression="lzf"),
        put("train/images", IMAGES.numpy(), chunks=SHAPE, fletcher32=True, shuffle=True),
        compact,
        put("train/labels", (np.arange(N) % 2).astype(">u8")),
        put("train/classes", np.array([b"a", b"b"], "S4")),
        attribute("/", "version", 1.0),
        attribute("/", "name", np.bytes_(b"x")),
        attribute("provenance", "k", b"v"),
    ],
)
def test_unusual_and_right(path: Path, monkeypatch: pytest.MonkeyPatch, change: Change) -> None:
    with h5py.File(path, "r+") as file:
        change(file)
    for _ in range(2):
        data = read_hdf5(path, "train")
        assert torch.equal(data.x[torch.arange(N)], IMAGES)
        assert data.y is not None and data.y.tolist() == [0, 1] * 3
        assert (data.name, data.classes, data.provenance) == ("x", ("a", "b"), {"k": "v"})
        monkeypatch.setattr(hdf5, "IN_MEMORY", 10)
    assert isinstance(data.x, Hdf5Images)


@pytest.mark.parametrize("kind", ["S2", h5py.string_dtype()])
def test_bytes_that_are_no_text(path: Path, kind: Any) -> None:
    with h5py.File(path, "r+") as file:
        put("train/classes", np.array([b"\xff", b"b"], kind))(file)
        file.attrs.create("name", b"\xffx", dtype=kind)
        attribute("provenance", "k", 2.5)(file)
    data = read_hdf5(path, "train")
    assert (data.name, data.classes) == ("\ufffdx", ("\ufffd", "b"))
    assert data.provenance == {"k": "2.5"}


def test_little_memory(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_inside, "available_memory", lambda: 60)
    with pytest.raises(UserError, match="images has chunks of 0.0 GiB, too large to be read"):
        read_hdf5(path, "train")
    with h5py.File(path, "r+") as file:
        for key in ("images", "source"):
            put(f"train/{key}", IMAGES.numpy())(file)
    with pytest.raises(UserError, match="takes 0.0 GiB, more than half of memory"):
        read_hdf5(path, "train")


@pytest.fixture
def large(path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(hdf5, "IN_MEMORY", 10)
    return read_hdf5(path, "train").x


def test_a_large_file_that_is_damaged_later(path: Path, large: Any) -> None:
    content = path.read_bytes()
    with h5py.File(path) as file:
        place = file["train/images"].id.get_chunk_info(0)
    path.write_bytes(
        content[: place.byte_offset] + b"\xff" * 40 + content[place.byte_offset + 40 :]
    )
    with pytest.raises(UserError, match=r"set.h5 is not an HDF5 file, or is damaged or cut off"):
        large[torch.tensor([0, 3])]
    path.unlink()
    with pytest.raises(UserError, match="set.h5 cannot be read: No such file or directory.$"):
        Hdf5Images(path, large.key, large.shape)[torch.tensor([0])]


def test_a_large_file_that_becomes_another(path: Path, large: Any) -> None:
    write_hdf5(path, DataSet("y", IMAGES[:3]))
    with pytest.raises(UserError, match=r"set.h5 is not the file any more that it was"):
        large[torch.tensor([5])]


FLIP = """
import random, signal, sys
from pathlib import Path
import torch
from ganlib.common.formats import hdf5
from ganlib.common.errors import UserError
from ganlib.common.formats.hdf5 import read_hdf5

def read():
    signal.alarm(10)
    for most in (2**32, 1):
        hdf5.IN_MEMORY = most
        for split in ("train", "test"):
            data = read_hdf5(path, split)
            rows = torch.arange(min(len(data), 1000))
            data.x[rows], data.source is None or data.source[rows]

path, whole = Path(sys.argv[1]), Path(sys.argv[2]).read_bytes()
for number in range(int(sys.argv[3]), int(sys.argv[4])):
    random.seed(number)
    content = bytearray(whole)
    for _ in range(random.choice((1, 1, 4))):
        content[random.randrange(len(content))] ^= random.randrange(1, 256)
    path.write_bytes(content)
    try:
        read()
    except UserError:
        print("sentence", flush=True)
    else:
        print("read", flush=True)
"""


def flip(path: Path, times: int) -> Counter[str]:
    """How often reading copies of `path` with other bytes ended how; a crash by its signal."""
    ends: Counter[str] = Counter()
    while (start := ends.total()) < times:
        copy = path.with_name("copy.h5")
        command = [sys.executable, "-c", FLIP, str(copy), str(path), str(start), str(times)]
        done = subprocess.run(command, capture_output=True, text=True)
        ends.update(done.stdout.split())
        if done.returncode:
            ends[signal.Signals(-done.returncode).name if done.returncode < 0 else done.stderr] += 1
    return ends


@pytest.mark.parametrize("times", [25, pytest.param(5000, marks=pytest.mark.slow)])
def test_flipped_bytes(path: Path, times: int) -> None:
    """Images or a sentence, but for what crashes inside the HDF5 library."""
    write_hdf5(path, DataSet("x", IMAGES, None, IMAGES), DataSet("x", IMAGES))
    ends = flip(path, times)
    print(dict(ends))
    assert set(ends) <= {"read", "sentence", "SIGSEGV", "SIGABRT"}
    assert ends["read"] + ends["sentence"] > 0.97 * times
