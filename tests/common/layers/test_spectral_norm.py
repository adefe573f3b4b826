"""layers/spectral_norm.py: against SVD, torch's and finite differences; layers one by one and
together.
"""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from ganlib.common.layers.spectral_norm import (
    SNConv2d,
    SNEmbedding,
    SNLinear,
    iterate_together,
    spectral_normalize,
)
from ganlib.common.losses import gradient_penalty
from ganlib.common.networks.dcgan import SNDCGANDiscriminator
from ganlib.common.networks.mlp import MLPDiscriminator
from ganlib.common.networks.resnet import ResNetDiscriminator


def conv() -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    return SNConv2d(3, 5, 3, 2, 1), torch.randn(2, 3, 6, 6)


def linear() -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    return SNLinear(7, 4), torch.randn(2, 7)


def embedding() -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    return SNEmbedding(6, 4), torch.tensor([5, 0, 0])


LAYERS = [conv, linear]
Make = Callable[[], tuple[nn.Module, Tensor]]


def test_one_power_iteration_in_numbers() -> None:
    weight = torch.tensor([[3.0, 0.0], [4.0, 5.0]])
    normalized, u = spectral_normalize(weight, torch.tensor([2.0, 0.0]))
    # v = (6, 0) / 6, W v = (3, 4), u = (0.6, 0.8), sigma = u . W v = 5
    torch.testing.assert_close(u, torch.tensor([0.6, 0.8]))
    torch.testing.assert_close(normalized, weight / 5)


@pytest.mark.parametrize("make", [*LAYERS, embedding])
def test_it_converges_to_the_largest_singular_value(make: Make) -> None:
    layer, x = make()
    for _ in range(300):
        layer(x)
    matrix = layer.weight.detach().reshape(len(layer.weight), -1)
    normalized, _ = spectral_normalize(layer.weight.detach(), layer.u)
    sigma = torch.linalg.svdvals(matrix)[0]
    torch.testing.assert_close(normalized, layer.weight.detach() / sigma)
    assert torch.linalg.matrix_norm(normalized.flatten(1), 2).item() == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize("make", LAYERS)
def test_it_agrees_with_torch(make: Make) -> None:
    layer, x = make()
    theirs: nn.Module = nn.Conv2d(3, 5, 3, 2, 1) if isinstance(layer, SNConv2d) else nn.Linear(7, 4)
    theirs.load_state_dict({"weight": layer.weight, "bias": layer.bias})
    theirs = parametrizations.spectral_norm(theirs, n_power_iterations=300)
    for _ in range(300):
        layer(x)
    torch.testing.assert_close(layer(x), theirs(x))


@pytest.mark.parametrize("make", [*LAYERS, embedding])
def test_u_moves_in_training_only(make: Make) -> None:
    layer, x = make()
    start = layer.u.clone()
    layer.eval()
    first = layer(x)
    assert torch.equal(layer.u, start)
    layer.train()
    # The same iteration runs in both modes; training keeps it, in place.
    place = layer.u.data_ptr()
    assert torch.equal(layer(x), first)
    assert not torch.equal(layer.u, start)
    assert layer.u.data_ptr() == place
    assert layer.u.norm().item() == pytest.approx(1)


@pytest.mark.parametrize("make", [*LAYERS, embedding])
def test_u_is_saved_and_no_parameter(make: Make) -> None:
    layer, x = make()
    assert layer.u.shape == (len(layer.weight),)
    names = ["weight"] if isinstance(layer, SNEmbedding) else ["weight", "bias"]
    assert [name for name, _ in layer.named_parameters()] == names
    layer(x)
    copy, _ = make()
    copy.load_state_dict(layer.state_dict())
    assert torch.equal(copy.u, layer.u)
    assert torch.equal(copy(x), layer(x))


def test_u_starts_as_unnormalised_noise() -> None:
    torch.manual_seed(0)
    assert SNLinear(2, 10_000).u.std().item() == pytest.approx(1, abs=0.03)


def test_an_embedding_is_a_linear_layer_of_one_hot_vectors() -> None:
    """The matrix (classes, dim) as it is: that of the linear layer is its transpose."""
    torch.manual_seed(0)
    layer = SNEmbedding(6, 4).double()
    matrix, _ = spectral_normalize(layer.weight.detach(), layer.u)
    y = torch.tensor([5, 0, 0, 3])
    torch.testing.assert_close(layer.eval()(y), torch.nn.functional.one_hot(y, 6).double() @ matrix)
    parts = torch.rand(3, 6, dtype=torch.float64)
    torch.testing.assert_close(layer(parts), parts @ matrix)


def test_the_bias_is_untouched() -> None:
    layer = SNLinear(3, 2)
    torch.testing.assert_close(layer(torch.zeros(1, 3))[0], layer.bias)
    assert SNLinear(3, 2, bias=False).bias is None
    assert SNLinear(3, 2, False).bias is None


def test_a_bias_of_a_convolution_by_position_is_refused() -> None:
    """It would be the dilation."""
    with pytest.raises(TypeError, match="^SNConv2d takes bias by keyword"):
        SNConv2d(3, 5, 3, 1, 1, False)
    assert SNConv2d(3, 5, 3, 1, 1, bias=False).bias is None


@pytest.mark.parametrize("shape", [(4, 3), (4, 2, 3, 3), (1, 6)])
def test_gradient_with_u_and_v_constant(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    weight = torch.randn(shape, dtype=torch.float64)
    u0, c = torch.randn(shape[0], dtype=torch.float64), torch.randn(shape, dtype=torch.float64)
    matrix = weight.reshape(shape[0], -1)
    v = matrix.T @ u0 / (matrix.T @ u0).norm()
    u = matrix @ v / (matrix @ v).norm()

    def f(weight: Tensor) -> float:
        return float((c * weight / (u @ weight.reshape(shape[0], -1) @ v)).sum())

    expected = torch.empty_like(weight)
    for i in range(weight.numel()):
        step = torch.zeros(weight.numel(), dtype=torch.float64)
        step[i] = 1e-6
        step = step.reshape(shape)
        expected.view(-1)[i] = (f(weight + step) - f(weight - step)) / 2e-6
    leaf = weight.clone().requires_grad_()
    (found,) = torch.autograd.grad((c * spectral_normalize(leaf, u0)[0]).sum(), leaf)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


def test_autocast_does_not_round_sigma() -> None:
    weight, u = torch.randn(8, 9), torch.randn(8)
    expected = spectral_normalize(weight, u)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(spectral_normalize(weight, u), expected, rtol=0, atol=0)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's compiler uses torch.jit
def test_compiled_gradients_are_not_of_the_next_u() -> None:
    # This backend divides the graph as inductor does, which may recompute in the backward pass.
    torch._dynamo.reset()
    torch.manual_seed(0)
    layers: list[nn.Module] = [SNConv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Flatten()]
    dis = nn.Sequential(*layers, SNLinear(64, 1)).double()
    twin, x = deepcopy(dis), torch.randn(4, 1, 4, 4, dtype=torch.float64)
    compiled = torch.compile(dis, fullgraph=True, backend="aot_eager_decomp_partition")
    for _ in range(2):
        torch.testing.assert_close(
            torch.autograd.grad(compiled(x).square().mean(), list(dis.parameters())),
            torch.autograd.grad(twin(x).square().mean(), list(twin.parameters())),
        )
        torch.testing.assert_close(dict(dis.named_buffers()), dict(twin.named_buffers()))


# --- All layers of a network at once


def resnet() -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    network = ResNetDiscriminator((3, 8, 8), 4, SNConv2d, SNLinear)
    return network.double(), torch.randn(2, 3, 8, 8, dtype=torch.float64)


def layers(network: nn.Module) -> list[Any]:
    return [m for m in network.modules() if isinstance(m, SNConv2d | SNLinear)]


def test_together_they_compute_what_they_do_alone() -> None:
    """Outputs, gradients and u over three passes, and a penalty, which moves no u."""
    together, x = resnet()
    alone = deepcopy(together)
    iterate_together(together)
    assert type(together) is not type(alone) and isinstance(together, type(alone))
    for _ in range(3):
        pairs = []
        for network in (together, alone):
            y = network(x)
            penalty = gradient_penalty(network, x)
            gradients = torch.autograd.grad(y.sum() + penalty, list(network.parameters()))
            pairs.append((y, penalty, *gradients, *(layer.u for layer in layers(network))))
        for a, b in zip(*pairs, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)
    assert together.state_dict().keys() == alone.state_dict().keys()


def test_together_is_with_fewer_operations() -> None:
    network, x = resnet()
    counts = []
    for _ in range(2):
        with torch.profiler.profile() as profile:
            network(x)
        counts.append(sum(event.count for event in profile.key_averages()))
        iterate_together(network)
    assert counts[1] < 0.8 * counts[0]


def test_in_evaluation_u_stays() -> None:
    network, x = resnet()
    iterate_together(network)
    network.eval()
    start = [layer.u.clone() for layer in layers(network)]
    expected = deepcopy(network)
    expected.__class__ = ResNetDiscriminator
    assert torch.equal(network(x), expected(x))
    assert all(torch.equal(layer.u, u) for layer, u in zip(layers(network), start, strict=True))


def test_a_norm_is_forgotten_after_the_pass_even_a_failed_one() -> None:
    network, x = resnet()
    iterate_together(network)
    network(x)
    with pytest.raises(RuntimeError):
        network(x[:, :1])
    assert all(layer.sigma is None for layer in layers(network))


def test_a_copy_iterates_its_own_layers() -> None:
    network, x = resnet()
    iterate_together(network)
    copy = deepcopy(network)
    start = [layer.u.clone() for layer in layers(network)]
    copy(x)
    assert all(torch.equal(layer.u, u) for layer, u in zip(layers(network), start, strict=True))
    assert not torch.equal(layers(copy)[0].u, start[0])


@pytest.mark.parametrize(
    "network",
    [SNDCGANDiscriminator((3, 16, 16), 16), MLPDiscriminator((2, 1, 1), linear=SNLinear)],
)
def test_a_network_with_few_equal_matrices_stays_as_it_is(network: nn.Module) -> None:
    before = type(network)
    iterate_together(network)
    assert type(network) is before
