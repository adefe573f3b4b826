"""Classes as networks are told of them: numbers, or how much of each class."""

import torch
from torch import Tensor, nn


def one_hot(y: Tensor, n_classes: int, like: Tensor) -> Tensor:
    """(N, n_classes) of the dtype of `like`, from int64 (N,) or from itself: float (N, n_classes),
    whose rows say how much of each class is meant.
    """
    if y.is_floating_point():
        return y.to(like.dtype)
    classes = torch.arange(n_classes, device=y.device)
    return (y[:, None] == classes).to(like.dtype)


class ClassEmbedding(nn.Embedding):
    """A vector for each class; of rows that are no one class, the mean so weighted."""

    def forward(self, y: Tensor) -> Tensor:
        """int64 (N,) or float (N, num_embeddings) -> (N, embedding_dim)."""
        if y.is_floating_point():
            return y.to(self.weight.dtype) @ self.weight
        vectors: Tensor = super().forward(y)
        return vectors
