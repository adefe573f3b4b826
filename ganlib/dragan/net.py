"""DRAGAN's networks: chainer-gan-lib's, which are those of its WGAN-GP."""

from ganlib.common.generator import Architectures
from ganlib.common.networks.mlp import mlp
from ganlib.common.networks.quick import quick_critic
from ganlib.wgan_gp.net import dcgan

build = Architectures(dcgan=dcgan, quick=quick_critic, mlp=mlp)
