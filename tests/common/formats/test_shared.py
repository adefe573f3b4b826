"""Decoded data that processes share."""

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import fields
from math import inf
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from ganlib.common.data import DataSet
from ganlib.common.formats import blocks, hdf5, shared
from ganlib.common.formats.hdf5_writing import write_hdf5
from ganlib.common.formats.shared import FILE, shared_data
from ganlib.common.io import cache
from ganlib.common.query import DataQuery, Found

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded")  # as a session of workers is
FORK = multiprocessing.get_context("fork")


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where all is kept that is decoded, however fast."""
    monkeypatch.setenv("GANLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(shared, "WORTH", 0.0)
    return tmp_path / "cache" / "decoded"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Six pictures of two classes and a text file; beside them maps of their names."""
    random = np.random.default_rng(0)
    for name in ("a/0.png", "a/1.png", "a/2.png", "b/3.png", "b/4.png", "b/5.png"):
        for folder, shape in (("photos", (8, 8, 3)), ("maps", (8, 8))):
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(random.integers(0, 3, shape, np.uint8)).save(path)
    (tmp_path / "photos" / "notes.txt").write_text("none")
    return tmp_path / "photos"


def test_who_has_no_home_folder_decodes(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = DataQuery(str(photos)).open()
    monkeypatch.setenv("GANLIB_CACHE", "~nobody-here")
    assert_same(DataQuery(str(photos)).open(), before)


def assert_same(one: DataSet, other: DataSet) -> None:
    for field in fields(DataSet):
        mine, theirs = getattr(one, field.name), getattr(other, field.name)
        if isinstance(mine, Tensor):
            assert mine.dtype == theirs.dtype and torch.equal(mine, theirs), field.name
        else:
            assert mine == theirs, field.name


def ones(n: int = 3) -> DataSet:
    return DataSet("ones", torch.ones(n, 1, 4, 4, dtype=torch.uint8))


@pytest.mark.parametrize("source", [None, "edges", "left", "{maps}", "label-maps:{maps}"])
@pytest.mark.parametrize("how", [{}, {"hold_out": 2.0, "split": "test"}, {"size": 4}], ids=str)
def test_what_was_decoded_before_comes_back_with_its_line(
    photos: Path,
    source: str | None,
    how: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = source and source.format(maps=photos.parent / "maps")
    query = DataQuery(str(photos), source=source, **how)
    monkeypatch.setattr(shared, "WORTH", inf)
    plain, line = query.open(), capsys.readouterr().err
    monkeypatch.setattr(shared, "WORTH", 0.0)
    first, second = query.open(), capsys.readouterr().err
    monkeypatch.setattr(blocks, "in_threads", None)  # by which all files are looked at
    again, third = query.open(), capsys.readouterr().err
    assert_same(plain, first)
    assert_same(plain, again)
    assert line == second == third and "skipped 1: 1 not images (notes.txt)" in line


@pytest.mark.parametrize("change", ["other", "another", "gone", "source"])
def test_files_that_have_changed_are_decoded_anew(photos: Path, change: str) -> None:
    query = DataQuery(str(photos), source=str(photos.parent / "maps"))
    before, path = query.open(), photos / "a" / "0.png"
    if change == "gone":
        path.unlink()
    else:
        name = {"other": path, "another": photos / "a" / "9.png"}.get(change)
        grey = Image.new("RGB", (8, 8), (7, 7, 7))
        grey.save(name or photos.parent / "maps" / "a" / "0.png")
        grey.save(photos.parent / "maps" / "a" / "9.png")
    after = query.open()
    assert before.source is not None and after.source is not None
    assert len(after) == 6 + (change == "another") - (change == "gone")
    assert torch.equal(before.x[1], after.x[1 - (change == "gone")])
    if change == "other":
        assert after.x[0].unique().tolist() == [7]
    if change == "source":
        assert after.source[0].unique().tolist() == [7]


def test_a_data_set_of_ones_own_that_has_changed_is_loaded_anew(
    tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "mine.py"
    (tmp_path / "file").touch()
    for value in (10, 200):
        place.write_text(
            "import torch\nfrom ganlib.common.data import DataSet\nFILES = ('file',)\n"
            "def load(root, split, size):\n"
            f"    return DataSet('mine', torch.full((3, 1, 4, 4), {value}).byte())\n"
        )
        module = ModuleType("mine")
        module.__file__ = str(place)
        exec(place.read_text(), vars(module))
        monkeypatch.setitem(sys.modules, "mine", module)
        found = Found(module.load, tmp_path, is_folder=False)
        query = DataQuery("mine")
        data = found.shared(query, lambda load=module.load: load(tmp_path, "train", None))
        assert int(data.x[0, 0, 0, 0]) == value


def test_it_is_one_file_that_is_mapped(photos: Path, kept: Path) -> None:
    query = DataQuery(str(photos))
    first, again = query.open(), query.open()
    (file,) = kept.glob("*/[!.]*")
    assert file.name == FILE
    maps = [line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines()]
    assert maps.count(str(file)) >= 2  # of the one that has decoded it, too
    first.x[0] = 0  # type: ignore[index]
    assert int(again.x[0].sum()) > 0  # type: ignore[index]
    assert_same(query.open(), again)


def of_processes(n: int, place: Path, load: Callable[[], DataSet]) -> list[Any]:
    """What n processes that ask at once are given, and their exit codes."""
    found, start = FORK.SimpleQueue(), FORK.Barrier(n)

    def ask() -> None:
        start.wait()
        found.put(int(shared_data({}, [place], load).x.sum()))  # type: ignore[attr-defined]

    processes = [FORK.Process(target=ask) for _ in range(n)]
    for process in processes:
        process.start()
    result = [found.get() for _ in processes]
    for process in processes:
        process.join()
    return [*result, *(process.exitcode for process in processes)]


def test_of_processes_that_race_one_decodes_and_the_others_say_that_they_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cache, "PATIENCE", 0.0)
    calls, waiting = FORK.Value("i", 0), tmp_path / "waiting"
    tell, late = cache.note, time.monotonic() + 60

    def load() -> DataSet:
        with calls.get_lock():
            calls.value += 1
        while not waiting.exists() and time.monotonic() < late:
            time.sleep(0.01)
        return ones()

    def told(words: str) -> None:
        waiting.touch()
        tell(words)

    monkeypatch.setattr(cache, "note", told)
    (tmp_path / "file").touch()
    assert of_processes(3, tmp_path / "file", load) == [48, 48, 48, 0, 0, 0]
    assert calls.value == 1
    lines = set(capfd.readouterr().err.splitlines())
    assert lines == {f"Another process is decoding {tmp_path / 'file'}: this one waits for it."}


def test_who_is_killed_leaves_it_to_the_next(tmp_path: Path, kept: Path) -> None:
    """While it decodes, and while it writes."""
    place = tmp_path / "file"
    place.touch()

    def die(*_: object) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)

    def half_written(parts: object, path: Path, _: object) -> None:
        path.write_bytes(b"\0" * 100)
        die()

    for load, save in ((die, shared.save_file), (ones, half_written)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(shared, "save_file", save)
            process = FORK.Process(target=lambda load=load: shared_data({}, [place], load))
            process.start()
            process.join()
        assert process.exitcode == -signal.SIGKILL
        assert not list(kept.glob(f"*/{FILE}"))
    assert list(kept.glob("*/.ganlib-*"))
    assert len(shared_data({}, [place], ones)) == 3
    assert [path.name for path in kept.glob("*/[!.]*")] == [FILE]
    assert not list(kept.glob("*/.ganlib-*"))
    assert len(shared_data({}, [place], die)) == 3


@pytest.mark.parametrize("damage", ["cut off", "other", "empty"])
def test_a_damaged_file_is_as_good_as_not_there(photos: Path, kept: Path, damage: str) -> None:
    query = DataQuery(str(photos))
    before = query.open()
    (file,) = kept.glob(f"*/{FILE}")
    whole = file.read_bytes()
    file.unlink()  # what is mapped stays as it is
    file.write_bytes({"cut off": whole[:-9], "other": b"no data", "empty": b""}[damage])
    assert_same(query.open(), before)
    assert file.read_bytes() == whole


def test_where_nothing_can_be_kept_all_is_decoded(
    photos: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = DataQuery(str(photos))
    full = SimpleNamespace(free=2 * 6 * 3 * 64)
    with monkeypatch.context() as patch:
        patch.setattr(shared, "disk_usage", lambda _: full)
        before = query.open()
    assert not list(kept.glob(f"*/{FILE}"))
    monkeypatch.setenv("GANLIB_CACHE", str(photos / "notes.txt"))
    assert_same(query.open(), before)


def test_what_is_quick_is_not_kept_nor_what_changed_meanwhile(
    tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "file"
    place.touch()

    def written() -> DataSet:
        place.write_text(place.read_text() + "more")
        return ones()

    shared_data({}, [place], written)
    with monkeypatch.context() as patch:
        patch.setattr(shared, "WORTH", inf)
        shared_data({}, [place], ones)
    assert not list(kept.glob(f"*/{FILE}"))
    place.unlink()  # what is downloaded is not there before

    def downloaded() -> DataSet:
        place.touch()
        return ones()

    shared_data({}, [place], downloaded)
    assert len(list(kept.glob(f"*/{FILE}"))) == 1


def test_what_nobody_asked_for_makes_room(tmp_path: Path, kept: Path) -> None:
    for name in ("old", "used", "new"):
        (tmp_path / name).touch()
    for name in ("old", "used"):
        shared_data({}, [tmp_path / name], ones)
    for file in kept.glob(f"*/{FILE}"):
        os.utime(file, (0, 0))
    shared_data({}, [tmp_path / "used"], ones)
    shared_data({}, [tmp_path / "new"], ones)
    with pytest.raises(ZeroDivisionError):
        shared_data({}, [tmp_path / "old"], lambda: 1 // 0)  # type: ignore[arg-type]
    assert len(list(kept.glob(f"*/{FILE}"))) == 2


def test_a_packed_file_is_unpacked_once(
    tmp_path: Path, toy_data: Callable[..., DataSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lower resolutions too; small ones by everybody."""
    path = tmp_path / "toy.h5"
    write_hdf5(path, toy_data(3, 8, 20), sides=[4])

    def opened() -> DataSet:
        data = DataQuery(str(path)).open()
        lower: Any = data.smaller[4]
        return DataSet(data.name, data.x, data.y, smaller={4: lower.at_once()})

    small = opened()
    assert not list(tmp_path.glob("cache/**/*.safetensors"))
    monkeypatch.setattr(hdf5, "SMALL", 0)
    first = opened()
    monkeypatch.setattr(hdf5.Hdf5Images, "_all", None)
    again = opened()
    for one in (first, again):
        assert torch.equal(one.x, small.x) and torch.equal(one.smaller[4], small.smaller[4])  # type: ignore[arg-type]
