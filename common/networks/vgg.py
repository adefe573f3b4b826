"""VGG19's activations, to compare images by: torchvision's network, with weights from a file.

Simonyan, Zisserman 2015, https://arxiv.org/abs/1409.1556
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from ganlib.common.data import Shape
from ganlib.common.errors import UserError
from ganlib.common.io.files import WEIGHTS, as_user_error, expand, reading, regular

URL = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"
"""torchvision's file of the weights, 548 MB."""
FILE = URL.rpartition("/")[2]
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's images in [0, 1]: what torchvision's weights were trained with."""
SMALLEST = 16
"""Side of the smallest images of which something is left for the last activations."""


class VGG19(nn.Module):
    """Images in [-1, 1], grey or in colour, to the activations of these names.

    names: relu1_1, relu1_2, relu2_1, ... relu5_4: what follows convolution j of those behind i - 1
    poolings. Of the network nothing is made behind the last of them. weights: a file of
    torchvision's, with the layers behind the convolutions or without; UserError if it is none.
    """

    features: nn.Sequential
    mean: Tensor
    std: Tensor

    def __init__(self, names: Sequence[str], weights: Path) -> None:
        super().__init__()
        layers = _features()
        where = {name: k for k, name in enumerate(layer_names())}
        self.wanted = {where[name]: name for name in names}
        self.features = nn.Sequential(*list(layers)[: max(self.wanted) + 1])
        _load(weights, self.features)
        for name, values in (("mean", MEAN), ("std", STD)):
            constant = torch.tensor(values)[:, None, None]
            self.register_buffer(name, constant, persistent=False)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """x (N, 1 or 3, H, W) -> the activations (N, ch, h, w) by name."""
        h = ((x + 1) / 2 - self.mean) / self.std  # of a grey image all three channels are alike
        found: dict[str, Tensor] = {}
        for k, layer in enumerate(self.features):
            h = layer(h)
            if k in self.wanted:
                found[self.wanted[k]] = h
        return found


def check_images(image: Shape, cure: str, least: int = SMALLEST) -> None:
    """UserError, with what cures it, for images (C, H, W) that cannot be compared."""
    if image[0] not in (1, 3) or min(image[1:]) < least:
        raise UserError(f"VGG19 compares images of 1 or 3 channels from {least} pixels on: {cure}.")


def layer_names() -> list[str]:
    """conv1_1, relu1_1, conv1_2, relu1_2, pool1, conv2_1, ...: names of VGG19's layers in order."""
    names = []
    for i, n in enumerate((2, 2, 4, 4, 4), 1):
        names += [f"{kind}{i}_{j}" for j in range(1, n + 1) for kind in ("conv", "relu")]
        names.append(f"pool{i}")
    return names


def _features() -> nn.Sequential:
    """torchvision's convolutions, ReLUs and poolings, without memory for weights."""
    from torchvision.models import vgg19  # slow to import, and few losses need it

    with torch.device("meta"):
        layers: nn.Sequential = vgg19(weights=None, init_weights=False).features
    for layer in layers:
        if isinstance(layer, nn.ReLU):
            layer.inplace = False  # what goes into it may be kept for gradients
    return layers


def _load(path: Path, layers: nn.Module) -> None:
    """Give these layers their weights in a file of the whole network's, where they are features.*;
    UserError for a file of another kind. Nothing in it is run.
    """
    path, advice = expand(path), f"give torchvision's {FILE}."
    if not regular(path, WEIGHTS).is_file():
        raise UserError(f"There is no file {path} of VGG19's weights: {advice}")
    problem = f"{path} is damaged, or does not hold the weights of VGG19: {advice}"
    # what torch.load raises for a file of another kind is no fixed set
    with as_user_error(lambda _: problem), reading(path):
        found = torch.load(path, map_location="cpu", weights_only=True)
        weights = {name: found[f"features.{name}"].float() for name in layers.state_dict()}
        layers.load_state_dict(weights, assign=True)
