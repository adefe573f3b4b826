"""bfloat16 in training, float32 around it and in sampling."""

from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from ganlib.registry import algorithms
from ganlib.speed import accelerate
from ganlib.speed.accelerate import compute_in_bf16, train_in_bf16

Make = Callable[..., Any]


@pytest.fixture
def right(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor like most, on which nothing need be float32."""
    monkeypatch.setattr(accelerate, "has_wrong_large_kernels", lambda: False)


def in_bf16(updater: Any) -> Any:
    for network in updater.trained.values():
        train_in_bf16(network)
    return updater


def gradients(updater: Any) -> dict[str, Tensor]:
    """Of the first step."""
    found: dict[str, Tensor] = {}
    for optimizer in updater.optimizer.values():

        def note(optimizer: Any, *_: Any) -> None:
            if not found:
                for k, p in enumerate(optimizer.param_groups[0]["params"]):
                    found[str(k)] = p.grad.clone() if p.grad is not None else torch.zeros(1)

        optimizer.register_step_pre_hook(note)
    return found


@pytest.mark.parametrize("name", ["dcgan", "wgan_gp", "sngan", "stylegan2"])
def test_the_first_update_is_that_of_float32(name: str, make_updater: Make) -> None:
    full = make_updater(name, width=0.25, batch_size=8)
    half = in_bf16(make_updater(name, width=0.25, batch_size=8))
    wanted, got = gradients(full), gradients(half)
    a, b = full.update(), half.update()
    for key in a:
        assert b[key].dtype == torch.float32
        torch.testing.assert_close(a[key], b[key], rtol=2e-2, atol=2e-2)
    x, y = (torch.cat([g.flatten() for g in of.values()]) for of in (wanted, got))
    # eight bits of mantissa in a dozen layers, there and back
    assert float(torch.cosine_similarity(x, y, dim=0)) > 0.99
    assert not torch.equal(x, y)


def test_products_are_made_in_bfloat16_and_weights_stay_float32(
    right: None, make_updater: Make
) -> None:
    updater = in_bf16(make_updater("wgan_gp"))
    seen: set[torch.dtype] = set()
    conv = next(m for m in updater.dis.modules() if isinstance(m, torch.nn.Conv2d))
    conv.register_forward_hook(lambda module, inputs, output: seen.add(output.dtype))
    updater.update()
    assert seen == {torch.bfloat16}
    assert {p.dtype for p in updater.parameters()} == {torch.float32}


def test_where_large_kernels_are_wrong_what_a_penalty_goes_through_is_float32(
    monkeypatch: pytest.MonkeyPatch, make_updater: Make
) -> None:
    monkeypatch.setattr(accelerate, "has_wrong_large_kernels", lambda: True)
    updater = in_bf16(make_updater("wgan_gp"))
    conv = next(m for m in updater.dis.modules() if isinstance(m, torch.nn.Conv2d))
    seen: list[torch.dtype] = []
    conv.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    updater.update()
    assert seen.count(torch.float32) == updater.config.n_dis
    assert seen.count(torch.bfloat16) == 2 * updater.config.n_dis + 1  # real, fake; and of G


PRODUCTS = {"convolution", "convolution_backward", "mm", "addmm", "bmm", "baddbmm"}
"""Of matrices; spectral norms, products with vectors, are float32."""
IN_FLOAT32 = {"dfm": {"addmm": 1 + 10, "mm": 1}}
"""The last layer, which makes logits of features that a loss has already, and its gradient; and the
denoiser, of ten layers, as a constant in evaluation mode.
"""


class Float32(TorchDispatchMode):
    """Counts the products of float32 numbers, those of gradients too."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if name in PRODUCTS and args[0].dtype == torch.float32:
            self.found[name] += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", algorithms.names())
def test_no_product_of_an_update_is_made_in_float32(
    right: None, name: str, make_updater: Make
) -> None:
    updater = in_bf16(make_updater(name))
    for network in updater.frozen.networks.values():
        compute_in_bf16(network)
    with Float32() as products:
        updater.update()
    assert products.found == IN_FLOAT32.get(name, {})


def test_samples_are_those_of_float32(make_updater: Make) -> None:
    """In evaluation mode nothing is rounded, so scores do not depend on --precision."""
    full, half = make_updater("sngan"), in_bf16(make_updater("sngan"))
    (x,), (y,) = full.sample(4, 0), half.sample(4, 0)
    assert torch.equal(x, y)


def test_a_copy_is_a_copy_of_its_own_weights(make_updater: Make) -> None:
    gen = in_bf16(make_updater("dcgan")).gen.eval()
    other = deepcopy(gen)
    with torch.no_grad():
        for p in other.parameters():
            p.zero_()
    z = gen.make_hidden(2)
    assert other(z).abs().max() == 0 and gen(z).abs().max() > 0
    assert list(gen.state_dict()) == list(make_updater("dcgan").gen.state_dict())


def test_codes_too_are_drawn_in_bfloat16(small_methods: None, make_updater: Make) -> None:
    updater = in_bf16(make_updater("styled"))
    seen: set[torch.dtype] = set()
    for layer in (updater.gen.mapping[0], updater.gen.image[1]):
        layer.register_forward_hook(lambda module, inputs, output: seen.add(output.dtype))
    x = updater.fake(updater.gen.make_hidden(2))
    assert seen == {torch.bfloat16} and x.dtype == torch.float32
