"""Two processes on the CPU (gloo): what they compute together, and how a job ends."""

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from two_ranks import started, two_ranks

import ganlib
from ganlib.__main__ import _complain
from ganlib.common.errors import StoppedError, UserError
from ganlib.training.device import ranks
from ganlib.training.device.devices import own_gpu, pick_device
from ganlib.training.snapshot import newest_snapshot, read_snapshot

ROOT = Path(ganlib.__file__).parents[1]
SMALL = ["--width=0.1", "--batch-size=8", "--display-interval=2", "--sample-interval=0", "-g", "-1"]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """What rank_worker.py prints, run as two ranks."""
    meeting = tmp_path_factory.mktemp("ranks") / "meeting"
    return two_ranks(Path(__file__).with_name("rank_worker.py"), meeting)


@pytest.mark.parametrize(
    "case",
    [
        "wgan_gp, two ranks",
        "wgan_gp, two ranks of two passes",
    ],
)
def test_two_ranks_are_one_process(case: str, results: dict[str, float]) -> None:
    """In float64, weights, buffers and logged values after two iterations of five steps each."""
    assert results[case] < 1e-10


def test_with_synchronized_statistics_so_are_networks_with_them(results: dict[str, float]) -> None:
    """Less exactly: a bias before a normalisation has a gradient of rounding errors alone, and
    Adam divides it by its size.
    """
    assert results["dcgan, --sync-bn"] < 1e-7


def test_blocks_that_are_computed_twice_meet_twice(results: dict[str, float]) -> None:
    assert results["dcgan, --sync-bn --checkpoint-blocks"] == 0


def test_statistics_of_a_share_are_not_those_of_the_batch(results: dict[str, float]) -> None:
    """So the equality above shows something."""
    assert results["dcgan, without --sync-bn"] > 1e-5


def test_averaged_gradients_in_float32(results: dict[str, float]) -> None:
    assert results["first gradients, float32"] < 1e-5


def test_ranks_stay_bitwise_equal(results: dict[str, float]) -> None:
    assert [k for k, v in results.items() if k.endswith("ranks differ") and v] == []


def test_all_ranks_compile_if_the_first_one_does(results: dict[str, float]) -> None:
    assert results["compile where only rank 0 would"] == 2
    assert results["compile where only rank 0 would not"] == 0


def test_what_one_rank_says_all_hear(results: dict[str, float]) -> None:
    assert results["agreement"] == 1


def test_what_the_first_does_alone_is_done_when_the_others_come(results: dict[str, float]) -> None:
    assert results["first alone"] == 1


def test_alone_everything_is_as_it_is() -> None:
    values = [torch.tensor(3.0)]
    ranks.mean_(values)
    ranks.broadcast_(values)
    ranks.wait()
    assert values[0] == 3 and ranks.from_first("x") == "x"
    assert ranks.Agreement()("stop", 9) == ("stop", 9)
    assert (ranks.rank(), ranks.count()) == (0, 1)


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """What goes out to a second rank, which has the same as this one."""
    sent: list[torch.Tensor] = []

    def all_reduce(flat: torch.Tensor) -> None:
        sent.append(flat.clone())
        flat += flat.clone()

    monkeypatch.setattr(ranks, "count", lambda: 2)
    monkeypatch.setattr(torch.distributed, "all_reduce", all_reduce)
    return sent


def test_a_step_is_one_message(messages: list[torch.Tensor], make_updater: Any) -> None:
    """Of its losses and all gradients; what is logged, and buffers, are one more in an update."""
    updater = make_updater("wgan_gp", batch_size=8, n_dis=3)
    updater.split(1)
    logged = updater.update()
    dis, gen = (sum(p.numel() for p in net.parameters()) for net in (updater.dis, updater.gen))
    averaged = sum(b.numel() for b in updater._shared().averaged)
    sizes = [*3 * [1 + dis], 1 + gen, len(logged) + averaged]
    assert [len(message) for message in messages] == sizes


def test_a_mean_is_one_message_for_each_dtype(messages: list[torch.Tensor]) -> None:
    wide = torch.randn(2, 3, 4, 5)
    values = [wide.to(memory_format=torch.channels_last), torch.randn(3).double(), torch.randn(())]
    before = [t.clone() for t in values]
    ranks.mean_(values)
    single, double = messages
    assert single.dtype == torch.float32 and len(single) == 120 + 1 and len(double) == 3
    assert all(map(torch.equal, values, before))
    assert values[0].stride() == before[0].stride()


def torchrun(n: int, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", str(n), str(ROOT / "train.py"), *arguments]
    base = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    return subprocess.run(command, env=base, capture_output=True, text=True, timeout=600)


def state(out: Path) -> dict[str, Any]:
    return dict(read_snapshot(newest_snapshot(out))["updater"])


def test_a_job_of_two_ranks_leaves_one_run(toy_file: Path, tmp_path: Path) -> None:
    """One writer; and a snapshot of two ranks goes on alone."""
    out = tmp_path / "run"
    given = ["-a", "wgan_gp", "--dataset", str(toy_file), *SMALL, "--evaluation-interval=0"]
    done = torchrun(2, *given, "--out", str(out), "--max-iter=6")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [line["iteration"] for line in lines] == [2, 4, 6]
    assert lines[-1]["images"] == 6 * 5 * 8
    assert done.stderr.count("Training wgan_gp") == 1
    assert "terminate called" not in done.stderr
    assert (out / "DONE").exists() and len(list((out / "snapshots").glob("*.pt"))) == 1
    model = ganlib.train(resume=str(out), max_iter=8)
    assert model.updater.iteration == 8 and model.updater.images == 8 * 5 * 8


@pytest.mark.slow
def test_a_rank_that_dies_ends_the_job_with_its_message(toy_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "plugins" / "dies"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(
        '"""Dies.\n\nhttps://example.org\n"""\n'
        "from ganlib.dcgan import ALGORITHM as base\n"
        "from ganlib.registry import Algorithm\n"
        "from .updater import Updater\n"
        "ALGORITHM = Algorithm(config=base.config, build=base.build, updater=Updater)\n"
    )
    (folder / "updater.py").write_text(
        "from ganlib.training.device import ranks\n"
        "from ganlib.dcgan.updater import Updater as Base\n"
        "class Updater(Base):\n"
        "    def update_core(self):\n"
        "        if self.iteration == 3 and ranks.rank() == 1:\n"
        "            raise ValueError('the disk of rank 1 is full')\n"
        "        return super().update_core()\n"
    )
    given = ["-a", "dies", "--plugin-dir", str(folder.parent), "--dataset", str(toy_file), *SMALL]
    done = torchrun(2, *given, "--out", str(tmp_path / "run"), "--max-iter=100000")
    assert done.returncode != 0 and "the disk of rank 1 is full" in done.stderr
    assert "gloo" not in done.stderr and done.stderr.count("Traceback (most") <= 2  # torchrun's too


@pytest.mark.slow
def test_all_ranks_have_the_same_bad_input_and_say_it_once(tmp_path: Path) -> None:
    given = ["-a", "dcgan", "--lam=3", "--out", str(tmp_path / "run")]
    done = torchrun(2, *given)
    assert done.returncode != 0
    assert done.stderr.count("dcgan has no setting 'lam'") == 1


@pytest.mark.usefixtures("usual_signals")
def test_the_first_that_comes_says_what_all_have_to_say(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """However late another is."""
    kept = keeper()

    def complain(rank: int, words: str) -> str:
        monkeypatch.setenv("RANK", str(rank))
        _complain("Error", words)
        return capsys.readouterr().err

    monkeypatch.setenv("WORLD_SIZE", "2")
    assert complain(0, "no such file") == complain(0, "no such file") == "Error: no such file\n"
    monkeypatch.setenv("TORCHELASTIC_USE_AGENT_STORE", "True")
    monkeypatch.setenv("MASTER_ADDR", "localhost")
    monkeypatch.setenv("MASTER_PORT", str(kept.port))
    assert complain(1, "no such file") == "Error on rank 1: no such file\n"
    assert complain(0, "no such file") == ""
    assert complain(0, "another") == "Error: another\n"


@pytest.mark.parametrize(
    ("seen", "rank", "processes", "own"),
    [(8, 3, 8, 3), (8, 3, 4, 3), (1, 3, 4, 0), (1, 0, 1, 0), (0, 3, 4, 3), (4, 2, None, 2)],
)
def test_a_process_has_its_own_gpu_of_those_that_it_sees(
    seen: int, rank: int, processes: int | None, own: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under SLURM each may see one alone, by the number 0."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: seen)
    monkeypatch.setenv("LOCAL_RANK", str(rank))
    if processes is not None:
        monkeypatch.setenv("LOCAL_WORLD_SIZE", str(processes))
    assert own_gpu() == own


@pytest.mark.parametrize(("rank", "processes"), [(0, 4), (1, 4), (3, None)])
def test_processes_do_not_share_a_gpu(
    rank: int, processes: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("LOCAL_RANK", str(rank))
    if processes is not None:
        monkeypatch.setenv("LOCAL_WORLD_SIZE", str(processes))
    for device in (None, "cuda"):
        with pytest.raises(UserError, match="4 processes on one machine see 2 GPUs.*start 2 of"):
            pick_device(None, device)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What two ranks share, of which this process is one."""
    shared = torch.distributed.HashStore()
    module = torch.distributed.distributed_c10d
    monkeypatch.setattr(module, "_get_default_store", lambda: shared)
    monkeypatch.setattr(ranks, "count", lambda: 2)
    monkeypatch.setattr(ranks, "_turns", itertools.count())
    return shared


def keeper() -> torch.distributed.TCPStore:
    """As torchrun has one."""
    return torch.distributed.TCPStore("localhost", 0, is_master=True, wait_for_workers=False)


def test_a_rank_that_waits_for_a_lost_one_ends_with_the_sentence() -> None:
    """Nobody else ends it: here it would wait for minutes, and at a captured message for ever."""
    kept = keeper()
    where = {"MASTER_ADDR": "localhost", "MASTER_PORT": str(kept.port)}
    where["TORCHELASTIC_USE_AGENT_STORE"] = "True"
    worker = Path(__file__).with_name("lost_worker.py")
    first, second = started(worker, **where)
    with first, second:
        try:
            errors = second.communicate(timeout=120)[1]
        finally:
            first.kill()
            second.kill()
    assert (first.returncode, second.returncode) == (-signal.SIGKILL, 1), errors
    assert errors.endswith(f"Stopped on rank 1: {ranks.LOST}\n"), errors


@pytest.fixture
def beats(store: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What rank 0 sees of rank 1, beat by beat, until it ends or the beats are over."""
    monkeypatch.setattr(ranks, "rank", lambda: 0)
    monkeypatch.setattr(ranks, "SILENT", 3)

    class EndedError(Exception):
        pass

    def end(status: int) -> None:
        raise EndedError

    def watch(*shown: Any, well: bool = False) -> int | None:
        """After how many beats it ends; None if it does not. None shows nothing."""
        left = iter(shown)
        done = [0]

        def show() -> bool:
            value = next(left, "over")
            if value == "over":
                return True
            if value is not None:
                store.set("alive/1", value)
            done[0] += 1
            return False

        over = SimpleNamespace(wait=lambda seconds: show())
        event = SimpleNamespace(is_set=lambda: well)
        try:
            ranks._watch(over, event)  # type: ignore[arg-type]
        except EndedError:
            return done[0]
        return None

    monkeypatch.setattr(ranks.os, "_exit", end)
    return watch


def test_a_rank_that_shows_itself_now_and_then_is_not_lost(beats: Any, store: Any) -> None:
    assert beats("1", None, None, "2", None, None, "3", None, well=True) is None
    assert store.get("alive/0") == ranks.LEFT and not store.check(["lost"])


def test_a_rank_that_is_silent_is_lost_and_all_are_told(
    beats: Any, store: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert beats("1", None, None, None, None, "2") == 5
    assert store.check(["lost"]) and store.get("alive/0") != ranks.LEFT
    assert capsys.readouterr().err == f"Stopped on rank 0: {ranks.LOST}\n"


def test_a_rank_that_never_came_is_lost(beats: Any) -> None:
    assert beats(*9 * [None]) == 3


def test_a_rank_that_ended_well_is_not_missed(beats: Any) -> None:
    assert beats("1", ranks.LEFT.decode(), *9 * [None]) is None


def test_what_one_has_found_ends_all(beats: Any, store: Any) -> None:
    store.set("lost", "5")
    assert beats("1", "2") == 0


def test_a_store_that_is_gone_is_silent(beats: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> bool:
        raise torch.distributed.DistNetworkError("connection reset by peer")

    gone = SimpleNamespace(clone=lambda: SimpleNamespace(set=refuse, check=refuse))
    monkeypatch.setattr(torch.distributed.distributed_c10d, "_get_default_store", lambda: gone)
    assert beats(*9 * ["1"]) == 3


def test_a_store_that_never_answers_is_gone(beats: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As that of a machine without power."""
    ended = threading.Event()
    silent = SimpleNamespace(set=lambda *_: ended.wait(20), check=lambda _: False)
    module = torch.distributed.distributed_c10d
    monkeypatch.setattr(module, "_get_default_store", lambda: SimpleNamespace(clone=lambda: silent))
    monkeypatch.setattr(ranks, "BEAT", 0.01)
    monkeypatch.setattr(ranks, "_end", ended.set)
    beats("1")
    assert ended.is_set()


def test_who_is_lost_is_missed_within_half_a_minute() -> None:
    """All beats of who waits, one before them and one until all others have heard."""
    assert (1 + ranks.SILENT + 1 + 1) * ranks.BEAT < 30


def test_a_gpu_is_not_named_for_several_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match="leave --gpu out"):
        pick_device(0, None)


def test_others_wait_for_what_the_first_does_alone_by_no_collective(
    store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose time-out is for ranks that are lost; a download may take longer."""
    monkeypatch.setattr(ranks, "rank", lambda: 1)
    monkeypatch.setattr(torch.distributed, "barrier", pytest.fail)
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 5000:  # a quarter of an hour
            store.set("alone/0", "done")

    monkeypatch.setattr(ranks.time, "sleep", sleep)
    with ranks.first_alone():
        assert sum(waited) > ranks.PATIENCE.total_seconds()
    assert len(waited) == 5000


def test_others_come_after_the_first_whatever_became_of_it(
    store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They say the same of the same bad input, in place of waiting."""
    monkeypatch.setattr(ranks, "rank", lambda: 0)
    with pytest.raises(UserError), ranks.first_alone():
        assert not store.check(["alone/0"])
        raise UserError("no such file")
    with ranks.first_alone():
        assert store.check(["alone/0"]) and not store.check(["alone/1"])
    assert store.check(["alone/1"])


def test_a_first_rank_that_is_gone_is_a_loss(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def check(words: list[str]) -> bool:
        raise torch.distributed.DistNetworkError("connection reset by peer")

    monkeypatch.setattr(ranks, "rank", lambda: 1)
    lost = SimpleNamespace(check=check)
    monkeypatch.setattr(torch.distributed.distributed_c10d, "_get_default_store", lambda: lost)
    monkeypatch.setattr(ranks, "start", lambda device: None)
    monkeypatch.setattr(ranks, "_watch", lambda *_: None)
    refused = pytest.raises(StoppedError, match="Another process")
    with refused, ranks.joined(torch.device("cpu")), ranks.first_alone():
        pass
