"""common/layers/attention.py: against PyTorch's own attention, and by hand."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlib.common.layers.attention import SelfAttention
from ganlib.common.layers.spectral_norm import SNConv2d, spectral_normalize


def layer(ch: int = 16, gamma: float = 0.7) -> SelfAttention:
    torch.manual_seed(0)
    attention = SelfAttention(ch).double().eval()
    nn.init.constant_(attention.gamma, gamma)
    return attention


def by_pytorch(attention: SelfAttention, x: Tensor) -> Tensor:
    """One head, whose products are not scaled; a 1x1 convolution as a matrix of each pixel."""
    n, ch, height, width = x.shape

    def matrix(conv: nn.Module) -> Tensor:
        return spectral_normalize(conv.weight, conv.u)[0][:, :, 0, 0]

    def rows(h: Tensor) -> Tensor:
        return h.reshape(n, h.shape[1], -1).transpose(1, 2)

    theta, phi, g = (
        torch.einsum("oc,nchw->nohw", matrix(conv), x)
        for conv in (attention.theta, attention.phi, attention.g)
    )
    key, value = (rows(F.max_pool2d(h, 2)) for h in (phi, g))
    seen = F.scaled_dot_product_attention(rows(theta), key, value, scale=1.0)
    seen = torch.einsum("oc,npc->nop", matrix(attention.o), seen)
    return x + attention.gamma * seen.reshape(n, ch, height, width)


@pytest.mark.parametrize("shape", [(2, 16, 4, 4), (1, 16, 6, 2)])
def test_it_is_pytorchs_with_scale_1(shape: tuple[int, ...]) -> None:
    attention, x = layer(), 3 * torch.randn(shape, dtype=torch.float64)
    found = attention(x)
    torch.testing.assert_close(found, by_pytorch(attention, x))
    assert (found - x).abs().max() > 0.1


def test_it_starts_as_the_identity() -> None:
    torch.manual_seed(0)
    attention, x = SelfAttention(16), torch.randn(2, 16, 4, 4)
    assert torch.equal(attention(x), x)
    (slope,) = torch.autograd.grad(attention(x).sum(), attention.gamma)
    assert slope != 0


def test_its_layers_are_the_released_codes() -> None:
    convs = [m for m in SelfAttention(256).modules() if isinstance(m, nn.Conv2d)]
    assert all(isinstance(m, SNConv2d) and m.bias is None for m in convs)
    assert all(m.kernel_size == (1, 1) for m in convs)
    sizes = [(m.in_channels, m.out_channels) for m in convs]
    assert sizes == [(256, 32), (256, 32), (256, 128), (128, 256)]
    assert SelfAttention(3)(torch.randn(1, 3, 2, 2)).shape == (1, 3, 2, 2)


def test_every_pixel_sees_the_far_corner() -> None:
    attention = layer()
    x = torch.randn(1, 16, 8, 8, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(attention(x)[0, :, 0, 0].sum(), x)
    assert slope[0, :, 7].any() and slope[0, :, :, 7].any()


def test_its_gradients_have_gradients() -> None:
    attention = SelfAttention(8).double().eval()
    nn.init.ones_(attention.gamma)
    x = torch.randn(1, 8, 2, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(attention, (x,), atol=1e-3)
