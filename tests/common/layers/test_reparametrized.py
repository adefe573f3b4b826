"""common/layers/reparametrized.py: convolutions that are one with the resizing beside them."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ganlib.common.layers.progressive import EqualizedConv2d
from ganlib.common.layers.reparametrized import (
    Conv2d,
    ConvTranspose2d,
    conv_downsample,
    upsample_conv,
)


def plain_downsample(conv: nn.Module, x: Tensor, factor: int) -> Any:
    return F.avg_pool2d(conv(x), factor)


def plain_upsample(conv: nn.Module, x: Tensor, factor: int) -> Any:
    return conv(x.repeat_interleave(factor, 2).repeat_interleave(factor, 3))


PAIRS = [(conv_downsample, plain_downsample), (upsample_conv, plain_upsample)]


@pytest.mark.parametrize("factor", [1, 2, 3])
@pytest.mark.parametrize("layer", [nn.Conv2d, EqualizedConv2d])
@pytest.mark.parametrize(("ours", "plain"), PAIRS)
def test_one_convolution_does_what_two_steps_do(
    ours: Any, plain: Any, layer: Any, factor: int
) -> None:
    """Values, gradients, and a penalty's gradients, of sides that the factor does not divide."""
    torch.manual_seed(0)
    conv = layer(3, 4, 3, padding=1).double()
    nn.init.normal_(conv.bias)
    x = torch.randn(2, 3, 7, 8, dtype=torch.float64, requires_grad=True)
    inputs, found = [x, *conv.parameters()], []
    for f in (ours, plain):
        y = f(conv, x, factor)
        first = torch.autograd.grad(y.square().sum(), inputs, create_graph=True)
        found.append([y, *first, *torch.autograd.grad(first[0].square().sum(), inputs)])
    torch.testing.assert_close(found[0], found[1])
    bare = nn.Conv2d(3, 4, 3, padding=1, bias=False).double()
    torch.testing.assert_close(ours(bare, x, factor), plain(bare, x, factor))


@pytest.mark.parametrize(("ours", "plain"), PAIRS)
def test_one_convolution_has_fewer_operations(ours: Any, plain: Any) -> None:
    """16 for 36, in three passes."""
    x, conv = torch.randn(1, 3, 8, 8, requires_grad=True), nn.Conv2d(3, 4, 3, padding=1)
    counts = []
    for f in (ours, plain):
        with FlopCounterMode(display=False) as counter:
            f(conv, x, 2).sum().backward()
        operations = counter.get_flop_counts()["Global"].items()
        counts.append(sum(n for name, n in operations if "convolution" in str(name)))
    assert counts[0] * 36 == counts[1] * 16


def test_what_enlarges_multiplies_by_a_weight_in_channels_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that is in another order is copied, by a GPU in each pass."""
    conv = nn.Conv2d(3, 4, 3, padding=1).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    transpose, weights = F.conv_transpose2d, list[Tensor]()

    def watch(x: Tensor, weight: Tensor, *rest: Any, **named: Any) -> Tensor:
        weights.append(weight)
        return transpose(x, weight, *rest, **named)

    monkeypatch.setattr(F, "conv_transpose2d", watch)
    upsample_conv(conv, torch.randn(2, 3, 7, 8), 2)
    assert [w.is_contiguous(memory_format=torch.channels_last) for w in weights] == [True]


# --- Images of few pixels: 4x4 ones of 128 channels


def few(dtype: torch.dtype) -> list[tuple[Any, Any, Tensor]]:
    """PyTorch's layers, ours of the same weights, and what goes into them."""
    torch.manual_seed(0)
    layers = [
        (nn.Conv2d(2, 128, (3, 4), (1, 2), (1, 2)), Conv2d, (4, 5)),
        (nn.Conv2d(2, 128, 4, 2, 1), Conv2d, (8, 7)),  # whose last column no window reaches
        (nn.ConvTranspose2d(128, 2, 4, 2, 1), ConvTranspose2d, (4, 3)),
        (nn.ConvTranspose2d(128, 2, 3, 2, 1, (1, 0), bias=False), ConvTranspose2d, (2, 4)),
    ]
    found = []
    for plain, kind, sides in layers:
        more = (plain.output_padding,) if isinstance(plain, nn.ConvTranspose2d) else ()
        numbers = (plain.kernel_size, plain.stride, plain.padding, *more)
        ours = kind(plain.in_channels, plain.out_channels, *numbers, bias=plain.bias is not None)
        ours.load_state_dict(plain.state_dict())
        x = torch.randn(3, plain.in_channels, *sides, dtype=dtype, requires_grad=True)
        found.append((plain.to(dtype), ours.to(dtype), x))
    return found


def slopes(layer: nn.Module, x: Tensor) -> list[Tensor]:
    """Values, gradients, and those of a penalty on the gradient for x."""
    inputs = [x, *layer.parameters()]
    y = layer(x)
    first = torch.autograd.grad(y.sigmoid().sum(), inputs, create_graph=True)
    (again,) = torch.autograd.grad(layer(x).sigmoid().sum(), x, create_graph=True)
    return [y, *first, *torch.autograd.grad(again.square().sum(), inputs)]


@pytest.mark.parametrize("number", range(4))
def test_few_pixels_have_the_gradients_of_all(number: int) -> None:
    plain, ours, x = few(torch.float64)[number]
    torch.testing.assert_close(slopes(ours, x), slopes(plain, x))
    assert "_Convolution" in ours(x).grad_fn.name()
    with torch.autocast("cpu", torch.bfloat16):
        rounded, wanted = (layer.float()(x.float()) for layer in (ours, plain))
    assert torch.equal(rounded, wanted) and rounded.dtype == torch.bfloat16


def test_in_bfloat16_four_times_as_many_pixels_are_few() -> None:
    layer, names = Conv2d(2, 128, 3, padding=1), []
    for n in (2, 3, 8, 9):  # batches of 16x16 pixels
        x = torch.randn(n, 2, 16, 16)
        with torch.autocast("cpu", torch.bfloat16):
            names.append([layer(x).grad_fn.name()])
        names[-1].append(layer(x).grad_fn.name())
    assert [["_Conv" in name for name in both] for both in names] == [
        [True, True],
        [True, False],
        [True, False],
        [False, False],
    ]


def test_a_penalty_on_few_pixels_has_no_pass_more() -> None:
    """Neither weights' gradients that nobody asks for, nor zeros sent back."""
    for plain, ours, x in few(torch.float32):
        counts = []
        for layer in (plain, ours):
            with FlopCounterMode(display=False) as counter:
                (slope,) = torch.autograd.grad(layer.forward(x).sum(), x, create_graph=True)
                slope.square().sum().backward()
            counts.append(counter.get_total_flops())
        assert counts[1] <= counts[0], (plain, counts)


def test_a_weight_of_few_pixels_has_its_gradient_in_channels_last() -> None:
    for plain, ours, x in few(torch.float32):
        (slope,) = torch.autograd.grad(ours(x).sum(), ours.weight)
        like = plain.weight.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        assert slope.stride() == like.stride()


def test_a_transposed_convolution_in_bfloat16_adds_its_bias_behind() -> None:
    torch.manual_seed(0)
    ours = ConvTranspose2d(4, 3, 4, 2, 1)
    plain = nn.ConvTranspose2d(4, 3, 4, 2, 1, dtype=torch.float64)
    plain.load_state_dict(ours.state_dict())
    x = torch.randn(2, 4, 6, 5, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        y = ours(x)
    assert y.dtype == torch.bfloat16 and y.grad_fn.name() == "AddBackward0"
    found = torch.autograd.grad(y.float().square().sum(), [x, *ours.parameters()])
    z = plain(x.double())
    wanted = torch.autograd.grad(z.square().sum(), [x, *plain.parameters()])
    torch.testing.assert_close(y.double(), z, rtol=0.02, atol=0.02)
    for a, b in zip(found, wanted, strict=True):
        assert (a - b).norm() < 0.02 * b.norm()
