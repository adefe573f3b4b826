"""The small classifier of Fashion-MNIST whose features stand in for Inception's.

ImageNet's features say little about clothes in 28x28 grey pixels; a Frechet distance in this
network's features is called FD-fashion and is no FID. scripts/train_fashion_classifier.py made
weights/fashion.safetensors; weights/fashion.json says how.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load
from torch import Tensor, nn

SIDE = 28
N_FEATURES = 128
CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
N_CLASSES = len(CLASSES)
WEIGHTS = Path(__file__).parent / "weights" / "fashion.safetensors"


class Classifier(nn.Module):
    """uint8 or float images (N, 1, 28, 28) in 0..255 -> features (N, 128), logits (N, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *layer(1, 32, kernel=5, stride=2),
            *layer(32, 64, kernel=3, stride=1),
            *layer(64, 64, kernel=3, stride=2),
            *layer(64, N_FEATURES, kernel=3, stride=1),
        )
        self.head = nn.Linear(N_FEATURES, N_CLASSES)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h: Tensor = self.body(x.to(self.head.weight.dtype) / 127.5 - 1).mean((2, 3))
        return h, self.head(h)


def load_classifier(data: bytes) -> Classifier:
    """The classifier with the weights of a safetensors file, in evaluation mode, frozen."""
    network = Classifier()
    weights = {name: w.float() if w.is_floating_point() else w for name, w in load(data).items()}
    network.load_state_dict(weights)
    return network.eval().requires_grad_(False)


def fit(x: Tensor) -> Tensor:
    """Images (N, C, H, W) in 0..255 as float (N, 1, 28, 28): channels averaged, then resized."""
    x = x.float().mean(1, keepdim=True)
    if x.shape[2:] == (SIDE, SIDE):
        return x
    return F.interpolate(x, (SIDE, SIDE), mode="bilinear", antialias=True)


def layer(before: int, after: int, kernel: int, stride: int) -> list[nn.Module]:
    """A convolution, batch normalisation and a ReLU."""
    conv = nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False)
    return [conv, nn.BatchNorm2d(after), nn.ReLU()]


@torch.no_grad()
def accuracy(network: Classifier, x: Tensor, y: Tensor) -> float:
    """The share of uint8 images (N, 1, 28, 28) that get their label (N,)."""
    parts = zip(torch.split(x, 1000), torch.split(y, 1000), strict=True)
    right = sum(int((network(a)[1].argmax(1) == b).sum()) for a, b in parts)
    return right / len(x)
