import numpy as np
import pytest
import torch

from ganlib.evaluation.statistics.moments import Moments


def test_moments_are_numpys() -> None:
    x = torch.randn(1000, 7) + 3
    moments = Moments(7)
    for part in torch.split(x, 64):
        moments.update(part)
    assert moments.n == 1000
    np.testing.assert_allclose(moments.mean(), x.double().mean(0), rtol=1e-14)
    np.testing.assert_allclose(
        moments.covariance(), np.cov(x.double().numpy(), rowvar=False), rtol=0, atol=1e-13
    )


def test_merging_is_addition() -> None:
    x = torch.randn(500, 5)
    whole, first, second = Moments(5), Moments(5), Moments(5)
    whole.update(x)
    first.update(x[:123])
    second.update(x[123:])
    first.merge(second)
    assert first.n == whole.n
    torch.testing.assert_close(first.covariance(), whole.covariance(), rtol=0, atol=1e-13)


def test_one_vector_has_no_covariance() -> None:
    moments = Moments(3)
    moments.update(torch.ones(1, 3))
    with pytest.raises(ValueError, match="two"):
        moments.covariance()
