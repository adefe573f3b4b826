"""Moving averages of networks by hand; networks that do not train: where they are, and are not."""

import io
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganlib.common.data import Loader
from ganlib.speed.accelerate import compute_in_bf16
from ganlib.training.networks import digest, ema_of, ema_rate, update_ema
from ganlib.training.updater import Updater

Make = Callable[..., Any]


class Judged(Updater):
    """The generator's only loss is a frozen network's."""

    judge: nn.Module
    seed = 0

    def start_from(self, data: Loader) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            network = nn.Sequential(nn.Conv2d(1, 2, 3, 2), nn.BatchNorm2d(2), nn.Flatten())
        self.freeze("judge", network)

    def update_core(self) -> dict[str, Tensor]:
        x, _ = next(self.data)
        loss = self.judge(self.gen(self.hidden(len(x)))).square().mean()
        self.step(gen=loss)
        return {"loss": loss}


class OfOtherWeights(Judged):
    seed = 1


@pytest.fixture
def make(make_updater: Make) -> Make:
    def made(kind: type[Updater] = Judged, data: bool = True, **settings: Any) -> Any:
        like = make_updater("dcgan", **settings)
        networks = {"gen": like.gen, "dis": like.dis}
        return kind(like.config, like.data if data else None, like.spec, networks)

    return made


def test_it_is_used_and_never_changes(make: Make) -> None:
    updater = make(dtype=torch.float64)
    before = {name: t.clone() for name, t in updater.judge.state_dict().items()}
    weight = next(updater.gen.parameters())
    start = weight.detach().clone()
    updater.train()
    updater.update()
    assert not torch.equal(weight.detach(), start)
    assert all(torch.equal(t, before[name]) for name, t in updater.judge.state_dict().items())
    assert not updater.judge.training and before["0.weight"].dtype == torch.float64
    assert not any(p.requires_grad for p in updater.judge.parameters())


def test_it_is_none_of_the_networks_that_train(make: Make) -> None:
    updater = make()
    assert list(updater.trained) == list(updater.optimizer) == ["gen", "dis"]
    assert not any("judge" in name for name, _ in updater.named_parameters())
    assert not any("judge" in name for name in updater.state()["modules"])
    assert not hasattr(make(data=False), "judge")
    make(data=False).load_state_dict(updater.state()["modules"])


def test_it_moves_with_the_networks(make: Make) -> None:
    updater = make().to(torch.float64)
    assert next(updater.judge.parameters()).dtype == torch.float64
    assert next(make().to("meta").judge.parameters()).is_meta


def test_a_snapshot_knows_its_weights_by_their_digest(make: Make) -> None:
    state = make().state()
    make().load_state(state)
    with pytest.raises(ValueError, match="frozen network 'judge' had the SHA-256 .{12} and have"):
        make(OfOtherWeights).load_state(state)
    with pytest.raises(ValueError, match="there is no frozen network 'judge' any more"):
        make(Updater).load_state(state)
    del state["frozen"]  # as in snapshots of before there were any
    make(OfOtherWeights).load_state(state)


def test_the_digest_is_of_names_kinds_and_bytes() -> None:
    network = nn.Linear(2, 1, bias=False)
    known = sha256(b"weight torch.float32 (1, 2) " + network.weight.detach().numpy().tobytes())
    assert digest(network) == known.hexdigest()
    assert digest(network.to(memory_format=torch.channels_last)) == known.hexdigest()
    assert digest(network.double()) != known.hexdigest()
    counting = nn.BatchNorm2d(1)  # has a number without dimensions
    before = digest(counting)
    counting.num_batches_tracked += 1
    assert digest(counting) != before


def test_in_bfloat16_it_computes_so_in_evaluation_mode_too() -> None:
    inside: list[torch.dtype] = []
    network = nn.Sequential(nn.Linear(4, 4), nn.ReLU()).requires_grad_(False).eval()
    network[0].register_forward_hook(lambda module, inputs, output: inside.append(output.dtype))
    compute_in_bf16(network)
    x = torch.randn(2, 4, requires_grad=True)
    y = network(x)
    y.sum().backward()
    assert inside == [torch.bfloat16] and y.dtype == torch.float32
    assert x.grad is not None and x.grad.dtype == torch.float32
    buffer = io.BytesIO()
    torch.save(network.state_dict(), buffer)
    assert next(network.parameters()).dtype == torch.float32


def test_an_average_goes_a_part_of_the_way_and_copies_buffers() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    average = ema_of(network)
    assert not average.training and not any(p.requires_grad for p in average.parameters())
    start = [p.detach().clone() for p in network.parameters()]
    with torch.no_grad():
        for p in network.parameters():
            p.add_(1)
    network(torch.randn(8, 3))
    update_ema(average, network, torch.tensor(0.25))
    for a, p in zip(average.parameters(), start, strict=True):
        torch.testing.assert_close(a, p + 0.25)
    assert all(map(torch.equal, average.buffers(), network.buffers()))


def test_an_average_shares_nothing() -> None:
    network = nn.Linear(2, 2)
    average = ema_of(network)
    with torch.no_grad():
        network.weight.zero_()
    assert average.weight.any()


@pytest.mark.parametrize(
    ("decay", "k", "part"), [(0.999, 1, 9 / 11), (0.999, 90, 9 / 100), (0.5, 90, 0.5), (0, 3, 1)]
)
def test_the_decay_ramps_up(decay: float, k: int, part: float) -> None:
    assert ema_rate(decay, k) == pytest.approx(part)
