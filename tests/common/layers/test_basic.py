"""common/layers/basic.py: norms, padding, maxout, similarities, noise, modes."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganlib.common.layers import (
    LEAK,
    BatchNorm1d,
    BatchNorm2d,
    BiasBatchNorm1d,
    BiasBatchNorm2d,
    GaussianNoise,
    Maxout,
    MinibatchDiscrimination,
    evaluating,
    minibatch_similarity,
)
from ganlib.common.layers.basic import SameConv2d

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


# --- Convolution


@pytest.mark.parametrize("n", [6, 7])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (5, 1), (5, 2)])
def test_padding_is_tensorflows(n: int, kernel: int, stride: int) -> None:
    """By a loop: window i begins before pixel i * stride by half of all zeros, rounded down."""
    torch.manual_seed(0)
    conv = SameConv2d(1, 1, kernel, stride).double()
    x, outputs = torch.randn(1, 1, n, n).double(), -(-n // stride)
    before = max((outputs - 1) * stride + kernel - n, 0) // 2
    wanted = conv.bias.new_zeros(outputs, outputs) + conv.bias
    for i in range(outputs):
        for j in range(outputs):
            for a in range(kernel):
                for b in range(kernel):
                    row, column = i * stride - before + a, j * stride - before + b
                    if 0 <= row < n and 0 <= column < n:
                        wanted[i, j] += conv.weight[0, 0, a, b] * x[0, 0, row, column]
    torch.testing.assert_close(conv(x)[0, 0], wanted)


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
