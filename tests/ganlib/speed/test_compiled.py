"""Compiled updates: traced whole and differentiated twice for all; by the real compiler in the slow
suite.
"""

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from ganlib.registry import algorithms
from ganlib.speed.bench import Flops
from ganlib.speed.compiled import (
    AFTER,
    SECONDS,
    Trial,
    cache_folder,
    compile_update,
    is_compiled,
    repays,
    restore_update,
)
from ganlib.speed.graph import WARM_UP
from ganlib.training.update.streams import Stage

Make = Callable[..., Any]


class Work(Flops):
    """Counts all but what gradients take, and of that what is done within a function that
    `compiled` gives, as torch.compile would.
    """

    def __init__(self) -> None:
        super().__init__()
        self.inside = self.depth = 0

    def compiled(self, function: Callable[..., Any], **_: Any) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            self.depth += 1
            try:
                return function(*args, **kwargs)
            finally:
                self.depth -= 1

        return run

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        before = self.total
        result = super().__torch_dispatch__(func, types, args, kwargs)
        if torch._C._current_graph_task_id() >= 0:  # in a gradient
            self.total = before
        self.inside += self.total - before if self.depth else 0
        return result


def share_compiled(updater: Any, monkeypatch: pytest.MonkeyPatch) -> float:
    """Of the forward work of an update, after those in which passes are watched."""
    work = Work()
    monkeypatch.setattr(torch, "compile", work.compiled)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: work.depth > 0)
    compile_update(updater, pytest.fail)
    for _ in range(3):
        updater.update()
    with work:
        updater.update()
    return work.inside / work.total


@pytest.mark.parametrize(
    "name", ["pgn", *(pytest.param(name, marks=pytest.mark.slow) for name in algorithms.names())]
)
def test_forward_work_is_compiled(
    name: str, make_updater: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert share_compiled(make_updater(name), monkeypatch) > 0.99


def first_update(updater: Any) -> tuple[dict[str, Tensor], list[Tensor]]:
    """The values of the first update, and the gradients of every step in it and in later ones."""
    gradients: list[Tensor] = []
    for optimizer in updater.optimizer.values():
        optimizer.register_step_pre_hook(
            lambda o, *_: gradients.extend(
                p.grad.clone() for p in o.param_groups[0]["params"] if p.grad is not None
            )
        )
    return updater.update(), gradients


def compare(name: str, make_updater: Make, backend: str) -> None:
    torch._dynamo.reset()
    eager, compiled = make_updater(name), make_updater(name)
    compile_update(compiled, pytest.fail, backend)
    (a, of_eager), (b, of_compiled) = first_update(eager), first_update(compiled)
    torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)
    # in the second one, from one state, passes outside of losses are compiled too
    compiled.load_state(deepcopy(eager.state()))
    torch.testing.assert_close(eager.update(), compiled.update(), rtol=1e-4, atol=1e-6)
    assert list(eager.state_dict()) == list(compiled.state_dict())
    # all together: the gradient of a bias before a normalisation is rounding errors alone
    x, y = (torch.cat([g.flatten() for g in of]) for of in (of_eager, of_compiled))
    assert float((x - y).norm()) <= 1e-4 * float(x.norm())
    # Adam makes a step of these errors, which a running mean follows
    buffers = (dict(updater.named_buffers()) for updater in (eager, compiled))
    torch.testing.assert_close(*buffers, rtol=1e-3, atol=2e-3)
    torch._dynamo.reset()


@pytest.mark.slow
def test_a_penalty_is_differentiated_twice_inside(make_updater: Make) -> None:
    compare("wgan_gp", make_updater, "aot_eager")


@pytest.mark.slow
@pytest.mark.parametrize("name", algorithms.names())
def test_every_loss_and_pass_is_one_graph(name: str, make_updater: Make) -> None:
    compare(name, make_updater, "aot_eager")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's compiler uses torch.jit
@pytest.mark.parametrize("name", ["dcgan", "wgan_gp", "sngan"])
def test_compiled_code_computes_the_same(name: str, make_updater: Make) -> None:
    # float64, as float32's roundings decide on which side of a kink an activation is
    compare(name, partial(make_updater, dtype=torch.float64), "inductor")


def test_what_cannot_be_compiled_stays_eager_and_says_so(make_updater: Make) -> None:
    updater, said = make_updater("dcgan"), []
    eager = updater.loss_gen

    def reading(x_fake: Tensor) -> Tensor:
        loss: Tensor = eager(x_fake)
        return loss * (1 if loss.item() > 0 else 2)

    updater.loss_gen = reading
    compile_update(updater, said.append, "aot_eager")
    other = make_updater("dcgan")
    a, b = other.update(), updater.update()
    assert len(said) == 1 and said[0].startswith("loss_gen is not compiled")
    torch.testing.assert_close(a["loss_gen"], b["loss_gen"], rtol=1e-4, atol=1e-6)
    updater.update()
    assert len(said) == 1
    torch._dynamo.reset()


def test_compiling_is_for_runs_that_repay_it() -> None:
    assert repays(0.1, 100_000) and not repays(0.1, 1000)
    assert repays(0.05, int(SECONDS / 0.05 / 0.3) + 1)


class Clock:
    """time.monotonic() of a machine on which a graph's iteration takes `graph` seconds."""

    def __init__(self, graph: float, eager: float) -> None:
        self.now, self.graph, self.eager = 0.0, graph, eager

    def monotonic(self) -> float:
        return self.now


def traced(updater: Any, clock: Clock) -> Callable[[], Any]:
    """What makes the work of an updater: eager iterations first, faster ones afterwards."""

    def make() -> Any:
        done = [0]

        def work() -> Any:
            done[0] += 1
            clock.now += clock.eager if done[0] <= WARM_UP else clock.graph
            return updater.iterate()

        return work

    return make


@pytest.mark.parametrize(("graph", "compiled"), [(0.01, False), (0.1, True)])
def test_a_trial_decides_once_by_the_time_of_what_is_captured(
    graph: float, compiled: bool, make_updater: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of which launches are no part any more."""
    clock, said, done = Clock(graph, eager=100.0), list[str](), list[Any]()
    monkeypatch.setattr("ganlib.speed.compiled.time", clock)
    monkeypatch.setattr("ganlib.speed.compiled.compile_update", lambda u, say: done.append(u))
    plain, tried = make_updater("dcgan"), make_updater("dcgan")
    tried.perform = Trial(tried, 10_000, traced(tried, clock), said.append)
    for k in range(AFTER + 5):
        plain.update()
        tried.update()
        assert bool(done) == (compiled and k + 1 >= AFTER)
    assert done == compiled * [tried]
    assert len(said) == 2 * compiled
    if compiled:
        assert "compiling" in said[0] and said[1] == "Compiled in 200 s."
    pairs = zip(plain.state_dict().values(), tried.state_dict().values(), strict=True)
    assert all(torch.equal(x, y) for x, y in pairs)


def test_a_trial_times_the_commonest_phase(
    make_updater: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As WGAN's, whose first iterations take twenty times as long as those that follow."""
    clock, timed = Clock(1.0, 1.0), list[int]()
    monkeypatch.setattr("ganlib.speed.compiled.time", clock)
    updater = make_updater("dcgan")
    updater.phase = lambda k: k < 25
    trial = Trial(updater, 1000, lambda: updater.iterate, pytest.fail)
    monkeypatch.setattr("ganlib.speed.compiled.repays", lambda *_: timed.append(1))
    updater.perform = trial
    for k in range(25 + AFTER):
        assert not timed, k
        updater.update()
    assert timed == [1]


def test_every_stage_is_compiled_for_its_own_batches_if_that_repays(
    make_updater: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the iterations that it has; losses are eager again until then."""
    asked: list[int] = []

    def repays(seconds: float, iterations: int) -> bool:
        asked.append(iterations)
        return len(asked) == 1

    monkeypatch.setattr("ganlib.speed.compiled.repays", repays)
    updater, said = make_updater("dcgan"), list[str]()
    updater.stage = lambda k: Stage(4, None, int(k >= 20))
    compile_for_tests = partial(compile_update, backend="eager")
    monkeypatch.setattr("ganlib.speed.compiled.compile_update", compile_for_tests)
    updater.perform = Trial(updater, 50, lambda: updater.iterate, said.append)
    compiled = []
    for _ in range(20 + AFTER + 1):
        updater.update()
        compiled.append(is_compiled(updater))
    assert compiled == [*(AFTER - 1) * [False], *(20 - AFTER + 1) * [True], *(AFTER + 1) * [False]]
    # the stage ends at 20, the run at 50
    assert asked == [20 - (AFTER - 1), 50 - (20 + AFTER - 1)] and len(said) == 2
    torch._dynamo.reset()


def refusing_backward() -> Any:
    """A compiler that makes no backward."""
    from functorch.compile import make_boxed_func
    from torch._dynamo.backends.common import aot_autograd

    def refuse(*_: Any) -> Any:
        raise ValueError("no kernel for this gradient")

    return aot_autograd(fw_compiler=lambda gm, _: make_boxed_func(gm.forward), bw_compiler=refuse)


@pytest.mark.slow
def test_a_backward_that_cannot_be_compiled_leaves_the_iteration_as_it_is(
    make_updater: Make,
) -> None:
    """It is compiled with its forward, not where gradients are taken, when D has moved already."""
    torch._dynamo.reset()
    plain, updater, said = make_updater("dcgan"), make_updater("dcgan"), list[str]()
    compile_update(updater, said.append, refusing_backward())
    for _ in range(2):
        a, b = plain.update(), updater.update()
        assert all(torch.equal(a[key], b[key]) for key in a)
    assert [text.split()[0] for text in said] == [
        *("loss_dis", "loss_gen", "gen.forward", "dis.forward", "dis.features")
    ]
    assert all("no kernel for this gradient" in text for text in said)
    pairs = zip(plain.state_dict().values(), updater.state_dict().values(), strict=True)
    assert all(torch.equal(x, y) for x, y in pairs)
    torch._dynamo.reset()


@torch._dynamo.config.patch(recompile_limit=1)
def test_as_many_stages_as_there_are_may_compile(make_updater: Make) -> None:
    """PyTorch bears so many versions of a function, each for batches of one size."""
    updater = make_updater("gan")
    for batch_size in (4, 2):
        restore_update(updater)
        updater.data.resize(batch_size)
        compile_update(updater, pytest.fail, "eager")
        updater.perform()
        assert is_compiled(updater)
    torch._dynamo.reset()


def test_what_is_restored_is_as_before(make_updater: Make) -> None:
    updater = make_updater("pgn")
    before = [type(module) for module in updater.modules()]
    compile_update(updater, pytest.fail, "eager")
    assert [type(module) for module in updater.modules()] != before and is_compiled(updater)
    restore_update(updater)
    assert [type(module) for module in updater.modules()] == before and not is_compiled(updater)


def test_passes_of_micro_batches_are_compiled_and_those_of_samples_are_not(
    make_updater: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = Work()
    monkeypatch.setattr(torch, "compile", work.compiled)
    eager, compiled = make_updater("pix2pix"), make_updater("pix2pix")
    compile_update(compiled, pytest.fail)
    for updater in (eager, compiled):
        updater.split(2)
    for _ in range(2):
        work.inside = 0
        with work:
            values = compiled.update()
        torch.testing.assert_close(eager.update(), values, rtol=0, atol=0)
    in_update = work.inside
    with work:
        compiled.sample(2, 0)
    assert in_update == work.inside > 0


@torch._dynamo.config.patch(recompile_limit=1)
def test_beyond_that_limit_a_part_stays_eager(
    make_updater: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    updater, said = make_updater("lsgan"), list[str]()
    monkeypatch.setattr("ganlib.speed.compiled.VERSIONS", 1)
    compile_update(updater, said.append, "eager")
    updater.update()
    updater.update()
    updater.data.resize(2)
    updater.perform()
    assert [text.split()[0] for text in said] == [*("gen.forward", "loss_dis", "loss_gen")]
    torch._dynamo.reset()


def test_compiled_code_is_kept_with_what_else_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANLIB_CACHE", "/somewhere")
    assert str(cache_folder()) == "/somewhere/inductor"


def test_a_score_is_not_compiled_for_its_own_batches(make_updater: Make) -> None:
    updater = make_updater("dcgan")
    compile_update(updater, pytest.fail, "aot_eager")
    updater.loss_gen.fast = pytest.fail
    updater.eval()
    assert updater.loss_gen(updater.fake(updater.hidden(3))).dim() == 0
