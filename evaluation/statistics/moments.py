"""Mean and covariance of features from running sums, so that no feature need be kept."""

from collections.abc import Iterable

import torch
from torch import Tensor


def exact_device(device: torch.device | str) -> torch.device:
    """Where float64 can be had for what lies on `device`: there, but not on Apple's GPUs."""
    device = torch.device(device)
    return torch.device("cpu") if device.type == "mps" else device


class Moments:
    """n, sum of x and sum of x x^T in float64: covariance right to 2e-16, merged by addition.

    total: (D,). outer: (D, D).
    """

    def __init__(self, n_features: int, device: torch.device | str = "cpu") -> None:
        device = exact_device(device)
        self.n = 0
        self.total = torch.zeros(n_features, dtype=torch.float64, device=device)
        self.outer = torch.zeros(n_features, n_features, dtype=torch.float64, device=device)

    def update(self, features: Tensor) -> None:
        """Take in features (N, D) of any float type."""
        x = features.to(self.total.device).double()
        self.n += len(x)
        self.total += x.sum(0)
        self.outer.addmm_(x.T, x)

    def merge(self, other: "Moments") -> None:
        """Take in what `other` has taken in."""
        self.n += other.n
        self.total += other.total.to(self.total.device)
        self.outer += other.outer.to(self.outer.device)

    def mean(self) -> Tensor:
        """(D,) float64."""
        return self.total / self.n

    def covariance(self) -> Tensor:
        """(D, D) float64, unbiased: divided by n - 1. ValueError for fewer than two."""
        if self.n < 2:
            raise ValueError("a covariance takes at least two vectors")
        return (self.outer - torch.outer(self.total, self.total) / self.n) / (self.n - 1)


def moments_of(batches: Iterable[Tensor]) -> Moments:
    """Those of all features (N, D) in one batch or more, where the first one is."""
    moments: Moments | None = None
    for rows in batches:
        moments = moments or Moments(rows.shape[1], rows.device)
        moments.update(rows)
    assert moments is not None
    return moments
