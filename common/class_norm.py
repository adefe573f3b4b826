"""Batch normalisation that is told of classes, or of vectors."""

import torch
from torch import Tensor, nn

from ganlib.common.labels import ClassEmbedding
from ganlib.common.layers import BatchNorm2d
from ganlib.common.spectral_norm import SNLinear


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
