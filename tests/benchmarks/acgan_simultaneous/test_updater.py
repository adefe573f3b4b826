"""acgan with both steps at once, beside torch.optim on copies of the networks."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Make = Callable[..., Any]


def adams(network: nn.Module, loss: Tensor, **settings: Any) -> None:
    optimizer = torch.optim.Adam(network.parameters(), **settings)
    weights = [*network.parameters()]
    gradients = torch.autograd.grad(loss, weights, retain_graph=True)
    for weight, gradient in zip(weights, gradients, strict=True):
        weight.grad = gradient
    optimizer.step()


def test_both_steps_are_by_gradients_at_the_weights_before(make_updater: Make) -> None:
    updater = make_updater(
        "acgan_simultaneous", dtype=torch.float64, batch_size=6, lam_dis=0.7, lam_gen=0.3
    )
    gen, dis = deepcopy(updater.gen), deepcopy(updater.dis)
    z, y_fake = gen.make_hidden(6).double(), torch.tensor([0, 1, 2, 2, 1, 0])
    seen: list[Tensor] = []

    def loss_dis(*batch: Tensor) -> Any:
        seen.extend(batch)
        return type(updater).loss_dis(updater, *batch)

    updater.hidden, updater.labels, updater.loss_dis = lambda n: z, lambda n: y_fake, loss_dis
    told = updater.update()

    x_real, y, *_ = seen
    x_fake = gen(z, y_fake)
    s_real, c_real = dis(x_real)
    s_fake, c_fake = dis(x_fake)
    class_gen = F.cross_entropy(c_fake, y_fake)
    class_dis = F.cross_entropy(c_real, y) + class_gen
    source_dis = (-F.logsigmoid(s_real) - F.logsigmoid(-s_fake)).mean()
    c = updater.config
    settings = {"lr": c.adam_alpha, "betas": (c.adam_beta1, c.adam_beta2)}
    loss_gen = -F.logsigmoid(s_fake).mean() + 0.3 * class_gen
    weights_of_dis = {k: v.clone() for k, v in dis.state_dict().items()}
    adams(gen, loss_gen, **settings)
    assert all(torch.equal(v, weights_of_dis[k]) for k, v in dis.state_dict().items())
    adams(dis, source_dis + 0.7 * class_dis, **settings)

    torch.testing.assert_close(told["loss_dis"], source_dis.detach())
    torch.testing.assert_close(told["class_gen"], class_gen.detach())
    for ours, by_hand in ((updater.gen, gen), (updater.dis, dis)):
        for a, b in zip(ours.parameters(), by_hand.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=1e-9)


def test_what_comes_out_does_not_depend_on_the_threads(make_updater: Make) -> None:
    """With two of them, and with one, which is first to do all of D's."""
    found = []
    for places in ({"cpu"}, {"cpu"}, set()):
        torch.manual_seed(0)
        updater = make_updater("acgan_simultaneous", batch_size=6)
        updater.beside_on = places
        for _ in range(4):
            updater.update()
        found.append(updater.state_dict())
    for name, value in found[0].items():
        assert all(torch.equal(value, other[name]) for other in found[1:]), name


def test_each_network_has_the_running_averages_of_its_own_passes(make_updater: Make) -> None:
    """D's of the real and the generated batch of its step, G's of one."""
    updater = make_updater("acgan_simultaneous", batch_size=6)
    updater.update()
    counts = {k: v.item() for k, v in updater.state_dict().items() if k.endswith("tracked")}
    assert {n for k, n in counts.items() if k.startswith("dis.")} == {2}
    assert {n for k, n in counts.items() if k.startswith("gen.")} == {1}
