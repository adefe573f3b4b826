"""layers/progressive.py: scales by output variances; that Adam moves all layers equally fast."""

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlib.common.layers.progressive import HE, EqualizedConv2d, EqualizedLinear, EqualizedSeed

LAYERS: dict[str, tuple[Callable[..., nn.Module], tuple[int, ...]]] = {
    "conv": (lambda **gain: EqualizedConv2d(64, 256, 3, **gain), (64, 64, 12, 12)),
    "pixel": (lambda **gain: EqualizedConv2d(3, 256, 1, **gain), (64, 3, 12, 12)),
    "linear": (lambda **gain: EqualizedLinear(512, 1024, **gain), (256, 512)),
}


@pytest.mark.parametrize("gain", [None, 1.0])
@pytest.mark.parametrize("name", LAYERS)
def test_the_variance_of_the_output_is_the_gain_squared(name: str, gain: float | None) -> None:
    torch.manual_seed(0)
    make, shape = LAYERS[name]
    layer = make() if gain is None else make(gain=gain)
    assert not layer.bias.any()
    assert float(layer.weight.detach().std()) == pytest.approx(1, abs=0.05)
    with torch.no_grad():
        variance = float(layer(torch.randn(shape)).var())
    assert variance == pytest.approx(2 if gain is None else 1, rel=0.15)


def test_a_leaky_network_keeps_its_size() -> None:
    torch.manual_seed(0)
    h = torch.randn(256, 128)
    with torch.no_grad():
        for _ in range(20):
            h = F.relu(EqualizedLinear(128, 128)(h))
    assert 0.2 < float(h.square().mean()) < 5


def test_a_seed_is_the_convolution_of_one_pixel_that_padding_makes() -> None:
    torch.manual_seed(0)
    seed, conv = EqualizedSeed(32, 8, 4).double(), EqualizedConv2d(32, 8, 4, padding=3).double()
    with torch.no_grad():
        # a convolution turns its kernel over
        conv.weight.copy_(seed.weight.transpose(0, 1).flip(2, 3))
        conv.bias.copy_(torch.randn(8))
        seed.bias.copy_(conv.bias)
    z = torch.randn(5, 32, dtype=torch.float64)
    torch.testing.assert_close(seed(z), conv(z[:, :, None, None]))


def rms_move(layer: nn.Module, x: Tensor) -> float:
    """By how much a step of Adam of 0.001 changes what a layer computes with, relatively."""
    before = [p.detach().clone() for p in layer.parameters()]
    optimizer = torch.optim.Adam(layer.parameters(), 1e-3, (0.0, 0.99))
    layer(x).square().mean().backward()
    optimizer.step()
    moved = next(layer.parameters()).detach() - before[0]
    return float(moved.square().mean().sqrt() / before[0].square().mean().sqrt())


def test_a_step_of_adam_is_the_same_part_of_every_layer() -> None:
    torch.manual_seed(0)
    moves = [rms_move(make(), torch.randn(shape)) for make, shape in LAYERS.values()]
    assert moves == pytest.approx([1e-3] * 3, rel=0.1)
    plain = [rms_move(nn.Linear(n, 64), torch.randn(32, n)) for n in (8, 2048)]
    assert plain[1] > 10 * plain[0]


def test_the_scale_is_hes() -> None:
    assert pytest.approx(HE / math.sqrt(64 * 9)) == EqualizedConv2d(64, 2, 3).scale


@pytest.mark.parametrize(
    "make", [lambda: EqualizedConv2d(3, 4, 3, 1), lambda: EqualizedLinear(3, 4, 1.0)]
)
def test_what_once_had_a_place_is_refused_without_its_name(make: Callable[[], nn.Module]) -> None:
    with pytest.raises(TypeError, match="padding and gain by keyword alone"):
        make()
