"""common/layers/progressive.py: against loops over groups and samples."""

import numpy as np
import pytest
import torch

from ganlib.common.layers.progressive import minibatch_deviation


def by_loops(x: np.ndarray, size: int) -> np.ndarray:
    """For each sample the number that its channel holds; sample i is of group i mod (N / size)."""
    groups = len(x) // size
    numbers = np.zeros(len(x))
    for i in range(len(x)):
        group = np.stack([x[j] for j in range(len(x)) if j % groups == i % groups])
        assert len(group) == size
        mean = sum(group) / size
        variance = sum((one - mean) ** 2 for one in group) / size
        numbers[i] = np.sqrt(variance + 1e-8).mean()
    return numbers


@pytest.mark.parametrize(
    ("n", "group", "size"),
    [(8, 4, 4), (8, None, 8), (8, 16, 8), (6, 4, 3), (7, 4, 1), (12, 4, 4), (1, 4, 1)],
)
def test_it_is_the_loop(n: int, group: int | None, size: int) -> None:
    torch.manual_seed(0)
    x = torch.randn(n, 3, 4, 5, dtype=torch.float64)
    x *= torch.arange(1, n + 1)[:, None, None, None]  # so that every group has its own
    y = minibatch_deviation(x, group)
    assert y.shape == (n, 4, 4, 5) and torch.equal(y[:, :3], x)
    expected = np.broadcast_to(by_loops(x.numpy(), size)[:, None, None], (n, 4, 5))
    np.testing.assert_allclose(y[:, 3].numpy(), expected)


def test_equal_samples_deviate_by_nothing_and_have_derivatives() -> None:
    x = torch.ones(4, 2, 2, 2, dtype=torch.float64, requires_grad=True)
    y = minibatch_deviation(x)
    assert float(y[:, 2].detach().max()) == pytest.approx(1e-4)
    (slope,) = torch.autograd.grad(y[:, 2].sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(slope.square().sum(), x)
    assert torch.isfinite(slope).all() and torch.isfinite(second).all()


def test_its_derivatives() -> None:
    torch.manual_seed(0)
    x = torch.randn(4, 2, 2, 1, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: minibatch_deviation(x, 2), x)
    assert torch.autograd.gradgradcheck(lambda x: minibatch_deviation(x, 2), x)


def test_bfloat16_stays_bfloat16() -> None:
    x = torch.randn(8, 4, 2, 2).bfloat16()
    y = minibatch_deviation(x, 4)
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y.float(), minibatch_deviation(x.float(), 4), rtol=0.01, atol=0)
