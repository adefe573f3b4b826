"""Captured updates, with a stand-in for CUDA graphs that records operations on the CPU."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor

from ganlib.contract.tape import record
from ganlib.speed.graph import KEPT, WARM_UP, CudaRecorder, Graphs

Make = Callable[..., Any]
SETTINGS: dict[str, Any] = {"ema_decay": 0.9, "lr_decay": "linear", "max_iter": 60}


def captured(updater: Any, say: Callable[[str], None] = pytest.fail) -> Any:
    updater.perform = Graphs(updater, record, say)
    return updater


def assert_equal(a: Any, b: Any) -> None:
    pairs = zip(a.state_dict().items(), b.state_dict().values(), strict=True)
    assert [name for (name, x), y in pairs if not torch.equal(x, y)] == []
    assert a.state()["positions"] == b.state()["positions"]


@pytest.mark.parametrize("name", ["dcgan", "wgan_gp", "sngan"])
def test_fifty_captured_iterations_are_fifty_eager_ones(name: str, make_updater: Make) -> None:
    """Bitwise, and across a resume into a fresh capture."""
    eager = make_updater(name, **SETTINGS)
    graphed = captured(make_updater(name, **SETTINGS))
    for k in range(50):
        if k == 25:
            file = io.BytesIO()
            torch.save(graphed.state(), file)
            file.seek(0)
            graphed = make_updater(name, **SETTINGS)
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
    for _ in range((WARM_UP + 1) * (KEPT + 1)):
        graphed.update()
    assert list(graphed.perform._graphs) == list(range(1, KEPT + 1))


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
    for _ in range((2 * WARM_UP + 2) * (KEPT + 2)):
        graphed.update()
    assert "often" in graphed.perform._graphs and len(graphed.perform._graphs) == KEPT


def test_on_a_gpu_a_later_phase_warms_up_in_the_memory_of_the_graphs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """But for what works outside of it; whatever is raised."""
    now: list[Any] = []

    @contextmanager
    def use_mem_pool(pool: Any) -> Iterator[None]:
        now.append(pool.id)
        yield
        now.pop()

    monkeypatch.setattr(torch.cuda, "use_mem_pool", use_mem_pool)
    recorder = CudaRecorder()
    with recorder.outside():
        assert now == []
    recorder._pool = (0, 7)
    with pytest.raises(ValueError, match="here"), recorder.warming():
        assert now == [(0, 7)] and not torch.autograd.is_multithreading_enabled()
        with recorder.outside():
            assert now == []
        with pytest.raises(KeyError), recorder.outside():
            raise KeyError
        assert now == [(0, 7)]
        raise ValueError("here")
    assert now == [] and torch.autograd.is_multithreading_enabled()
    with recorder.outside():
        assert now == []
    assert now == []
