"""LPIPS: Zhang, Isola, Efros, Shechtman, Wang 2018, https://arxiv.org/abs/1801.03924

By torchmetrics' implementation, which brings the weights of the paper's linear layers (version
0.1), if it is installed; those of the network are torchvision's and are given as a file: AlexNet's
to compare images, VGG16's for lengths of paths.
"""

from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlib.common.io.files import as_user_error
from ganlib.evaluation.extractors.base import arithmetic, read_weights
from ganlib.evaluation.pairs.pixels import Measure
from ganlib.evaluation.protocol import Instrument

SMALLEST = 64
"""Pixels; images with a smaller side are enlarged, bilinear, until it is so long."""
INSTALL = "pip install ganlib[lpips]"
FILES = "alexnet-owt-7be5be79.pth or vgg16-397923af.pth"
"""torchvision's, of weights of ImageNet."""
NETWORKS: dict[int, tuple[str, Literal["alex", "vgg"]]] = {
    5: ("alexnet", "alex"),
    13: ("vgg16", "vgg"),
}
"""What protocols and torchmetrics call them, by their numbers of convolutions."""


def lpips(weights: Path, device: torch.device | str = "cpu") -> Measure:
    """The distance of images (n, C, H, W) in 0..255, C 1 or 3, to others, 0 for equal ones, by the
    network whose weights torchvision's file holds. UserError for another file.
    """
    missing = f"LPIPS needs the package torchmetrics: run `{INSTALL}`."
    with as_user_error(lambda _: missing, ImportError):
        from torchmetrics.functional.image.lpips import _LPIPS
    content = read_weights(weights)
    # what torch.load raises for a file of another kind is no fixed set
    problem = f"{weights} holds no weights of AlexNet or VGG16: give torchvision's {FILES}."
    with as_user_error(lambda _: problem):
        state = torch.load(BytesIO(content), map_location="cpu", weights_only=True)
        names = [n for n in state if n.startswith("features.") and n.endswith(".weight")]
        name, net = NETWORKS[len(names)]
        network = _LPIPS(pretrained=True, net=net, pnet_rand=True).to(device)
        convolutions = [m for m in network.net.modules() if isinstance(m, nn.Conv2d)]
        for at, layer in zip(names, convolutions, strict=True):
            bias = state[at.removesuffix("weight") + "bias"]
            layer.load_state_dict({"weight": state[at], "bias": bias})

    def distance(output: Tensor, truth: Tensor) -> Tensor:
        with arithmetic(torch.device(device), "float32"):
            found: Tensor = network(_prepared(output), _prepared(truth))
        return found.flatten().double()

    digest = sha256(content).hexdigest()
    resize = f"bilinear to {SMALLEST} pixels where a side is smaller"
    settings = {"linear": "torchmetrics, 0.1"}
    return Measure("LPIPS", distance, settings, Instrument(name, resize, digest))


def _prepared(x: Tensor) -> Tensor:
    x = x.float() / 127.5 - 1
    side = min(x.shape[2:])
    if side < SMALLEST:
        size = [round(n * SMALLEST / side) for n in x.shape[2:]]
        x = F.interpolate(x, size, mode="bilinear", antialias=False)
    return x.expand(-1, 3, -1, -1)
