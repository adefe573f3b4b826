"""Conditional networks: normalisation by classes (or by vectors), the class beside z, and the
projection discriminator of Miyato, Koyama 2018, https://arxiv.org/abs/1802.05637.
"""

import torch
from torch import Tensor, nn

from ganlib.common.generator import Generator
from ganlib.common.layers import BatchNorm2d
from ganlib.common.layers.basic import ClassEmbedding, one_hot
from ganlib.common.layers.init import init_glorot_uniform
from ganlib.common.layers.spectral_norm import SNEmbedding, SNLinear


class ClassBatchNorm2d(nn.Module):
    """Batch normalisation with a gain and a bias of each class, which start at 1 and 0.

    Means and variances are those of the whole batch, and averaged so for samples: classes share
    them. De Vries et al. 2017, https://arxiv.org/abs/1707.00683, with a table for the classes as in
    sngan_projection source/links/categorical_conditional_batch_normalization.py.
    """

    def __init__(self, num_features: int, n_classes: int) -> None:
        super().__init__()
        self.norm = BatchNorm2d(num_features, affine=False)
        self.gains = ClassEmbedding(n_classes, num_features)
        self.betas = ClassEmbedding(n_classes, num_features)
        nn.init.ones_(self.gains.weight)
        nn.init.zeros_(self.betas.weight)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """(N, num_features, H, W), normalised; y: int64 (N,) or float (N, n_classes)."""
        h: Tensor = self.norm(x)
        gain, beta = (e(y).to(h.dtype)[:, :, None, None] for e in (self.gains, self.betas))
        return torch.addcmul(beta, h, gain)


class VectorBatchNorm2d(nn.Module):
    """Batch normalisation with gains 1 + l(v) and biases m(v) of a vector v; l and m are linear,
    without biases, of spectral norm 1.

    BigGAN's, whose v is a class's vector beside a part of z: Brock et al. 2019, appendix B. Epsilon
    as in BigGAN-PyTorch, layers.py, ccbn.
    """

    def __init__(self, num_features: int, n_told: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(num_features, eps=1e-5, affine=False)
        self.gain = SNLinear(n_told, num_features, bias=False)
        self.beta = SNLinear(n_told, num_features, bias=False)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        """(N, num_features, H, W), normalised; told (N, n_told)."""
        h: Tensor = self.norm(x)
        layers = (self.gain, self.beta)
        gain, beta = (layer(told).to(h.dtype)[:, :, None, None] for layer in layers)
        return torch.addcmul(beta, h, 1 + gain)


class Projection(nn.Module):
    """A discriminator's last layer: l(h) + <e(y), h>, l and e of spectral norm 1.

    Source: sngan_projection dis_models/snresnet.py, l7 and l_y; without bias snresnet_32.py.
    """

    def __init__(self, n_features: int, n_classes: int, bias: bool = True) -> None:
        super().__init__()
        self.linear = SNLinear(n_features, 1, bias)
        self.embedding = SNEmbedding(n_classes, n_features)
        init_glorot_uniform(self.linear)
        nn.init.xavier_uniform_(self.embedding.weight)

    def forward(self, h: Tensor, y: Tensor) -> Tensor:
        """h (N, n_features), y int64 (N,) or float (N, n_classes) -> logits (N, 1)."""
        return self.linear(h) + (self.embedding(y) * h).sum(1, keepdim=True)


class ProjectionDiscriminator(nn.Module):
    """A network of features of images, and a projection of them: equation 3 of the paper.

    features: (N, C, H, W) -> (N, n_features).
    """

    def __init__(self, features: nn.Module, head: Projection) -> None:
        super().__init__()
        self.features, self.head = features, head

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """x (N, C, H, W), y int64 (N,) or float (N, n_classes) -> logits (N, 1)."""
        return self.head(self.features(x), y)


class ClassInput(Generator):
    """Gives `gen` one_hot(y) for the last n_classes of its n_hidden latents."""

    def __init__(self, gen: Generator, n_classes: int) -> None:
        super().__init__(gen.n_hidden - n_classes, gen.latent)
        self.gen, self.n_classes = gen, n_classes

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        """z (N, n_hidden) and y, int64 (N,) or float (N, n_classes) -> images (N, C, H, W)."""
        return self.gen(torch.cat((z, one_hot(y, self.n_classes, z)), 1))
