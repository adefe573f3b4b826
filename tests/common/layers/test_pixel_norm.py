"""common/layers/progressive.py: by hand, in bfloat16, and its second derivative."""

import numpy as np
import torch

from ganlib.common.layers.progressive import pixel_norm


def test_every_pixel_has_a_mean_square_of_one() -> None:
    torch.manual_seed(0)
    x = 7 * torch.randn(2, 5, 3, 4, dtype=torch.float64)
    expected = x.numpy() / np.sqrt((x.numpy() ** 2).mean(1, keepdims=True) + 1e-8)
    np.testing.assert_allclose(pixel_norm(x).numpy(), expected)
    z = pixel_norm(torch.randn(4, 512))
    torch.testing.assert_close(z.norm(dim=1), torch.full((4,), 512**0.5))


def test_a_pixel_of_zeros_stays_one() -> None:
    x = torch.zeros(1, 3, 2, 2, dtype=torch.float64, requires_grad=True)
    y = pixel_norm(x)
    (slope,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(slope.square().sum(), x)
    assert not y.any() and torch.isfinite(slope).all() and torch.isfinite(second).all()


def test_its_first_and_second_derivatives() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, 2, 1, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(pixel_norm, x)
    assert torch.autograd.gradgradcheck(pixel_norm, x)


def test_bfloat16_stays_bfloat16_and_is_summed_exactly() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 512, 4, 4).bfloat16()
    y = pixel_norm(x)
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y.float(), pixel_norm(x.float()), rtol=0.02, atol=1e-3)
    assert (y.float().square().mean(1) - 1).abs().max() < 0.01
