"""Classes as networks are told of them: numbers, or how much of each class."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def one_hot(y: Tensor, n_classes: int, like: Tensor) -> Tensor:
    """(N, n_classes) of the dtype of `like`, from int64 (N,) or from itself: float (N, n_classes),
    whose rows say how much of each class is meant.
    """
    if y.is_floating_point():
        return y.to(like.dtype)
    classes = torch.arange(n_classes, device=y.device)
    return (y[:, None] == classes).to(like.dtype)


def look_up(vectors: Tensor, y: Tensor) -> Tensor:
    """Rows (N, dim) of `vectors` (n_classes, dim) by classes, int64 (N,); or, of float
    (N, n_classes), their sums so weighted.
    """
    if y.is_floating_point():
        return y.to(vectors.dtype) @ vectors
    return F.embedding(y, vectors)


class ClassEmbedding(nn.Embedding):
    """A vector for each class; of rows that are no one class, the mean so weighted."""

    def forward(self, y: Tensor) -> Tensor:
        """int64 (N,) or float (N, num_embeddings) -> (N, embedding_dim)."""
        return look_up(self.weight, y)
