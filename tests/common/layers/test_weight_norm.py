"""common/layers/weight_norm.py against torch's, and its start from data."""

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from ganlib.common.layers import minibatch_similarity
from ganlib.common.layers.weight_norm import (
    WNConv2d,
    WNConvTranspose2d,
    WNLinear,
    WNMinibatchDiscrimination,
    initialize_from,
)


def wn_layers() -> list[tuple[nn.Module, Tensor, int]]:
    """A layer, an input, and the axis of its weight that counts outputs."""
    torch.manual_seed(0)
    return [
        (WNConv2d(3, 5, 3, 2, 1), torch.randn(6, 3, 8, 8), 0),
        (WNConvTranspose2d(3, 5, 5, 2, 2, 1), torch.randn(6, 3, 8, 8), 1),
        (WNLinear(7, 4), torch.randn(6, 7), 0),
    ]


@pytest.mark.parametrize("k", range(3))
def test_weight_norm_agrees_with_torch(k: int) -> None:
    """But for the 1e-6 that is added to the square of the length."""
    layer, x, axis = wn_layers()[k]
    theirs = deepcopy(layer)
    theirs.__class__ = type(layer).__mro__[4]  # nn.Conv2d, nn.ConvTranspose2d, nn.Linear
    theirs = weight_norm(theirs, dim=axis)
    layer.gain.copy_(torch.rand(len(layer.gain)) + 0.5)
    magnitude = theirs.parametrizations.weight.original0
    with torch.no_grad():
        magnitude.copy_(layer.gain.view(magnitude.shape))
    torch.testing.assert_close(layer(x), theirs(x), rtol=1e-4, atol=1e-4)


def test_the_gain_is_learned_only_if_asked() -> None:
    fixed, learned = WNLinear(3, 2), WNLinear(3, 2, train_gain=True)
    assert {name for name, _ in fixed.named_parameters()} == {"weight", "bias"}
    assert {name for name, _ in learned.named_parameters()} == {"weight", "bias", "gain"}
    assert fixed.state_dict().keys() == learned.state_dict().keys()


@pytest.mark.parametrize(
    ("layer", "sizes"),
    [(WNLinear, (3, 2)), (WNConv2d, (3, 2, 3, 1, 1)), (WNConvTranspose2d, (3, 2, 3, 1, 1, 0))],
)
def test_a_gain_by_position_is_refused(layer: type[nn.Module], sizes: tuple[int, ...]) -> None:
    """It would be PyTorch's own next argument, as bias or groups."""
    with pytest.raises(TypeError, match=f"^{layer.__name__} takes train_gain and bias by keyword"):
        layer(*sizes, True)
    assert layer(*sizes, train_gain=True, bias=False).bias is None


@pytest.mark.parametrize("k", range(3))
def test_weight_norm_in_copies_functional_calls_and_compiled(k: int) -> None:
    layer, x, _ = wn_layers()[k]
    y, copy = layer(x), deepcopy(layer)
    torch.testing.assert_close(copy(x), y)
    buffers = {name: b.clone() for name, b in layer.named_buffers()}
    torch.testing.assert_close(torch.func.functional_call(layer, buffers, (x,)), y)
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), y)


def test_weight_normalised_layers_start_from_a_batch() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(
        WNConv2d(3, 6, 3),
        nn.ReLU(),
        WNConvTranspose2d(6, 4, 3),
        nn.Flatten(),
        WNLinear(4 * 64, 5, init_std=0.1),
    )
    x = torch.randn(20, 3, 8, 8) * 3 + 1
    initialize_from(net, x)
    for n, std in [(1, 1.0), (3, 1.0), (5, 0.1)]:
        y = net[:n](x).transpose(0, 1).flatten(1)
        torch.testing.assert_close(y.mean(1), torch.zeros(len(y)), rtol=0, atol=1e-4)
        torch.testing.assert_close(y.std(1, correction=0), torch.full((len(y),), std))
    assert not any(module._forward_pre_hooks for module in net.modules())


def test_openais_minibatch_layer() -> None:
    torch.manual_seed(0)
    layer, f = WNMinibatchDiscrimination(7, 4, 3).double(), torch.randn(9, 7, dtype=torch.float64)
    theta = layer.t.weight.detach()
    nn.init.normal_(layer.log_gain)
    scale = layer.log_gain.detach().exp().flatten() / torch.linalg.vector_norm(theta, dim=1)
    m = (f @ (theta * scale[:, None]).T).reshape(9, 4, 3)
    expected = minibatch_similarity(m) - 1  # the bias starts at -1
    torch.testing.assert_close(layer(f)[:, 7:].detach(), expected, rtol=1e-5, atol=1e-5)


def test_openais_minibatch_layer_starts_from_a_batch() -> None:
    torch.manual_seed(0)
    layer, f = WNMinibatchDiscrimination(7, 4, 3), torch.randn(30, 7) * 5
    initialize_from(layer, f)
    m = layer.project(f).detach()
    distance = torch.stack([torch.cdist(m[:, b], m[:, b], p=1) for b in range(4)])
    nearest = (distance + torch.eye(30) * 1e6).amin(2).mean(1)
    torch.testing.assert_close(nearest, torch.full((4,), 2.0))
    torch.testing.assert_close(layer(f)[:, 7:].mean(0), torch.zeros(4), rtol=0, atol=1e-5)
