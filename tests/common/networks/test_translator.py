"""networks/translator.py: sizes and widths on the way; the layers themselves are held by hand in
tests/ganlib/test_cyclegan.py.
"""

from typing import get_args

import numpy as np
import pytest
import torch
from parameters import count
from torch import nn

from ganlib.common.networks import translator
from ganlib.common.networks.translator import (
    Block,
    InstanceNorm,
    ReflectionPad,
    Upsampling,
    doubling,
    halving,
    to_image,
    translating,
)


@pytest.mark.parametrize(("downs", "blocks"), [(1, 0), (2, 3), (4, 1)])
def test_channels_double_as_sides_halve_and_back(downs: int, blocks: int) -> None:
    h, seen = torch.rand(1, 5, 32, 64), []
    for layer in translating(5, 3, downs, blocks, "transposed"):
        h = layer(h)
        seen.append(tuple(h.shape[1:]))
    way = [(3 << k, 32 >> k, 64 >> k) for k in range(downs + 1)]
    assert seen == [*way, *blocks * [way[-1]], *reversed(way[:-1])]


@pytest.mark.parametrize("upsampling", get_args(Upsampling))
def test_pix2pixhds_global_generator_has_182546755_parameters(upsampling: Upsampling) -> None:
    with torch.device("meta"):
        layers = translating(36, 64, 4, 9, upsampling)
        assert count(nn.Sequential(*layers, to_image(64, 3))) == 182_546_755


@pytest.mark.parametrize("upsampling", get_args(Upsampling))
def test_halving_and_doubling_are_of_each_other(upsampling: Upsampling) -> None:
    x = torch.rand(2, 3, 8, 12)
    assert halving(3, 5)(x).shape == (2, 5, 4, 6)
    assert doubling(3, 5, upsampling)(x).shape == (2, 5, 16, 24)
    assert Block(3)(x).shape == x.shape and float(to_image(3, 1)(x).detach().abs().max()) <= 1


def test_an_even_surface_stays_even_by_nearest_alone() -> None:
    surface = torch.full((1, 3, 4, 6), 0.7)
    expected: dict[Upsampling, bool] = {"nearest": True, "transposed": False}
    for upsampling, even in expected.items():
        torch.manual_seed(0)
        layers = doubling(3, 5, upsampling)[:-2]  # without the norm and ReLU
        h = layers(surface).detach()[..., 1:-1, 1:-1]
        assert (float((h.amax((2, 3)) - h.amin((2, 3))).max()) < 1e-6) is even


def test_nearest_is_a_convolution_of_pixels_repeated() -> None:
    x, layers = torch.rand(2, 3, 4, 5), doubling(3, 2, "nearest")
    convolution = next(layer for layer in layers if isinstance(layer, nn.Conv2d))
    wide = np.pad(x.numpy().repeat(2, 2).repeat(2, 3), ((0, 0), (0, 0), (1, 1), (1, 1)), "reflect")
    weight, bias = (p.detach().numpy() for p in convolution.parameters())
    windows = np.lib.stride_tricks.sliding_window_view(wide, (3, 3), (2, 3))
    expected = np.einsum("nchwij,ocij->nohw", windows, weight) + bias[:, None, None]
    found = layers[:-2](x).detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


FORMATS = [torch.contiguous_format, torch.channels_last]


@pytest.fixture
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The layers as they are where PyTorch's kernels leave channels_last."""
    torch.manual_seed(0)
    monkeypatch.setattr(translator, "LEAVING", {"cpu"})


@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize(("p", "shape"), [(1, (2, 8, 7, 5)), (3, (2, 3, 8, 9)), (3, (1, 4, 4, 4))])
def test_reflection_is_pytorchs(
    p: int, shape: tuple[int, ...], memory_format: torch.memory_format, as_on_a_gpu: None
) -> None:
    """Bitwise; so are gradients, of whole numbers, whose sums no order of theirs rounds."""
    x = torch.randn(shape).to(memory_format=memory_format)
    ours, theirs = x.double().requires_grad_(), x.double().requires_grad_()
    a, b = ReflectionPad(p)(ours), torch.nn.functional.pad(theirs, 4 * (p,), mode="reflect")
    assert torch.equal(a, b) and a.is_contiguous(memory_format=memory_format)
    grad = torch.randint(-9, 10, a.shape).double()
    assert torch.equal(*(torch.autograd.grad(y, z, grad)[0] for y, z in ((a, ours), (b, theirs))))


@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-12), (torch.bfloat16, 2**-8)])
def test_the_norm_is_pytorchs(
    memory_format: torch.memory_format, dtype: torch.dtype, bound: float, as_on_a_gpu: None
) -> None:
    """In bfloat16 as well as it can be told in it: the moments are float32's."""
    x = 3 + 2 * torch.randn(2, 5, 7, 6, dtype=torch.float64)
    x = x.to(dtype).to(memory_format=memory_format)
    ours, theirs = x.clone().requires_grad_(), x.double().requires_grad_()
    a, b = InstanceNorm(5)(ours), torch.nn.functional.instance_norm(theirs, eps=1e-5)
    assert a.dtype == dtype and a.is_contiguous(memory_format=memory_format)
    torch.testing.assert_close(a.double(), b, rtol=bound, atol=bound)
    grad = torch.randn(x.shape, dtype=torch.float64).to(dtype)
    c, d = torch.autograd.grad(a, ours, grad)[0], torch.autograd.grad(b, theirs, grad.double())[0]
    torch.testing.assert_close(c.double(), d, rtol=bound, atol=bound)


@pytest.mark.parametrize("upsampling", get_args(Upsampling))
def test_a_translator_stays_in_channels_last(upsampling: Upsampling, as_on_a_gpu: None) -> None:
    """And is the one of a CPU; its first layer alone sees images as a loader gives them."""
    layers = [*translating(3, 4, 2, 2, upsampling), to_image(4, 3)]
    net = nn.Sequential(*layers).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    x, left = torch.rand(2, 3, 16, 16), []

    def look(layer: nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        kept = inputs[0].is_contiguous(memory_format=torch.channels_last)
        if kept and not output.is_contiguous(memory_format=torch.channels_last):
            left.append(layer)

    for layer in net.modules():
        layer.register_forward_hook(look)
    y = net(x)
    assert left == [] and y.is_contiguous(memory_format=torch.channels_last)
    translator.LEAVING.clear()
    torch.testing.assert_close(net(x), y)
    assert any(isinstance(layer, InstanceNorm) for layer in left)
