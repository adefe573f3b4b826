"""Captured updates, with a stand-in for CUDA graphs that records operations on the CPU."""

import io
import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ganlib.common.errors import UnusableError
from ganlib.contract.tape import TapeRecorder, record
from ganlib.registry import add_plugins
from ganlib.speed.graph import GRAPHS, WARM_UP, CudaRecorder, Graphs

Make = Callable[..., Any]
SETTINGS: dict[str, Any] = {"ema_decay": 0.9, "lr_decay": "linear", "max_iter": 30}


def captured(updater: Any, say: Callable[[str], None] = pytest.fail) -> Any:
    updater.perform = Graphs(updater, record, say)
    return updater


def assert_equal(a: Any, b: Any) -> None:
    pairs = zip(a.state_dict().items(), b.state_dict().values(), strict=True)
    assert [name for (name, x), y in pairs if not torch.equal(x, y)] == []
    assert a.state()["positions"] == b.state()["positions"]


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("dcgan", {}),
        ("wgan_gp", {"n_dis": 2}),
        pytest.param("sngan", {"n_dis": 2}, marks=pytest.mark.slow),
    ],
)
def test_twenty_captured_iterations_are_twenty_eager_ones(
    name: str, settings: dict[str, Any], make_updater: Make
) -> None:
    """Bitwise, and across a resume into a fresh capture."""
    settings = {**SETTINGS, **settings}
    eager = make_updater(name, **settings)
    graphed = captured(make_updater(name, **settings))
    for k in range(20):
        if k == 10:
            file = io.BytesIO()
            torch.save(graphed.state(), file)
            file.seek(0)
            graphed = make_updater(name, **settings)
            graphed.load_state(torch.load(file, weights_only=True))
            graphed = captured(graphed)
        a, b = eager.update(), graphed.update()
        assert a.keys() == b.keys()
        assert all(torch.equal(a[key], b[key]) for key in a), k
    assert len(graphed.perform._graphs) == 1
    assert_equal(eager, graphed)


def test_every_phase_has_a_graph_of_its_own(make_updater: Make) -> None:
    """As WGAN's, whose critic takes more steps now and then."""

    def with_phases() -> Any:
        updater = make_updater("dcgan")
        core = updater.update_core
        updater.phase = lambda iteration: iteration % 3 == 0

        def update_core() -> dict[str, Tensor]:
            if updater.phase(updater.iteration):
                core()
            values: dict[str, Tensor] = core()
            return values

        updater.update_core = update_core
        return updater

    eager, graphed = with_phases(), captured(with_phases())
    for _ in range(16):
        eager.update()
        graphed.update()
    assert set(graphed.perform._graphs) == {False, True}
    assert_equal(eager, graphed)


def test_only_so_many_graphs_are_kept(make_updater: Make) -> None:
    graphed = captured(make_updater("dcgan"))
    graphed.phase = lambda iteration: iteration // (WARM_UP + 1)
    for _ in range((WARM_UP + 1) * (GRAPHS + 1)):
        graphed.update()
    assert list(graphed.perform._graphs) == list(range(1, GRAPHS + 1))


def test_accumulated_updates_are_captured_too(make_updater: Make) -> None:
    eager, graphed = make_updater("wgan_gp"), make_updater("wgan_gp")
    eager.split(2)
    graphed.split(2)
    captured(graphed)
    for _ in range(6):
        eager.update()
        graphed.update()
    assert_equal(eager, graphed)


def test_what_reads_a_value_stays_eager_and_says_so_once(make_updater: Make) -> None:
    def reading() -> Any:
        updater = make_updater("dcgan")
        core = updater.update_core

        def update_core() -> dict[str, Tensor]:
            values: dict[str, Tensor] = core()
            assert values["loss_dis"].item() > 0
            return values

        updater.update_core = update_core
        return updater

    said: list[str] = []
    eager, graphed = reading(), captured(reading(), said.append)
    for _ in range(8):
        eager.update()
        graphed.update()
    assert len(said) == 1 and "not captured" in said[0] and "value" in said[0]
    assert_equal(eager, graphed)


def test_a_python_number_in_an_update_would_be_found_out(make_updater: Make) -> None:
    """The stand-in can fail: a number worked out from the iteration stays as it was captured."""

    def counting() -> Any:
        updater = make_updater("dcgan")
        core = updater.update_core
        updater.update_core = lambda: {**core(), "k": updater.clock * 0 + updater.iteration}
        return updater

    eager, graphed = counting(), captured(counting())
    for _ in range(WARM_UP + 2):
        a, b = eager.update(), graphed.update()
    assert int(a["k"]) == WARM_UP + 1 and int(b["k"]) == WARM_UP


def test_a_number_in_torch_where_would_be_found_out(make_updater: Make) -> None:
    """On a GPU it is a copy from the host, which waits; on a CPU nobody notices."""
    updater, said = make_updater("dcgan"), []
    core = updater.update_core

    def update_core() -> dict[str, Tensor]:
        values: dict[str, Tensor] = core()
        return values | {"k": torch.where(values["loss_dis"] > 0, 1.0, values["loss_gen"])}

    updater.update_core = update_core
    captured(updater, said.append)
    for _ in range(WARM_UP + 1):
        updater.update()
    assert len(said) == 1 and "would wait" in said[0]


def test_what_was_used_last_is_kept(make_updater: Make) -> None:
    """Phases that come in every cycle keep their graphs while others come and go."""
    graphed = captured(make_updater("dcgan"))
    graphed.phase = lambda k: "often" if k % 2 else k // (2 * WARM_UP + 2)
    for _ in range((2 * WARM_UP + 2) * (GRAPHS + 2)):
        graphed.update()
    assert "often" in graphed.perform._graphs and len(graphed.perform._graphs) == GRAPHS


class Stream:
    """Of a GPU, which only tells what it waits for."""

    def __init__(self, device: Any, log: list[Any]) -> None:
        self.device, self.log = torch.device(device), log

    def wait_stream(self, other: Any) -> None:
        self.log.append((other, self))


class Gpu:
    """torch.cuda without a GPU: where work would run, in which memory, what is captured.

    broken: the RuntimeError of a capture's end. log: which stream was waited for, and by which.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.log: list[Any] = []
        self.broken = ""
        self.pools: list[Any] = []
        self.default = self.now = Stream("cuda:1", self.log)
        self.captures: list[Any] = []
        gpu = self

        class Graph:
            def register_generator_state(self, random: Any) -> None:
                pass

            def pool(self) -> Any:
                return 0, 7

            def replay(self) -> None:
                gpu.captures.append("replay")

        @contextmanager
        def stream(one: Any) -> Iterator[None]:
            before, gpu.now = gpu.now, one
            yield
            gpu.now = before

        class Capture:
            def __init__(self, graph: Any, pool: Any, stream: Any, **rest: Any) -> None:
                assert rest == {"capture_error_mode": "thread_local"}
                gpu.captures.append((pool, stream))

            def __enter__(self) -> None:
                pass

            def __exit__(self, *args: Any) -> None:
                if gpu.broken:
                    raise RuntimeError(gpu.broken)

        @contextmanager
        def use_mem_pool(pool: Any, device: Any) -> Iterator[None]:
            assert device == torch.device("cuda:1")
            gpu.pools.append(pool.id)
            try:
                yield
            finally:
                gpu.pools.pop()

        for name, stand_in in {
            "Stream": lambda device: Stream(device, self.log),
            "stream": stream,
            "current_stream": lambda device: gpu.now,
            "CUDAGraph": Graph,
            "graph": Capture,
            "use_mem_pool": use_mem_pool,
            "empty_cache": lambda: None,
        }.items():
            monkeypatch.setattr(torch.cuda, name, stand_in)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Gpu:
    return Gpu(monkeypatch)


def test_on_a_gpu_a_later_phase_warms_up_in_the_memory_of_the_graphs(gpu: Gpu) -> None:
    """But for what works outside of it; whatever is raised."""
    recorder = CudaRecorder(torch.device("cuda:1"))
    with recorder.own_memory():
        assert gpu.pools == []
    recorder._pool = (0, 7)
    with pytest.raises(ValueError, match="here"), recorder.warm_up():
        assert gpu.pools == [(0, 7)]
        with recorder.own_memory():
            assert gpu.pools == []
        with pytest.raises(KeyError), recorder.own_memory():
            raise KeyError
        assert gpu.pools == [(0, 7)]
        raise ValueError("here")
    assert gpu.pools == []
    with recorder.own_memory():
        assert gpu.pools == []
    assert gpu.pools == []


def test_captures_and_their_warm_up_are_in_a_stream_of_the_gpu_that_trains(gpu: Gpu) -> None:
    """Of the first GPU that a process uses PyTorch makes its own, for all."""
    recorder = CudaRecorder(torch.device("cuda:1"))
    own = recorder._stream
    assert own.device == torch.device("cuda:1") and own is not gpu.default
    for context in (recorder.side_stream, recorder.warm_up):
        gpu.log.clear()
        with context():
            assert gpu.now is own
            assert gpu.log == [(gpu.default, own)]
        assert gpu.now is gpu.default
        assert gpu.log == [(gpu.default, own), (own, gpu.default)]
    for _ in range(2):
        recorder(dict, torch.Generator())
    assert gpu.captures == [(None, own), ((0, 7), own)]


def test_the_first_iterations_warm_up_in_a_side_stream(make_updater: Make, gpu: Gpu) -> None:
    updater, seen = make_updater("dcgan"), []
    updater.perform = Graphs(updater, CudaRecorder(torch.device("cuda:1")), pytest.fail)
    core = updater.update_core
    updater.update_core = lambda: (seen.append(gpu.now), core())[1]
    for _ in range(WARM_UP):
        updater.update()
    assert seen == WARM_UP * [updater.perform.record._stream]


def test_kernels_are_chosen_in_the_thread_that_captures_them(make_updater: Make, gpu: Gpu) -> None:
    """In both phases' warm-up and capture: autograd's own threads know other choices."""
    updater, seen = make_updater("dcgan"), []
    updater.perform = Graphs(updater, CudaRecorder(torch.device("cuda:1")), pytest.fail)
    updater.phase = lambda iteration: iteration > WARM_UP
    core = updater.update_core
    among_threads = torch.autograd.is_multithreading_enabled
    updater.update_core = lambda: (seen.append(among_threads()), core())[1]
    for _ in range(2 * (WARM_UP + 1)):
        updater.update()
    assert seen == 2 * (WARM_UP + 1) * [False] and among_threads()


def test_a_capture_that_ends_in_good_order_says_why_it_failed(gpu: Gpu) -> None:
    recorder = CudaRecorder(torch.device("cuda:1"))
    held: list[Any] = []

    def body() -> Any:
        memory = torch.empty(3)
        held.append(weakref.ref(memory))
        raise RuntimeError("the value of a tensor was read")

    with pytest.raises(RuntimeError, match="value of a tensor") as raised:
        recorder(body, torch.Generator())
    # the frames that hold what was made are gone by then
    assert held[0]() is None and raised.value.__context__ is None


READING = """\
from ganlib import Algorithm
from ganlib.dcgan import ALGORITHM as LIKE


class Updater(LIKE.updater):
    def update_core(self):
        values = super().update_core()
        if values["loss_gen"] > 0:
            return values
        return values


ALGORITHM = Algorithm(config=LIKE.config, build=LIKE.build, updater=Updater)
"""


@pytest.mark.usefixtures("plugins")
def test_a_reason_names_the_line_of_the_method(make_updater: Make, tmp_path: Path) -> None:
    (tmp_path / "reading").mkdir()
    (tmp_path / "reading" / "__init__.py").write_text(READING)
    add_plugins(tmp_path)
    said: list[str] = []
    updater = captured(make_updater("reading"), said.append)
    for _ in range(WARM_UP + 1):
        updater.update()
    (line,) = said
    assert line.endswith("reads the value of a tensor (reading/__init__.py:8)")


@pytest.mark.parametrize("first", [RuntimeError, ValueError])
def test_a_capture_that_does_not_end_ends_the_run_with_the_first_reason(
    first: type[Exception], gpu: Gpu, make_updater: Make
) -> None:
    """What PyTorch then says is a consequence."""
    recorder = CudaRecorder(torch.device("cuda:1"))
    gpu.broken = "operation failed due to a previous error during capture"

    def body() -> Any:
        raise first("operation not permitted when stream is capturing")

    with pytest.raises(UnusableError, match="not permitted when stream .* --no-graph"):
        recorder(body, torch.Generator())
    with pytest.raises(UnusableError, match="previous error"):
        recorder(dict, torch.Generator())
    updater = make_updater("dcgan")
    updater.perform = Graphs(updater, recorder, pytest.fail)
    for _ in range(WARM_UP):
        updater.update()
    with pytest.raises(UnusableError):
        updater.update()


def test_what_is_no_error_of_pytorchs_is_not_taken_for_one(make_updater: Make) -> None:
    class Mistaken(TapeRecorder):
        def __call__(self, *args: Any) -> Any:
            raise TypeError("a mistake")

    updater = make_updater("dcgan")
    updater.perform = Graphs(updater, Mistaken(), pytest.fail)
    for _ in range(WARM_UP):
        updater.update()
    with pytest.raises(TypeError, match="a mistake"):
        updater.update()


def test_an_iteration_after_a_failed_capture_has_the_memory_to_itself(make_updater: Make) -> None:
    """It runs where no error is handled, whose frames hold the iteration that failed."""

    class Refusing(TapeRecorder):
        def __call__(self, *args: Any) -> Any:
            raise RuntimeError("no")

    updater, handled, said = make_updater("dcgan"), [], []
    updater.perform = Graphs(updater, Refusing(), said.append)
    core = updater.update_core
    updater.update_core = lambda: (handled.append(sys.exc_info()[1]), core())[1]
    for _ in range(WARM_UP + 2):
        updater.update()
    assert said and handled == (WARM_UP + 2) * [None]
