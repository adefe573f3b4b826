"""WGAN's networks: the authors' DCGAN for 32 or 64 pixels, and their fully connected ones."""

from torch import nn

from ganlib.common.data import DataSpec, Shape
from ganlib.common.mlp import MLPDiscriminator, MLPGenerator
from ganlib.common.net import NetConfig, halvings, scaled
from ganlib.dcgan.net import mlp, torch_like


def build(config: NetConfig, spec: DataSpec) -> dict[str, nn.Module]:
    """The generator and the critic of config.architecture for spec.image."""
    return ARCHITECTURES[config.architecture](spec.image, config.width)


def dcgan(image: Shape, width: float) -> dict[str, nn.Module]:
    """WassersteinGAN models/dcgan.py: z 100 ~ N(0, 1), 4x4 kernels, a layer for each doubling from
    4 pixels on. H and W: the same power of 2, at least 8.

    The gains of the batch normalisation in the critic are what makes it Lipschitz: without them
    (chainer-gan-lib's DCGANDiscriminator) it undoes the clipping of the weights before it.
    """
    n = image[1].bit_length() - 3
    return torch_like(image, halvings(scaled(32 << n, width), n - 1))


def dense(image: Shape, width: float) -> dict[str, nn.Module]:
    """WassersteinGAN models/mlp.py (--mlp_G --mlp_D): z 100 ~ N(0, 1), three layers of 64.

    There the weights start as PyTorch's own; here as those of `mlp`.
    """
    half = width / 2  # of the 128 units of common/mlp.py
    return {"gen": MLPGenerator(image, 100, half), "dis": MLPDiscriminator(image, half)}


ARCHITECTURES = {"dcgan": dcgan, "dense": dense, "mlp": mlp}
