"""Compiled losses: traced whole and differentiated twice for all; by the real compiler in the slow
suite.
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from ganlib.registry import algorithms
from ganlib.speed.compiled import SECONDS, Trial, cache_folder, compile_losses, repays

Make = Callable[..., Any]


def first_update(updater: Any) -> tuple[dict[str, Tensor], list[Tensor]]:
    """The values of the first update, and the gradients of every step in it."""
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
    compile_losses(compiled, pytest.fail, backend)
    (a, of_eager), (b, of_compiled) = first_update(eager), first_update(compiled)
    for key in a:
        torch.testing.assert_close(a[key], b[key], rtol=1e-4, atol=1e-6)
    # all together: the gradient of a bias before a normalisation is rounding errors alone
    x, y = (torch.cat([g.flatten() for g in of]) for of in (of_eager, of_compiled))
    assert float((x - y).norm()) <= 1e-4 * float(x.norm())
    torch._dynamo.reset()


def test_a_penalty_is_differentiated_twice_inside(make_updater: Make) -> None:
    compare("wgan_gp", make_updater, "aot_eager")


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", algorithms.names())
def test_every_loss_is_one_graph(name: str, make_updater: Make) -> None:
    compare(name, make_updater, "aot_eager")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's compiler uses torch.jit
@pytest.mark.parametrize("name", ["dcgan", "wgan_gp", "sngan"])
def test_compiled_code_computes_the_same(name: str, make_updater: Make) -> None:
    compare(name, make_updater, "inductor")


def test_what_cannot_be_compiled_stays_eager_and_says_so(make_updater: Make) -> None:
    updater, said = make_updater("dcgan"), []
    eager = updater.loss_gen

    def reading(x_fake: Tensor) -> Tensor:
        loss: Tensor = eager(x_fake)
        return loss * (1 if loss.item() > 0 else 2)

    updater.loss_gen = reading
    compile_losses(updater, said.append, "aot_eager")
    other = make_updater("dcgan")
    a, b = other.update(), updater.update()
    assert len(said) == 1 and said[0].startswith("loss_gen is not compiled")
    torch.testing.assert_close(a["loss_gen"], b["loss_gen"], rtol=1e-4, atol=1e-6)
    updater.update()
    assert len(said) == 1
    torch._dynamo.reset()


def test_compiling_is_for_runs_that_repay_it() -> None:
    assert repays(0.1, 100_000) and not repays(0.1, 1000)
    assert repays(0.05, int(SECONDS / 0.05 / 0.2) + 1)


def test_a_trial_decides_once_and_counts_its_iterations(
    make_updater: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, tried, said = make_updater("dcgan"), make_updater("dcgan"), []
    tried.perform = Trial(tried, 10, lambda: tried.iterate, said.append)
    for _ in range(5):
        plain.update()
        tried.update()
    assert not said and tried.perform == tried.iterate
    assert all(
        torch.equal(x, y)
        for x, y in zip(plain.state_dict().values(), tried.state_dict().values(), strict=True)
    )
    monkeypatch.setattr("ganlib.speed.compiled.compile_losses", lambda updater, say: None)
    tried.perform = Trial(tried, 10**9, lambda: tried.iterate, said.append)
    for _ in range(5):
        tried.update()
    assert len(said) == 2 and "compiling" in said[0] and said[1].startswith("Compiled in")
    assert tried.perform == tried.iterate and tried.iteration == 10


def test_compiled_code_is_kept_with_what_else_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANLIB_CACHE", "/somewhere")
    assert str(cache_folder()) == "/somewhere/inductor"


def test_a_score_is_not_compiled_for_its_own_batches(make_updater: Make) -> None:
    updater = make_updater("dcgan")
    compile_losses(updater, pytest.fail, "aot_eager")
    updater.loss_gen.fast = pytest.fail
    updater.eval()
    assert updater.loss_gen(updater.fake(updater.hidden(3))).dim() == 0
