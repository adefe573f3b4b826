"""The projection discriminator: Miyato, Koyama 2018, https://arxiv.org/abs/1802.05637."""

from torch import Tensor, nn

from ganlib.common.init import init_glorot_uniform
from ganlib.common.spectral_norm import SNEmbedding, SNLinear


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
        logits: Tensor = self.linear(h) + (self.embedding(y) * h).sum(1, keepdim=True)
        return logits


class ProjectionDiscriminator(nn.Module):
    """A network of features of images, and a projection of them: equation 3 of the paper.

    features: (N, C, H, W) -> (N, n_features).
    """

    def __init__(self, features: nn.Module, head: Projection) -> None:
        super().__init__()
        self.features, self.head = features, head

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """x (N, C, H, W), y int64 (N,) or float (N, n_classes) -> logits (N, 1)."""
        logits: Tensor = self.head(self.features(x), y)
        return logits
