"""common/layers.py: spectral normalisation against SVD and torch's, norms, maxout."""

from collections.abc import Callable
from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from common.layers import (
    LEAK,
    BatchNorm1d,
    BatchNorm2d,
    BiasBatchNorm1d,
    BiasBatchNorm2d,
    GaussianNoise,
    Maxout,
    MinibatchDiscrimination,
    SNConv2d,
    SNLinear,
    evaluating,
    minibatch_similarity,
    spectral_normalize,
)

# --- Spectral normalisation


def conv() -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    return SNConv2d(3, 5, 3, 2, 1), torch.randn(2, 3, 6, 6)


def linear() -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    return SNLinear(7, 4), torch.randn(2, 7)


LAYERS = [conv, linear]
Make = Callable[[], tuple[nn.Module, Tensor]]


def test_one_power_iteration_in_numbers() -> None:
    weight = torch.tensor([[3.0, 0.0], [4.0, 5.0]])
    normalized, u = spectral_normalize(weight, torch.tensor([2.0, 0.0]))
    # v = (6, 0) / 6, W v = (3, 4), u = (0.6, 0.8), sigma = u . W v = 5
    torch.testing.assert_close(u, torch.tensor([0.6, 0.8]))
    torch.testing.assert_close(normalized, weight / 5)


@pytest.mark.parametrize("make", LAYERS)
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
    theirs = spectral_norm(theirs, n_power_iterations=300)
    for _ in range(300):
        layer(x)
    torch.testing.assert_close(layer(x), theirs(x))


@pytest.mark.parametrize("make", LAYERS)
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


@pytest.mark.parametrize("make", LAYERS)
def test_u_is_saved_and_no_parameter(make: Make) -> None:
    layer, x = make()
    assert layer.u.shape == (len(layer.weight),)
    assert [name for name, _ in layer.named_parameters()] == ["weight", "bias"]
    layer(x)
    copy, _ = make()
    copy.load_state_dict(layer.state_dict())
    assert torch.equal(copy.u, layer.u)
    assert torch.equal(copy(x), layer(x))


def test_u_starts_as_unnormalised_noise() -> None:
    torch.manual_seed(0)
    assert SNLinear(2, 10_000).u.std().item() == pytest.approx(1, abs=0.03)


def test_the_bias_is_untouched() -> None:
    layer = SNLinear(3, 2)
    torch.testing.assert_close(layer(torch.zeros(1, 3))[0], layer.bias)
    assert SNLinear(3, 2, bias=False).bias is None


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


# --- Batch normalisation


def test_batch_norm_is_chainers() -> None:
    for norm in (BatchNorm1d(3), BatchNorm2d(3), BiasBatchNorm2d(3)):
        assert (norm.eps, norm.momentum) == (2e-5, 0.1)


def test_bias_batch_norm_has_no_gain() -> None:
    torch.manual_seed(0)
    ours, theirs = BiasBatchNorm2d(3), BatchNorm2d(3)
    assert [name for name, _ in ours.named_parameters()] == ["bias"]
    assert "weight" not in ours.state_dict()
    with torch.no_grad():
        ours.bias.copy_(torch.randn(3))
        theirs.bias.copy_(ours.bias)
    x = torch.randn(4, 3, 2, 2)
    torch.testing.assert_close(ours(x), theirs(x))
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))
    copy = BiasBatchNorm2d(3)
    copy.load_state_dict(ours.state_dict())
    torch.testing.assert_close(deepcopy(copy).eval()(x), ours(x))


# --- Maxout


def test_maxout_is_a_loop_over_units_and_pieces() -> None:
    torch.manual_seed(0)
    layer = Maxout(4, 3, 5)
    nn.init.normal_(layer.linear.bias)
    x = torch.randn(6, 4)
    y = layer(x)
    assert y.shape == (6, 3)
    weight, bias = layer.linear.weight.tolist(), layer.linear.bias.tolist()
    assert len(weight) == 15
    for n in range(6):
        for unit in range(3):
            pieces = [
                sum(w * v for w, v in zip(weight[k], x[n].tolist(), strict=True)) + bias[k]
                for k in range(5 * unit, 5 * unit + 5)
            ]
            assert y[n, unit].item() == pytest.approx(max(pieces), abs=1e-5)


def test_only_the_largest_piece_has_a_gradient() -> None:
    layer = Maxout(1, 2, 3)
    with torch.no_grad():
        layer.linear.weight.copy_(torch.tensor([1.0, 3, 2, 6, 4, 5])[:, None])
        layer.linear.bias.zero_()
    layer(torch.ones(1, 1)).sum().backward()
    assert layer.linear.weight.grad.flatten().tolist() == [0, 1, 0, 1, 0, 0]


def test_leak_is_chainers() -> None:
    assert LEAK == 0.2


def test_evaluating_uses_the_averages_and_gives_the_mode_back() -> None:
    for training in (True, False):
        net = nn.Sequential(nn.BatchNorm1d(3)).train(training)
        net[0].running_mean.fill_(2)
        x = torch.randn(5, 3)
        with pytest.raises(RuntimeError, match="inside"), evaluating(net):
            torch.testing.assert_close(net(x), (x - 2) / (1 + 1e-5) ** 0.5)
            raise RuntimeError("inside")
        assert net.training == net[0].training == training
        assert torch.equal(net[0].running_mean, torch.full((3,), 2.0))


def test_bias_batch_norm_of_vectors_has_no_gain() -> None:
    torch.manual_seed(0)
    norm, x = BiasBatchNorm1d(3, eps=1e-6), torch.randn(50, 3) * 4 + 1
    assert [name for name, _ in norm.named_parameters()] == ["bias"]
    assert "weight" not in norm.state_dict()
    expected = (x - x.mean(0)) / (x.var(0, correction=0) + 1e-6).sqrt()
    torch.testing.assert_close(norm(x), expected)


# --- Minibatch discrimination


def similarity_by_loops(m: Tensor) -> Tensor:
    n, n_kernels, _ = m.shape
    o = np.zeros((n, n_kernels))
    for i in range(n):
        for j in range(n):
            for b in range(n_kernels):
                if i != j:
                    o[i, b] += np.exp(-np.abs(m[i, b].numpy() - m[j, b].numpy()).sum())
    return torch.from_numpy(o)


def test_minibatch_similarity_is_the_papers() -> None:
    torch.manual_seed(0)
    m = torch.randn(6, 4, 3, dtype=torch.float64)
    torch.testing.assert_close(minibatch_similarity(m), similarity_by_loops(m))


def test_minibatch_similarity_of_copies_and_of_one() -> None:
    assert minibatch_similarity(torch.ones(5, 2, 3)).tolist() == [[4.0, 4.0]] * 5
    assert minibatch_similarity(torch.ones(1, 2, 3)).tolist() == [[0.0, 0.0]]
    # small similarities are not lost beside that of a sample with itself
    m = torch.tensor([0.0, 30.0]).view(2, 1, 1)
    assert minibatch_similarity(m)[0].item() == pytest.approx(np.exp(-30), rel=1e-5)


def test_minibatch_similarity_has_the_right_slope() -> None:
    torch.manual_seed(0)
    m = torch.randn(4, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(minibatch_similarity, (m,))


def test_minibatch_layer_keeps_the_features_beside_the_similarities() -> None:
    torch.manual_seed(0)
    layer, f = MinibatchDiscrimination(7, 4, 3).double(), torch.randn(5, 7, dtype=torch.float64)
    t = layer.t.weight.detach().reshape(4, 3, 7)
    m = torch.einsum("na,bca->nbc", f, t)
    y = layer(f)
    assert torch.equal(y[:, :7], f)
    torch.testing.assert_close(y[:, 7:].detach(), similarity_by_loops(m))


def test_gaussian_noise_in_training_only() -> None:
    torch.manual_seed(0)
    layer, x = GaussianNoise(0.2), torch.ones(10_000)
    assert (layer(x) - x).std().item() == pytest.approx(0.2, rel=0.05)
    assert torch.equal(layer.eval()(x), x)
