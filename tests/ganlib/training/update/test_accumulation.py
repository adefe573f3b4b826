"""Batches in parts give what whole batches give."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganlib.common.errors import UserError
from ganlib.training.update.accumulation import MicroBatches, Shared
from ganlib.training.updater import Updater

NOTHING = Shared([], [], [])
Make = Callable[..., Any]


def without_batch_statistics(updater: Any) -> Any:
    for module in updater.gen.modules():
        for name, child in list(module.named_children()):
            if isinstance(child, nn.modules.batchnorm._BatchNorm):
                setattr(module, name, nn.Identity())
    updater.optimizer.update(updater.optimizers())
    return updater


@pytest.mark.parametrize("batches", [4, *(pytest.param(n, marks=pytest.mark.slow) for n in (2, 8))])
@pytest.mark.parametrize("name", ["wgan_gp", "sngan"])
def test_micro_batches_give_what_the_whole_batch_gives(
    name: str, batches: int, make_updater: Make
) -> None:
    settings = {"batch_size": 8, "dtype": torch.float64}
    whole = without_batch_statistics(make_updater(name, **settings))
    parts = without_batch_statistics(make_updater(name, **settings))
    parts.split(batches)
    for _ in range(5):
        a, b = whole.update(), parts.update()
        for key in a:
            torch.testing.assert_close(a[key], b[key], rtol=1e-10, atol=1e-10)
    pairs = zip(whole.state_dict().values(), parts.state_dict().values(), strict=True)
    for x, y in pairs:
        torch.testing.assert_close(x, y, rtol=1e-10, atol=1e-10)
    assert whole.images == parts.images == 40 * (5 if name == "wgan_gp" else 1)


def test_running_statistics_are_those_of_the_passes_averaged(make_updater: Make) -> None:
    """A pass is a rank: it starts from the same buffers and the means go on."""
    updater = make_updater("dcgan", batch_size=8, dtype=torch.float64)
    norm = next(m for m in updater.gen.modules() if isinstance(m, nn.BatchNorm2d))
    seen: list[Tensor] = []
    norm.register_forward_hook(
        lambda module, inputs, output: seen.append(inputs[0].detach().mean((0, 2, 3)))
    )
    updater.split(2)
    updater.update()
    first, second = seen
    torch.testing.assert_close(norm.running_mean, 0.1 * (first + second) / 2)


def test_a_mean_is_the_same_in_every_pass() -> None:
    batches, seen = MicroBatches(3), []

    def body() -> dict[str, Tensor]:
        value = torch.tensor([1.0, 10.0, 100.0])[batches.current]
        seen.append(float(batches.meet([value], lambda means: means[0])))
        seen.append(batches.current)
        return {"value": value, "half": value / 2}

    assert batches.run(body, NOTHING) == {"value": 37.0, "half": 18.5}
    assert seen == [37.0, 0, 37.0, 1, 37.0, 2]


def test_an_error_in_a_pass_is_an_error() -> None:
    batches = MicroBatches(2)

    def body() -> dict[str, Tensor]:
        batches.meet([torch.zeros(())], lambda means: None)
        if batches.current == 1:
            raise ValueError("here")
        return {}

    with pytest.raises(ValueError, match="here"):
        batches.run(body, NOTHING)
    one = torch.ones(())
    met = batches.run(lambda: batches.meet([one], lambda means: {"x": means[0]}), NOTHING)
    assert met == {"x": 1}


def test_a_batch_that_cannot_be_shared(make_updater: Make) -> None:
    with pytest.raises(UserError, match="batch of 4 images cannot be shared in 3 parts"):
        make_updater("dcgan").split(3)


def test_a_resumed_run_in_passes_goes_on_bitwise(make_updater: Make) -> None:
    straight, first, second = (make_updater("wgan_gp") for _ in range(3))
    for updater in (straight, first, second):
        updater.split(2)
    for _ in range(2):
        straight.update()
        first.update()
    second.load_state(first.state())
    for _ in range(2):
        straight.update()
        second.update()
    pairs = zip(straight.state_dict().values(), second.state_dict().values(), strict=True)
    assert all(torch.equal(x, y) for x, y in pairs)


def test_rows_are_gathered_in_the_order_of_the_batch(make_updater: Make) -> None:
    """Exact copies, without a graph, and each share has its own back."""
    updater = make_updater("dcgan", batch_size=6)
    updater.split(3)
    weight = next(updater.dis.parameters())
    found: list[Tensor] = []

    def update_core() -> dict[str, Tensor]:
        x, _ = next(updater.data)
        whole = updater.gather(x * weight.sum())
        assert not whole.requires_grad and len(whole) == 6
        again = updater.gather(updater.scatter(whole))
        found.extend([whole, again, updater.scatter(whole), x])
        return {}

    updater.update_core = update_core
    updater.update()
    alone = make_updater("dcgan", batch_size=6)
    wanted = next(alone.data).x * weight.sum()
    for k in range(3):
        whole, again, own, x = found[4 * k : 4 * k + 4]
        assert torch.equal(whole, wanted) and torch.equal(again, wanted)
        assert torch.equal(own, x * weight.sum())


class Sharing(Updater):
    """Adds to three buffers what differs, or not, between shares."""

    shared = {"equal": "equal", "own": "own"}

    def setup(self) -> None:
        for name in ("followed", "equal", "own"):
            self.register_buffer(name, torch.tensor(0.1))

    def update_core(self) -> dict[str, Tensor]:
        own = next(self.data).x.sum()
        self.followed += own
        self.equal += self.gather(own[None]).sum()
        self.mean(own)  # where the other batches run, with buffers of their own
        self.followed += own
        self.own += own
        return {"own": self.own.clone()}


def test_buffers_are_shared_as_they_say(make_updater: Make) -> None:
    like = make_updater("dcgan", batch_size=6)
    updater = Sharing(like.config, like.data, like.spec, {"gen": like.gen, "dis": like.dis})
    updater.split(3)
    batches = make_updater("dcgan", batch_size=6).data
    mean, equal, own = torch.full((), 0.1), torch.full((), 0.1), torch.full((3,), 0.1)
    for _ in range(2):
        sums = torch.stack([part.sum() for part in next(batches).x.chunk(3)])
        mean = torch.stack([mean + s + s for s in sums]).mean(0)
        equal, own = equal + sums.sum(), own + sums
        observed = updater.update()
        assert torch.equal(updater.followed, mean)
        assert torch.equal(updater.equal, equal)
        assert torch.equal(updater.own, own[0]) and torch.equal(observed["own"], own.mean())
    updater.load_state(updater.state())
    sums = torch.stack([part.sum() for part in next(batches).x.chunk(3)])
    assert torch.equal(updater.update()["own"], (own[0] + sums).mean())
