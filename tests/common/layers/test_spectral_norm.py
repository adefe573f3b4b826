"""layers/spectral_norm.py: against SVD, torch's and finite differences, and what it costs."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations
from torch.utils._python_dispatch import TorchDispatchMode

from ganlib.common.layers import spectral_norm
from ganlib.common.layers.spectral_norm import (
    SNConv2d,
    SNEmbedding,
    SNLinear,
    spectral_normalize,
)


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


LAYOUTS = [torch.contiguous_format, torch.channels_last]


@pytest.mark.parametrize("shape", [(4, 3), (4, 2, 3, 3), (1, 6), (5, 1, 2, 2), (3, 4, 1, 1)])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_first_and_second_derivatives(
    shape: tuple[int, ...], layout: torch.memory_format, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By finite differences, of both ways to them, with u and v held as in the formula."""
    torch.manual_seed(0)
    weight, u0 = torch.randn(shape, dtype=torch.float64), torch.randn(shape[0]).double()
    if weight.dim() == 4:
        weight = weight.to(memory_format=layout)
    vectors: dict[int, Tensor] = {}
    unit = spectral_norm._unit
    monkeypatch.setattr(
        spectral_norm, "_unit", lambda x: vectors.setdefault(len(x), unit(x)).clone()
    )
    weight.requires_grad_()

    def normalized(weight: Tensor) -> Tensor:
        return spectral_normalize(weight, u0)[0]

    assert torch.autograd.gradcheck(normalized, weight, check_undefined_grad=False)
    assert torch.autograd.gradgradcheck(normalized, weight, check_undefined_grad=False)
    ways = [spectral_norm._ClosedForm.apply, spectral_norm._normalize]
    slopes = []
    for way in ways:
        found, *_ = way(weight.flatten(1), u0)
        (slope,) = torch.autograd.grad(found.sin().sum(), weight, create_graph=True)
        slopes.append((found, slope, *torch.autograd.grad(slope.cos().sum(), weight)))
    for closed, plain in zip(*slopes, strict=True):
        torch.testing.assert_close(closed, plain, rtol=1e-12, atol=1e-12)


class Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """The names of what runs in it, in order, but for views, which compute nothing."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if not func.is_view:
            self.names.append(func._schema.name)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_it_costs_15_operations_and_keeps_the_layout(layout: torch.memory_format) -> None:
    """Ten of a pass, one to keep u, four of its gradient; none of them copies the weight."""
    layer = SNConv2d(3, 5, 3).to(memory_format=layout)  # type: ignore[call-overload]
    g = torch.randn(5, 3, 3, 3).contiguous(memory_format=layout)
    with Operations() as operations:
        normalized = layer.effective_weight()
        (slope,) = torch.autograd.grad(normalized, layer.weight, g)
    assert len(operations.names) == 10 + 1 + 4
    assert operations.names.count("aten::copy_") == 1 and "aten::clone" not in operations.names
    assert normalized.stride() == slope.stride() == layer.weight.stride()


def test_an_ensemble_in_one_call_is_its_members() -> None:
    torch.manual_seed(0)
    layers, x = [SNConv2d(3, 5, 3).eval() for _ in range(3)], torch.randn(2, 3, 6, 6)

    def loss(state: dict[str, Tensor]) -> Tensor:
        return torch.func.functional_call(layers[0], state, (x,)).square().sum()

    state = {k: torch.stack([layer.state_dict()[k] for layer in layers]) for k in ("weight", "u")}
    found = torch.func.vmap(torch.func.grad(loss))(state)["weight"]
    for layer, slope in zip(layers, found, strict=True):
        layer.bias = layers[0].bias
        (expected,) = torch.autograd.grad(layer(x).square().sum(), layer.weight)
        torch.testing.assert_close(slope, expected, rtol=1e-4, atol=1e-4)
