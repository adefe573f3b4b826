"""DRAGAN's networks: chainer-gan-lib's, which are those of its WGAN-GP."""

from ganlib.common.mlp import mlp
from ganlib.common.net import Architectures
from ganlib.common.quick import quick_critic
from ganlib.wgan_gp.net import dcgan

build = Architectures(dcgan=dcgan, quick=quick_critic, mlp=mlp)
