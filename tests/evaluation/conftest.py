"""Small real and generated images, and a cache folder of each test's own."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from ganlib.common.query import open_dataset
from ganlib.evaluation.extractors.base import Extractor, Features


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """GANLIB_CACHE, empty."""
    monkeypatch.setenv("GANLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GANLIB_INCEPTION", raising=False)
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def clothes() -> Tensor:
    """The first 6,000 training images of Fashion-MNIST, uint8 (6000, 1, 28, 28)."""
    return open_dataset("fashion_mnist").x[torch.arange(6000)]


class Plain(Extractor):
    """Features that cost nothing: 8 fixed projections of 8x8 images, 5 of them as logits."""

    name, digest, n_features, n_classes = "plain", "0" * 64, 8, 5

    def __init__(self, device: str = "cpu") -> None:
        self.device = torch.device(device)
        self.weight = torch.randn(64, 8, generator=torch.Generator().manual_seed(0))
        self.calls = 0

    def __call__(self, x: Tensor) -> Features:
        self.calls += 1
        pool = (x.to(self.device).float().mean(1).flatten(1) / 255) @ self.weight
        return Features(pool, pool[:, :5])


@pytest.fixture
def plain() -> Plain:
    """A fresh extractor of 8x8 images."""
    return Plain()


@pytest.fixture
def noise() -> Tensor:
    """uint8 (1500, 1, 8, 8)."""
    return torch.randint(0, 256, (1500, 1, 8, 8), generator=generator(1)).to(torch.uint8)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
