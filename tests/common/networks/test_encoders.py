"""common/networks/dcgan.py: the mirror of a generator."""

import pytest
import torch
from torch import nn

from ganlib.common.networks.dcgan import DCGANEncoder, DCGANGenerator


def test_it_mirrors_the_generator() -> None:
    enc, gen = DCGANEncoder((3, 32, 32), 128, ch=32), DCGANGenerator((3, 32, 32), 128, ch=32)
    down = [m for m in enc.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    up = [m for m in gen.modules() if isinstance(m, nn.ConvTranspose2d | nn.Linear)]
    # a convolution and its transpose have weights of one shape; a linear layer's is transposed
    assert [m.weight.shape for m in down[:-1]] == [m.weight.shape for m in up[:0:-1]]
    assert down[-1].weight.shape == up[0].weight.T.shape


def test_number_of_parameters() -> None:
    with torch.device("meta"):
        enc = DCGANEncoder((3, 32, 32), 128)
    convolutions = 3 * 9 * 64 + 16 * (64 * 128 + 128 * 256 + 256 * 512) + (64 + 128 + 256 + 512)
    norms, linear = 2 * (128 + 256 + 512), 8192 * 128 + 128
    assert sum(p.numel() for p in enc.parameters()) == convolutions + norms + linear == 3_805_696


@pytest.mark.parametrize("image", [(1, 32, 32), (3, 48, 48), (3, 16, 24)])
def test_shapes_and_scale(image: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    enc = DCGANEncoder(image, 10, ch=16)
    h = enc(torch.rand(8, *image) * 2 - 1)
    assert h.shape == (8, 10) and h.std() > 0.05
    weights = [m.weight for m in enc.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert torch.cat([w.detach().flatten() for w in weights]).std().item() == pytest.approx(
        0.02, rel=0.03
    )
