"""Batch normalisation that is told of classes."""

import torch
from torch import Tensor, nn

from ganlib.common.labels import ClassEmbedding
from ganlib.common.layers import BatchNorm2d


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
