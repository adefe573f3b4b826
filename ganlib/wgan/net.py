"""WGAN's networks: the authors' DCGAN for 32 or 64 pixels, and their fully connected ones."""

from torch import nn

from ganlib.common.data import DataSpec
from ganlib.common.generator import Architectures, NetConfig, halvings, scaled
from ganlib.common.networks.mlp import MLPDiscriminator, MLPGenerator, mlp
from ganlib.common.networks.quick import quick
from ganlib.dcgan.net import torch_like


def dcgan(config: NetConfig, spec: DataSpec) -> dict[str, nn.Module]:
    """WassersteinGAN models/dcgan.py: z 100 ~ N(0, 1), 4x4 kernels, a layer for each doubling from
    4 pixels on. H and W: the same power of 2, at least 8.

    The gains of the batch normalisation in the critic are what makes it Lipschitz: without them
    (chainer-gan-lib's DCGANDiscriminator) it undoes the clipping of the weights before it.
    """
    n = spec.image[1].bit_length() - 3
    return torch_like(spec.image, halvings(scaled(32 << n, config.width), n - 1))


def dense(config: NetConfig, spec: DataSpec) -> dict[str, nn.Module]:
    """WassersteinGAN models/mlp.py (--mlp_G --mlp_D): z 100 ~ N(0, 1), three layers of 64.

    There the weights start as PyTorch's own; here as those of `mlp`.
    """
    half = config.width / 2  # of the 128 units of common/networks/mlp.py
    return {"gen": MLPGenerator(spec.image, 100, half), "dis": MLPDiscriminator(spec.image, half)}


build = Architectures(dcgan=dcgan, dense=dense, quick=quick, mlp=mlp)
