"""Images read by other processes: the same batches, and an end to every process."""

import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ganlib.common.data import Batch, DataSet, Loader, fit_spec, prefetch
from ganlib.common.data import loader as loading
from ganlib.common.errors import UserError
from ganlib.common.formats import hdf5
from ganlib.common.formats.hdf5 import Hdf5Images, read_hdf5
from ganlib.common.formats.hdf5_writing import write_hdf5, write_streams
from ganlib.common.formats.stream import Block, Stream, as_stream

N = 30
Make = Callable[..., Loader]

pytestmark = pytest.mark.skipif(loading.WORKERS == 0, reason="no safe forks here")


class Poisoned:
    """Images, one of which cannot be read: `fail()` is called instead."""

    shape = (N, 1, 4, 4)

    def __init__(self, number: int, fail: Callable[[], None]) -> None:
        self.number, self.fail = number, fail

    def __len__(self) -> int:
        return N

    def __getitem__(self, index: Tensor) -> Tensor:
        if self.number in index.tolist():
            self.fail()
        return torch.zeros(len(index), 1, 4, 4, dtype=torch.uint8)


@pytest.fixture
def small() -> DataSet:
    """In memory."""
    random = torch.Generator().manual_seed(0)
    x, source = (
        torch.randint(0, 256, (N, c, 12, 12), generator=random, dtype=torch.uint8) for c in (3, 1)
    )
    return DataSet("noise", x, torch.arange(N) % 3, source, ("a", "b", "c"))


@pytest.fixture
def path(small: DataSet, tmp_path: Path) -> Path:
    write_hdf5(tmp_path / "set.h5", small)
    return tmp_path / "set.h5"


@pytest.fixture
def large(path: Path, monkeypatch: pytest.MonkeyPatch) -> DataSet:
    """The same, read from a file."""
    monkeypatch.setattr(hdf5, "IN_MEMORY", 0)
    data = read_hdf5(path, "train")
    assert isinstance(data.x, Hdf5Images) and isinstance(data.source, Hdf5Images)
    return data


@pytest.fixture
def make(large: DataSet) -> Iterator[Make]:
    """make(workers=2, data=..., ...): a loader of batches of 8 out of 30, closed after the test."""
    made = []

    def loader(workers: int = 2, data: DataSet = large, **settings: Any) -> Loader:
        made.append(Loader(data, fit_spec(data, (16, 16)), 8, 3, workers=workers, **settings))
        return made[-1]

    yield loader
    for one in made:
        one.close()


def processes() -> list[Any]:
    return multiprocessing.active_children()


def assert_same(a: Batch, b: Batch) -> None:
    assert torch.equal(a.x, b.x)
    assert (a.y is None) == (b.y is None)
    assert a.y is None or b.y is None or torch.equal(a.y, b.y)


@pytest.mark.parametrize("condition", [None, "labels", "images", "unpaired"])
@pytest.mark.parametrize("workers", [1, 2])
def test_the_batches_are_those_without_workers(
    workers: int, condition: str | None, make: Make, small: DataSet
) -> None:
    settings = {"condition": condition, "flip": True, "dequantize": True, "rank": 1, "ranks": 2}
    plain, inside = make(0, **settings), make(data=small, **settings)
    loader = make(workers, **settings)
    for position in (0, 8 * 100, 13):
        for one in (plain, inside, loader):
            one.position = position
        for _ in range(9):  # of at most four batches an epoch
            batch = next(plain)
            assert_same(batch, next(inside))
            assert_same(batch, next(loader))
        assert len(processes()) == workers


def test_one_source_may_be_in_memory_and_the_other_not(
    large: DataSet, small: DataSet, make: Make
) -> None:
    mixed = replace(large, source=small.source)
    a, b = make(0, condition="images"), make(2, data=mixed, condition="images")
    for _ in range(6):
        assert_same(next(a), next(b))


STAGES = [(8, None), (8, None), (3, (8, 8)), (20, (8, 8)), (8, None), (1, (4, 4)), (4, None)]


@pytest.mark.parametrize("condition", [None, "images", "unpaired"])
def test_another_batch_size_starts_anew(condition: str | None, make: Make) -> None:
    """And gives no batch of the old size."""
    settings = {"condition": condition, "flip": True, "dequantize": True}
    plain, loader = make(0, **settings), make(2, **settings)
    for batch_size, size in STAGES:
        for one in (plain, loader):
            one.resize(batch_size, size)
        for _ in range(3):
            batch = next(loader)
            assert len(batch.x) == batch_size
            assert_same(batch, next(plain))
        assert len(processes()) == 2


def test_shares_of_another_batch_size_start_anew(make: Make) -> None:
    plain, loader = (make(n, rank=1, ranks=2, condition="unpaired") for n in (0, 2))
    for batch_size, size in STAGES:
        for one in (plain, loader):
            one.resize(2 * batch_size, size)
        for _ in range(3):
            batch = next(loader)
            assert len(batch.x) == batch_size
            assert_same(batch, next(plain))


def test_smaller_images_are_read_ahead_from_where_they_lie(
    large: DataSet, small: DataSet, make: Make
) -> None:
    assert isinstance(small.x, Tensor)
    data = replace(large, smaller={4: Poisoned(-1, lambda: None), 8: small.x[..., :8, :8]})
    loader = Loader(data, fit_spec(data, (12, 12)), 8, 3, workers=2)
    twin = Loader(small, fit_spec(small, (12, 12)), 8, 3)
    for size, wanted in ((4, torch.full((8, 1, 4, 4), -1.0)), (8, None), (12, None)):
        loader.resize(8, (size, size))
        for _ in range(2):
            x, whole = next(loader).x, next(twin).x
            assert torch.equal(x, whole[..., :size, :size] if wanted is None else wanted)
        assert len(processes()) == (0 if size == 8 else 2)
    loader.close()


@pytest.mark.parametrize(
    ("storage", "workers"), [("gzip", 1), ("lzf", 2), ("contiguous", 1), ("contiguous", 3)]
)
def test_stages_read_their_resolution_from_a_file(
    storage: Any, workers: int, tmp_path: Path, small: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And go on from anywhere."""
    path = tmp_path / "set.h5"
    write_streams(path, as_stream(small), None, storage, (6, 3))
    inside = read_hdf5(path, "train")
    monkeypatch.setattr(hdf5, "IN_MEMORY", 0)
    lazy = read_hdf5(path, "train")
    settings = {"flip": True, "dequantize": True, "condition": "images"}
    spec = fit_spec(inside, (12, 12))
    straight = Loader(inside, spec, 8, 3, workers=0, **settings)  # type: ignore[arg-type]
    ahead = Loader(lazy, spec, 8, 3, workers=workers, **settings)  # type: ignore[arg-type]
    for batch_size, side in ((8, 3), (8, 6), (5, 6), (8, 12)):
        for one in (straight, ahead):
            one.resize(batch_size, (side, side))
        for _ in range(3):
            batch = next(straight)
            assert batch.x.shape == (batch_size, 3, side, side)
            assert_same(batch, next(ahead))
        assert len(processes()) == workers
    ahead.close()
    ahead.position = straight.position = 21
    for one in (straight, ahead):
        one.resize(4, (6, 6))
    assert_same(next(straight), next(ahead))
    ahead.close()


def test_no_stage_resizes_what_the_file_has(
    tmp_path: Path, small: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_hdf5(tmp_path / "set.h5", small, sides=(6, 3))
    data = read_hdf5(tmp_path / "set.h5", "train")
    loader = Loader(data, fit_spec(data, (12, 12)), 8, 3)
    wanted = Loader(small, fit_spec(small, (12, 12)), 8, 3)
    means = []
    for side in (3, 6):
        wanted.resize(8, (side, side))
        means.append(next(wanted).x)
    with monkeypatch.context() as patch:
        patch.setattr("torch.nn.functional.interpolate", lambda *_, **__: pytest.fail("resized"))
        for side, mean in zip((3, 6), means, strict=True):
            loader.resize(8, (side, side))
            assert (next(loader).x - mean).abs().max() <= 0.5001 / 127.5
    loader.resize(8, (4, 4))  # of which the file has none
    wanted.resize(8, (4, 4))
    loader.position = wanted.position
    assert_same(next(loader), next(wanted))


def memory() -> int:
    """KiB of this process and its readers, without the cache of the operating system."""
    ids = ["self", *(str(p.pid) for p in processes())]
    texts = (Path("/proc", i, "smaps_rollup").read_text() for i in ids)
    lines = (line for text in texts for line in text.splitlines() if line.startswith("Pss:"))
    return sum(int(line.split()[1]) for line in lines)


@pytest.fixture
def no_garbage() -> Iterator[None]:
    """To collect it is to write into all objects, and what this process writes into the readers
    have from then on for themselves: some 100 MiB, at whatever moment.
    """
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_garbage")
@pytest.mark.parametrize("workers", [0, 2])
def test_memory_does_not_grow(workers: int, tmp_path: Path) -> None:
    """A file of 48 MiB, in which every image is read, is nowhere kept."""
    n, shape = 256, (3, 256, 256)

    def blocks() -> Iterator[Block]:
        for i in range(0, n, 8):
            yield Block(torch.full((8, *shape), i % 256, dtype=torch.uint8))

    stream = Stream("x", shape, n, blocks())
    write_streams(tmp_path / "set.h5", stream, storage="contiguous")
    data = DataSet("x", Hdf5Images(tmp_path / "set.h5", "train/images", (n, *shape)))
    loader = Loader(data, fit_spec(data, shape[1:]), 4, 0, workers=workers)
    for _ in range(8):
        next(loader)
    before = memory()
    for _ in range(n // 4):
        next(loader)
    grown = memory() - before
    loader.close()
    # a third of the file: readers that were forked also get copies of objects that are counted
    assert grown < 16 * 1024


class Numbered:
    """Image i is i everywhere."""

    shape = (N, 1, 2, 2)

    def __len__(self) -> int:
        return N

    def __getitem__(self, index: Tensor) -> Tensor:
        return index.to(torch.uint8)[:, None, None, None].expand(-1, *self.shape[1:])


class Lazy:
    """A tensor that is none."""

    def __init__(self, x: Tensor) -> None:
        self.x, self.shape = x, x.shape

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: Tensor) -> Tensor:
        return self.x[index]


@pytest.mark.parametrize("workers", [1, 3])
def test_what_was_taken_stays_until_the_next_is(
    workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prefetch, "AT_ONCE", 9)  # of four bytes each
    order = [torch.arange(4 * k, 4 * k + 4) % N for k in range(60)]
    parts = ({"x": (index, torch.zeros(4, 2))} for index in order)
    reading = prefetch.Prefetcher({"x": Numbered()}, parts, workers, {"x": torch.uint8})
    for index in order[:40]:
        x = reading.take()["x"]
        time.sleep(0.02)  # for the processes to read what they can
        assert x.shape == (4, 1, 2, 2) and torch.equal(x.amax((1, 2, 3)), index.to(torch.uint8))
    reading.close()


def test_batches_that_are_kept_are_not_read_into(make: Make) -> None:
    """Ids of the networks' size need no change on their way."""
    ids = torch.arange(N, dtype=torch.int32)[:, None, None, None].expand(N, 2, 2, 2)
    data = DataSet("ids", Numbered(), source=ids, source_kind="ids")
    lazy = replace(data, source=Lazy(ids))
    spec = fit_spec(data, (2, 2))
    kept = []
    for one, workers in ((data, 0), (lazy, 2)):
        loader = Loader(one, spec, 4, 0, condition="images", workers=workers)
        kept.append([next(loader) for _ in range(12)])
        loader.close()
    for a, b in zip(*kept, strict=True):
        assert_same(a, b)


def test_ids_and_unpaired_sources_are_read_ahead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Make
) -> None:
    random = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (N, 1, 12, 12), generator=random, dtype=torch.uint8)
    ids = torch.randint(0, 65536, (N + 7, 2, 6, 6), generator=random, dtype=torch.int32)
    inside = DataSet("ids", x, source=ids, source_kind="ids")
    write_hdf5(tmp_path / "ids.h5", inside)
    monkeypatch.setattr(hdf5, "IN_MEMORY", 0)
    lazy = read_hdf5(tmp_path / "ids.h5", "train")
    plain, loader = (make(data=d, condition="unpaired", flip=True) for d in (inside, lazy))
    for _ in range(12):
        batch = next(loader)
        assert batch.y is not None and batch.y.dtype == torch.int32 and batch.y.max() > 40_000
        assert_same(batch, next(plain))


def test_images_in_memory_need_no_processes(small: DataSet, make: Make) -> None:
    next(make(data=small))
    assert not processes()


def test_processes_end_when_they_are_needed_no_more(make: Make) -> None:
    loader = make()
    next(loader)
    first = {p.pid for p in processes()}
    next(loader)
    assert len(first) == 2 and {p.pid for p in processes()} == first
    loader.position = 80
    next(loader)
    second = {p.pid for p in processes()}
    assert len(second) == 2 and not first & second
    loader.close()
    assert not processes()
    next(loader)
    assert len(processes()) == 2


def test_a_loader_that_is_dropped_leaves_no_processes(large: DataSet) -> None:
    loader = Loader(large, fit_spec(large, (16, 16)), 8, 0, workers=2)
    fork = loader.fork("labelled")
    next(loader), next(fork)
    assert len(processes()) == 4
    del loader
    assert len(processes()) == 2
    next(fork)
    del fork
    assert not processes()


def test_training_does_not_depend_on_when_processes_start(make: Make) -> None:
    torch.manual_seed(0)
    state = torch.get_rng_state()
    next(make())
    assert torch.equal(torch.get_rng_state(), state)


SCRIPT = """
import multiprocessing, sys
from pathlib import Path
from ganlib.common.formats import hdf5
from ganlib.common.data import Loader, fit_spec
hdf5.IN_MEMORY = 0
data = hdf5.read_hdf5(Path(sys.argv[1]), "train")
loader = Loader(data, fit_spec(data, (16, 16)), 8, 0, workers=2)
next(loader)
print(*(p.pid for p in multiprocessing.active_children()))
"""


def test_nothing_is_left_or_said_at_exit(path: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", SCRIPT, str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    pids = done.stdout.split()
    assert len(pids) == 2 and not any(Path("/proc", pid).exists() for pid in pids)


# What goes wrong


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError("no\nsuch chunk"), "Images could not be read: OSError: no such chunk"),
        (KeyError("x"), "Images could not be read: KeyError: 'x'"),
        (UserError("The disk is full."), "The disk is full."),
    ],
)
def test_what_a_process_cannot_read_is_said_in_one_sentence(
    workers: int, error: Exception, words: str, make: Make
) -> None:
    def fail() -> None:
        raise error

    poisoned = Poisoned(11, fail)
    loader = make(workers, data=DataSet("poisoned", poisoned))
    with pytest.raises(UserError) as caught:
        for _ in range(4):
            next(loader)
    assert str(caught.value) == words
    assert not processes()
    poisoned.number = -1  # mended, the loader goes on where it was
    before = loader.position
    next(loader)
    assert loader.position == before + 8


def test_a_killed_process_is_noticed_wherever_this_one_is_by_then(make: Make) -> None:
    """In a finaliser, for one, where what a signal's handler raises is lost."""
    loader, expected = make(), make(0)
    next(loader)

    class Killer:
        def __del__(self) -> None:
            pid = processes()[0].pid
            os.kill(pid, signal.SIGKILL)
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)

    Killer()
    with pytest.raises(UserError, match=r"reads images ended by SIGKILL\. If memory is short"):
        for _ in range(9):
            next(loader)
    assert not processes()
    expected.position = loader.position
    assert_same(next(loader), next(expected))


def test_a_process_that_exits_is_noticed(make: Make) -> None:
    loader = make(data=DataSet("exits", Poisoned(11, lambda: os._exit(3))))
    with pytest.raises(UserError, match="reads images ended with status 3"):
        for _ in range(9):
            next(loader)
    assert not processes()


def test_a_process_that_stands_still_is_given_up(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prefetch, "TIMEOUT", 0.5)
    loader = make(data=DataSet("slow", Poisoned(11, lambda: time.sleep(1000))))
    with pytest.raises(UserError, match=r"stood still for 0\.5 seconds"):
        for _ in range(9):
            next(loader)
    assert not processes()


@pytest.mark.filterwarnings("ignore:.*multi-threaded")  # as a session of workers is
def test_processes_end_with_a_parent_that_is_killed(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prefetch, "POLL", 0.05)
    pipe, other = multiprocessing.Pipe()

    def parent() -> None:
        next(make())
        other.send([p.pid for p in processes()])
        os.kill(os.getpid(), signal.SIGKILL)

    process = multiprocessing.get_context("fork").Process(target=parent)
    process.start()
    readers = pipe.recv()
    process.join()
    assert process.exitcode == -signal.SIGKILL and len(readers) == 2
    for _ in range(1000):
        if not any(map(runs, readers)):
            break
        time.sleep(0.05)
    assert not any(map(runs, readers))


def runs(pid: int) -> bool:
    """Whether a process that need not be a child's is there, and more than its exit status."""
    try:
        return Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_processes_outlive_the_signals_that_end_training(make: Make) -> None:
    """The trainer finishes its iteration, for which it may need batches."""
    loader, expected = make(), make(0)
    assert_same(next(loader), next(expected))
    before = {p.pid for p in processes()}
    for name in ("INT", "TERM"):  # from somebody else than their parent
        subprocess.run(["kill", "-s", name, *map(str, before)], check=True)
    for _ in range(12):
        assert_same(next(loader), next(expected))
    assert {p.pid for p in processes()} == before


@pytest.mark.parametrize(
    ("asked", "cores", "number"),
    [(None, 1, 1), (None, 5, 5), (None, 64, 8), (0, 5, 0), (12, 2, 12)],
)
def test_a_process_for_each_core_reads_unless_a_number_is_asked_for(
    asked: int | None, cores: int, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert loading.readers(asked, cores) == number
    monkeypatch.setattr(loading, "WORKERS", 0)  # as where forks are not safe
    assert loading.readers(asked, cores) == 0
