"""The small networks of linear layers."""

import pytest
import torch
from parameters import count
from torch import nn

from ganlib.common.layers.spectral_norm import SNLinear, spectral_normalize
from ganlib.common.networks.mlp import MLPDiscriminator, MLPGenerator

IMAGES = [(2, 1, 1), (1, 28, 28), (3, 32, 24)]


@pytest.mark.parametrize("image", IMAGES)
@pytest.mark.parametrize(("width", "h"), [(1.0, 128), (0.25, 32)])
def test_shapes_and_parameters(image: tuple[int, int, int], width: float, h: int) -> None:
    d = image[0] * image[1] * image[2]
    gen, dis = MLPGenerator(image, n_hidden=5, width=width), MLPDiscriminator(image, width, n_out=3)
    z = gen.make_hidden(4)
    assert z.shape == (4, 5)
    assert gen(z).shape == (4, *image)
    assert dis(gen(z)).shape == (4, 3) and dis.features(gen(z)).shape == (4, h)
    inner = 2 * (h * h + h)
    assert count(gen) == (5 * h + h) + inner + (h * d + d)
    assert count(dis) == (d * h + h) + inner + (h * 3 + 3)


def test_points_have_little_noise() -> None:
    assert MLPGenerator((2, 1, 1)).n_hidden == 4 and MLPGenerator((1, 28, 28)).n_hidden == 128


def test_channels_and_pixels_keep_their_places() -> None:
    gen = MLPGenerator((3, 4, 5))
    z = gen.make_hidden(2)
    flat = gen.l4(gen.layers(z))
    assert gen(z)[1, 2, 3, 4] == flat[1, 2 * 20 + 3 * 5 + 4]


def test_samples_are_not_bounded() -> None:
    """A point may have to lie anywhere: no tanh, and no dead start either."""
    torch.manual_seed(0)
    gen = MLPGenerator((2, 1, 1))
    x = gen(100 * gen.make_hidden(64))
    assert x.abs().max() > 1 and gen(gen.make_hidden(64)).std() > 0.1


def test_biases_start_at_zero() -> None:
    for net in (MLPGenerator((2, 1, 1)), MLPDiscriminator((2, 1, 1))):
        assert not any(p.any() for name, p in net.named_parameters() if name.endswith("bias"))


def test_a_normalised_discriminator_has_spectral_norms_of_at_most_one() -> None:
    torch.manual_seed(0)
    dis = MLPDiscriminator((2, 1, 1), linear=SNLinear)
    with torch.no_grad():
        for p in dis.parameters():
            p.mul_(7)
    for _ in range(50):
        dis(torch.randn(4, 2, 1, 1))
    layers = [m for m in dis.modules() if isinstance(m, nn.Linear)]
    assert len(layers) == 4
    for layer in layers:
        assert isinstance(layer, SNLinear)
        weight, _ = spectral_normalize(layer.weight, layer.u)
        assert torch.linalg.matrix_norm(weight, 2).item() == pytest.approx(1, abs=0.03)
    x = torch.randn(256, 2, 1, 1)
    dis.eval()
    slope = torch.func.vmap(torch.func.grad(lambda x: dis(x[None]).sum()))(x)
    # ReLU and four such layers: a Lipschitz constant of 1.03^4 at most
    assert slope.flatten(1).norm(dim=1).max() < 1.13
