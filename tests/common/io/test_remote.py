"""Folders and files that lie in an object store or on a web server."""

import errno
import multiprocessing
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fsspec
import numpy as np
import pytest
import torch
from fsspec.implementations.memory import MemoryFileSystem
from PIL import Image

from ganlib.common.data import DataSet
from ganlib.common.errors import UserError
from ganlib.common.formats.hdf5_writing import write_hdf5
from ganlib.common.io import remote
from ganlib.common.io.remote import place_of
from ganlib.common.query import DataQuery

PHOTOS = [f"{kind}/{k}.png" for kind in "ab" for k in range(3)]


def png(seed: int, shape: tuple[int, ...] = (8, 8, 3)) -> bytes:
    file = BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 3, shape, np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(autouse=True)
def copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GANLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(remote, "FRESH", -1.0)
    monkeypatch.setattr(remote, "_seen", {})
    return tmp_path / "cache" / "remote"


@pytest.fixture
def store() -> Iterator[Any]:
    """Six photos of two classes, maps of their names with a table, and a file beside them."""
    system = fsspec.filesystem("memory")
    for k, name in enumerate(PHOTOS):
        system.pipe(f"/bucket/photos/{name}", png(k))
        system.pipe(f"/bucket/maps/{name}", png(k, (8, 8)))
    system.pipe("/bucket/maps/classes.txt", b"sky\nsea\nland\n")
    system.pipe("/bucket/photos/notes.txt", b"none")
    system.pipe("/bucket/photos/.hidden/0.png", png(0))
    yield system
    system.rm("/bucket", recursive=True)


@pytest.fixture
def local(store: Any, tmp_path: Path) -> Path:
    """The same on this machine."""
    store.get("/bucket", str(tmp_path / "bucket"), recursive=True)
    return tmp_path / "bucket"


def assert_same(one: DataSet, other: DataSet) -> None:
    assert isinstance(one.x, torch.Tensor) and isinstance(other.x, torch.Tensor)
    for name in ("x", "y", "source"):
        mine, theirs = getattr(one, name), getattr(other, name)
        assert (mine is None) == (theirs is None)
        assert mine is None or torch.equal(mine, theirs)
    assert (one.name, one.classes, one.held_out) == (other.name, other.classes, other.held_out)


@pytest.mark.usefixtures("store")
def test_what_is_no_data_is_called_by_its_address() -> None:
    address = "memory://bucket/photos/notes.txt"
    with pytest.raises(UserError, match=f"^{address} is neither a folder of images nor"):
        DataQuery(address).open()


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize(
    "source", [None, "edges", "{}/maps", "label-maps:{}/maps", "unpaired:{}/maps", "left"]
)
def test_a_folder_is_what_it_is_locally(
    local: Path, source: str | None, split: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def opened(place: str) -> tuple[DataSet, str]:
        told = source and source.format(place)
        data = DataQuery(f"{place}/photos", split=split, source=told, hold_out=0.4).open()
        return data, capsys.readouterr().err

    (here, line), (there, told) = opened(str(local)), opened("memory://bucket")
    assert_same(here, there)
    assert line == told
    assert there.provenance["fetched"] == "memory://bucket/photos"
    assert DataQuery("memory://bucket/photos").holds_out
    assert DataQuery("memory://bucket/photos", source=source).label.startswith("photos")


def test_a_file_is_what_it_is_locally(
    toy_data: Callable[..., DataSet], tmp_path: Path, store: Any
) -> None:
    path = tmp_path / "toy.h5"
    write_hdf5(path, toy_data(), toy_data(n=8))
    store.put(str(path), "/bucket/toy.h5")
    for split in ("train", "test"):
        one, other = (
            DataQuery(name, split=split).open() for name in (str(path), "memory://bucket/toy.h5")
        )
        assert_same(one, other)
    assert other.provenance["fetched"] == "memory://bucket/toy.h5"


def test_what_changed_is_fetched_and_nothing_else(
    store: Any, copies: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []
    get = MemoryFileSystem.get_file

    def noted(self: Any, path: str, *more: Any, **how: Any) -> None:
        fetched.append(path.removeprefix("/bucket/photos/"))
        get(self, path, *more, **how)

    monkeypatch.setattr(MemoryFileSystem, "get_file", noted)
    place = place_of("memory://bucket/photos")
    assert sorted(fetched) == [*PHOTOS, "notes.txt"] and place.name == "photos"
    changes: list[tuple[Callable[[], object], list[str]]] = [
        (lambda: None, []),
        (lambda: store.pipe("/bucket/photos/a/0.png", png(9)), ["a/0.png"]),
        (lambda: store.pipe("/bucket/photos/c/9.png", png(9)), ["c/9.png"]),
        (lambda: store.rm("/bucket/photos/b", recursive=True), []),
        (lambda: (place / "a" / "1.png").unlink(), ["a/1.png"]),
    ]
    for change, expected in changes:
        fetched.clear()
        change()
        assert place_of("memory://bucket/photos") == place
        assert fetched == expected
        there = {path: store.cat(path) for path in store.find("/bucket/photos")}
        here = {str(path.relative_to(place)): path for path in place.rglob("*.*") if path.is_file()}
        assert {f"/bucket/photos/{name}" for name in here} == {n for n in there if "/." not in n}
        assert all(path.read_bytes() == there[f"/bucket/photos/{n}"] for n, path in here.items())
    assert sorted(path.name for path in place.iterdir()) == ["a", "c", "notes.txt"]


def test_a_process_does_not_look_again_at_once(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "FRESH", 1000.0)
    place = place_of("memory://bucket/photos")
    with monkeypatch.context() as patch:
        patch.setattr(MemoryFileSystem, "find", None)
        assert place_of("memory://bucket/photos") == place


@pytest.mark.parametrize("reason", ["reset by peer", r".*a/2.png ended after 10 of \d+ bytes"])
def test_a_connection_that_is_lost_leaves_what_has_come(
    store: Any, copies: Path, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    """It raises, or gives less than there is: of neither a half file is left."""
    monkeypatch.setattr(remote, "AT_ONCE", 1)
    get, fetched = MemoryFileSystem.get_file, list[str]()

    def lost(self: Any, path: str, here: str, **how: Any) -> None:
        get(self, path, here, **how)
        fetched.append(path)
        if path.endswith("a/2.png") and fetched.count(path) == 1:
            Path(here).write_bytes(Path(here).read_bytes()[:10])
            if "reset" in reason:
                raise ConnectionError(reason)

    monkeypatch.setattr(MemoryFileSystem, "get_file", lost)
    with pytest.raises(UserError) as told:
        place_of("memory://bucket/photos")
    come = [path for path in copies.rglob("[!.]*.*") if path.suffix in (".png", ".txt")]
    assert re.fullmatch(
        rf"memory://bucket/photos cannot be read \(ConnectionError: {reason}\). {len(come)} of 7 "
        "files have come, and the same command goes on.",
        str(told.value),
    )
    assert 2 <= len(come) < 7 and not any(path.match("a/2.png") for path in come)
    place_of("memory://bucket/photos")
    assert len(fetched) == 7 + 1 and len(set(fetched)) == 7


def test_a_disk_that_is_full_is_said(
    store: Any, copies: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it is, and if it becomes so."""
    monkeypatch.setattr(remote, "disk_usage", lambda _: SimpleNamespace(free=100))
    with pytest.raises(UserError, match="takes 0.0 GiB and 0.0 GiB are free in .*GANLIB_CACHE"):
        place_of("memory://bucket/photos")
    monkeypatch.undo()
    monkeypatch.setenv("GANLIB_CACHE", str(copies.parent))

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(MemoryFileSystem, "get_file", full)
    with pytest.raises(UserError, match=rf"{copies}.* cannot be written: No space left on device"):
        place_of("memory://bucket/photos")


def test_names_that_lead_elsewhere_are_refused(store: Any, copies: Path) -> None:
    store.store["/bucket/photos/../../x.png"] = store.store["/bucket/photos/a/0.png"]
    try:
        with pytest.raises(UserError, match=r"has an object '.*\.\./x.png', as which no file"):
            place_of("memory://bucket/photos")
    finally:
        del store.store["/bucket/photos/../../x.png"]
    assert not list(copies.rglob("*.png"))


@pytest.mark.filterwarnings("ignore:.*multi-threaded")  # as a session of workers is
def test_of_two_processes_one_fetches_and_one_that_is_killed_is_followed(
    store: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fork = multiprocessing.get_context("fork")
    monkeypatch.setattr(remote, "AT_ONCE", 1)
    get, calls, start = MemoryFileSystem.get_file, fork.Value("i", 0), fork.Barrier(2)

    def counted(self: Any, path: str, here: str, **how: Any) -> None:
        with calls.get_lock():
            calls.value += 1
        if calls.value == 4 and not (tmp_path / "killed").exists():
            (tmp_path / "killed").touch()
            Path(here).write_bytes(b"half")
            os.kill(os.getpid(), signal.SIGKILL)
        get(self, path, here, **how)

    def ask() -> None:
        start.wait()
        place_of("memory://bucket/photos")

    monkeypatch.setattr(MemoryFileSystem, "get_file", counted)
    both = [fork.Process(target=ask) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert sorted(process.exitcode for process in both) == [-signal.SIGKILL, 0]
    assert calls.value == 7 + 1
    place = place_of("memory://bucket/photos")
    assert calls.value == 7 + 1
    assert (place / "a" / "0.png").read_bytes() == png(0)
    assert not list(place.rglob(".ganlib-*"))


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("memory://bucket/nothing", "There is nothing at memory://bucket/nothing: see whether"),
        ("s4://bucket/x", r"s4://bucket/x cannot be read \(.*Protocol not known: s4\)\."),
        ("gs://x/y", r"\(.*Please install gcsfs .*\): run `pip install ganlib\[remote\]`, or"),
    ],
)
def test_what_cannot_be_had_is_said(
    address: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    for query in (
        DataQuery(address),
        DataQuery("emoji", source=address),
        DataQuery("emoji", source=f"unpaired:{address}"),
    ):
        with pytest.raises(UserError, match=words):
            query.open()


def test_a_password_is_in_no_sentence_and_no_file() -> None:
    with pytest.raises(UserError, match="^An address with a password in it would be") as told:
        place_of("memory://user:secret@bucket/photos")
    assert "secret" not in str(told.value)
