"""The study's networks, after InfoGAN's (compare_gan v1.0, src/gans/abstract_gan.py, BEGAN.py,
VAE.py): all inside of them are pixels in [0, 1].
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch.nn.functional as F
from torch import Tensor, nn

from ganlib.common.data import Shape
from ganlib.common.generator import Generator, Latent
from ganlib.common.layers import LEAK
from ganlib.common.layers.init import init_normal, init_truncated_normal

Activation = Callable[[], nn.Module]


def leaky() -> nn.Module:
    """max(h, h / 5)."""
    return nn.LeakyReLU(LEAK)


class BatchNorm(nn.modules.batchnorm._BatchNorm):
    """Of (N, C) and of (N, C, H, W) with epsilon 1e-3; the running averages decay by 0.999, that of
    the variance too towards the plain mean of squares, where PyTorch's corrects by n / (n - 1).

    passes: by how many passes of what comes next the running averages move.
    """

    running_mean: Tensor
    running_var: Tensor
    passes = 1

    def __init__(self, ch: int) -> None:
        super().__init__(ch, eps=1e-3)

    def _check_input_dim(self, input: Tensor) -> None:
        """Both kinds of input are right."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C) or (N, C, H, W) -> the same shape."""
        if not self.training:
            return super().forward(x)
        n, decay = x.numel() // x.shape[1], 0.999**self.passes
        # of copies, because gradients need what is given here as it is
        mean, var = self.running_mean.clone(), self.running_var.clone()
        y = F.batch_norm(x, mean, var, self.weight, self.bias, True, 1 - decay, self.eps)
        self.running_mean.copy_(mean)
        self.running_var.mul_(decay / n).add_(var, alpha=1 - 1 / n)
        return y


@contextmanager
def counted(network: nn.Module, passes: int) -> Iterator[None]:
    """Within, a pass moves running averages as so many equal ones would."""
    layers = [layer for layer in network.modules() if isinstance(layer, BatchNorm)]
    for layer in layers:
        layer.passes = passes
    yield
    for layer in layers:
        layer.passes = 1


def norm(ch: int, bn: bool = True) -> nn.Module:
    """Batch normalisation, or nothing."""
    return BatchNorm(ch) if bn else nn.Identity()


def down(d_in: int, d_out: int) -> nn.Module:
    """Half the pixels on each side."""
    return nn.Conv2d(d_in, d_out, 4, stride=2, padding=1)


def up(d_in: int, d_out: int) -> nn.Module:
    """Twice the pixels on each side."""
    return nn.ConvTranspose2d(d_in, d_out, 4, stride=2, padding=1)


def init(net: nn.Module) -> None:
    """Weights N(0, 0.02^2), those of convolutions truncated at two deviations; biases 0."""
    init_normal(net, 0.02)
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            init_truncated_normal(layer, 0.02)


class Gen(Generator):
    """Two linear layers, two transposed convolutions, a sigmoid; `layers`: z (N, 64) -> its logits
    (N, C, H, W). H and W: multiples of 4.
    """

    entries = ("layers",)

    def __init__(
        self, image: Shape, ch: int, latent: Latent = "uniform", activation: Activation = leaky
    ) -> None:
        super().__init__(64, latent)
        channels, height, width = image
        bottom = (2 * ch, height // 4, width // 4)
        size = math.prod(bottom)
        self.layers = nn.Sequential(
            *(nn.Linear(64, 16 * ch), norm(16 * ch), activation()),
            *(nn.Linear(16 * ch, size), norm(size), activation(), nn.Unflatten(1, bottom)),
            *(up(2 * ch, ch), norm(ch), activation()),
            up(ch, channels),
        )
        init(self)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """z (N, 64) -> images (N, C, H, W) in [-1, 1]; y is not used."""
        return 2 * self.layers(z).sigmoid() - 1


class Dis(nn.Module):
    """Two convolutions, two linear layers; also the VAE's encoder. bn: batch normalisation before
    the second and the third activation.
    """

    def __init__(self, image: Shape, ch: int, bn: bool, n_out: int = 1) -> None:
        super().__init__()
        channels, height, width = image
        self.layers = nn.Sequential(
            *(down(channels, ch), leaky()),
            *(down(ch, 2 * ch), norm(2 * ch, bn), leaky(), nn.Flatten()),
            *(nn.Linear(2 * ch * height * width // 16, 16 * ch), norm(16 * ch, bn), leaky()),
            nn.Linear(16 * ch, n_out),
        )
        init(self)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """x (N, C, H, W) in [0, 1] -> (N, n_out), of a discriminator logits; y is not used."""
        return self.layers(x)


class Autoencoder(nn.Module):
    """BEGAN's discriminator, with a code of 64. bn: as in Dis, behind the code."""

    def __init__(self, image: Shape, ch: int, bn: bool) -> None:
        super().__init__()
        channels, height, width = image
        bottom = (2 * ch, height // 4, width // 4)
        size = math.prod(bottom)
        self.layers = nn.Sequential(
            *(down(channels, ch), leaky(), down(ch, 2 * ch), nn.Flatten()),
            *(nn.Linear(size, ch), norm(ch, bn), leaky()),
            *(nn.Linear(ch, size), norm(size, bn), leaky(), nn.Unflatten(1, bottom)),
            *(up(2 * ch, ch), norm(ch, bn), leaky()),
            *(up(ch, channels), nn.Sigmoid()),
        )
        init(self)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """x (N, C, H, W) in [0, 1] -> its reconstruction, the same; y is not used."""
        return self.layers(x)
