"""What not every iteration does, by the small method that regularises lazily."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.optim import SGD, Adam, Optimizer, RMSprop
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

from ganlib import updater
from ganlib.contract.fixtures import small_updater
from ganlib.contract.tape import TapeRecorder, prepare, tensors
from ganlib.contract.test_contract import assert_same
from ganlib.speed.compiled import compile_update
from ganlib.speed.graph import WARM_UP, Graphs

MAKERS = {
    "adam": lambda p: Adam(p, 0.01, fused=True),
    "rmsprop": lambda p: RMSprop(p, 0.01),
    "sgd": lambda p: SGD(p, 0.01, momentum=0.9, fused=True),
}


class Births(TorchDispatchMode):
    """The memory that operations in it made."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[StorageWeakRef] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = memory_of([args, kwargs])
        result = func(*args, **(kwargs or {}))
        self.made += [ref for t in tensors(result) if (ref := refer(t)).cdata not in given]
        return result

    def alive(self) -> set[int]:
        gc.collect()
        return {ref.cdata for ref in self.made if not ref.expired()}


def refer(t: Tensor) -> StorageWeakRef:
    return StorageWeakRef(t.untyped_storage())


def memory_of(tree: Any) -> set[int]:
    return {t.untyped_storage()._cdata for t in tensors(tree)}


class Watching(TapeRecorder):
    """Watches what is made while a phase warms up in the memory of graphs. warmed: how much was,
    each time; drawn: how many batches came meanwhile.
    """

    def __init__(self) -> None:
        self.warmed: list[int] = []
        self.births: Births | None = None
        self.drawn = 0

    @contextmanager
    def warm_up(self) -> Iterator[None]:
        self.births = Births()
        with self.births:
            yield
        self.warmed.append(len(self.births.made))

    @contextmanager
    def own_memory(self) -> Iterator[None]:
        self.drawn += 1
        with _disable_current_modes():
            yield


class Late(updater.Updater):
    """In every eighth iteration also trains another network, and draws labels and batches of a
    stream that others do not.
    """

    def setup(self) -> None:
        self.late = nn.Linear(1, 1)

    def optimizers(self) -> dict[str, Optimizer]:
        return {
            name: MAKERS[self.maker](network.parameters()) for name, network in self.trained.items()
        }

    def phase(self, iteration: int) -> bool:
        return iteration % 8 == 7

    def update_core(self) -> dict[str, Tensor]:
        x, _ = next(self.data)
        loss = self.dis(self.gen(self.hidden(len(x)))).mean()
        self.step(gen=loss)
        if not self.phase(self.iteration):
            return {"loss": loss}
        x, _ = next(self.stream("late"))
        labels = self.labels(len(x)).to(x)
        late = self.late(labels[:, None] * x.mean()).square().mean()
        self.step(late=late)
        return {"loss": loss, "late": late}


def late(kind: str) -> Any:
    like = small_updater("lazily", batch_size=12, ema_decay=0.9)
    torch.manual_seed(0)
    made = type("Late", (Late,), {"maker": kind})
    return made(like.config, like.data, like.spec, {"gen": like.gen, "dis": like.dis})


def test_three_phases_in_a_cycle_of_sixteen_are_captured_once_each() -> None:
    settings = {"r1_every": 16, "path_every": 4, "ema_decay": 0.9}
    eager, graphed = (small_updater("lazily", **settings) for _ in range(2))
    recorder = Watching()
    graphed.perform = Graphs(graphed, recorder, pytest.fail)
    captures = []
    for k in range(68):
        before = set(graphed.perform._graphs)
        assert_same(eager.update(), graphed.update())
        captures += [k for _ in set(graphed.perform._graphs) - before]
    assert_same(eager.state(), graphed.state())
    # (R1, path): neither in 1, 2, 3; path in 4, 8, 12; both in 0, 16, 32
    assert captures == [5, 20, 48]
    assert len(recorder.warmed) == 2 + 2 and all(recorder.warmed)


@pytest.mark.parametrize(
    "maker", [pytest.param(m, marks=() if m == "adam" else pytest.mark.slow) for m in MAKERS]
)
def test_nothing_that_lasts_is_made_while_a_later_phase_warms_up(
    maker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A graph would write over it: it is in the graphs' memory."""
    eager, graphed = late(maker), late(maker)
    prepare(monkeypatch, eager, graphed)
    recorder = Watching()
    graphed.perform = Graphs(graphed, recorder, pytest.fail)
    for _ in range(8 * WARM_UP + 8):
        warmed, drawn = len(recorder.warmed), recorder.drawn
        assert_same(eager.update(), graphed.update())
        if len(recorder.warmed) > warmed:
            assert recorder.births is not None and recorder.drawn == drawn + 2
            # rates and whether all was finite are written anew by each step, and never read before
            optimizers: list[Any] = list(graphed.optimizer.values())
            rates = [[group["lr"] for group in o.param_groups] for o in optimizers]
            last = [rates, [getattr(o, "found_inf", None) for o in optimizers]]
            assert recorder.births.alive() <= memory_of(last)
    assert len(recorder.warmed) == WARM_UP and len(graphed.perform._graphs) == 2
    assert_same(eager.state(), graphed.state())


def test_what_is_compiled_meanwhile_stays_out_of_the_graphs_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It may keep constants."""
    monkeypatch.setattr(torch, "compile", lambda function, **_: function)
    graphed, recorder = late("adam"), Watching()
    graphed.perform = Graphs(graphed, recorder, pytest.fail)
    compile_update(graphed, pytest.fail)
    for _ in range(8):
        graphed.update()
    assert len(graphed.perform._graphs) == 1 and not recorder.warmed


def test_what_is_differentiated_twice_outside_of_a_loss_is_not_compiled() -> None:
    """torch.compile cannot; a phase shows it in its first iteration, here in 2 and 4."""
    settings = {"r1_every": 4, "path_every": 2}
    eager, compiled = (small_updater("lazily", **settings) for _ in range(2))
    eager.iteration = compiled.iteration = 1
    said: list[str] = []
    compile_update(compiled, said.append, "aot_eager")
    for _ in range(4):
        torch.testing.assert_close(eager.update(), compiled.update())
    assert [text.split()[0] for text in said] == ["gen.forward", "dis.forward"]
    assert all("differentiated" in text for text in said)
    torch._dynamo.reset()


def test_what_lasts_would_be_found() -> None:
    births, kept = Births(), []
    x = torch.ones(2)
    with births:
        x.add_(1)
        kept.append((x * 2).view(1, 2))
        x * 3
    assert len(births.made) == 2 and births.alive() == memory_of(kept)
