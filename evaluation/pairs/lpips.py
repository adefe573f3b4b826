"""LPIPS: Zhang, Isola, Efros, Shechtman, Wang 2018, https://arxiv.org/abs/1801.03924

By torchmetrics' implementation, which brings the weights of the paper's linear layers (version
0.1), if it is installed; those of AlexNet itself are torchvision's and are given as a file.
"""

from hashlib import sha256
from io import BytesIO
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlib.common.io.files import as_user_error
from ganlib.evaluation.extractors.base import read_weights
from ganlib.evaluation.pairs.pixels import Measure
from ganlib.evaluation.protocol import Instrument

SMALLEST = 64
"""Pixels; images with a smaller side are enlarged, bilinear, until it is so long."""
INSTALL = "pip install ganlib[lpips]"
FILE = "alexnet-owt-7be5be79.pth"
"""torchvision's file of AlexNet's weights of ImageNet."""


def lpips(weights: Path, device: torch.device | str = "cpu") -> Measure:
    """AlexNet's distance of uint8 images (n, C, H, W), C 1 or 3, to others, 0 for equal ones, with
    the weights of torchvision's file. UserError for another file.
    """
    missing = f"LPIPS needs the package torchmetrics: run `{INSTALL}`."
    with as_user_error(lambda _: missing, ImportError):
        from torchmetrics.functional.image.lpips import _LPIPS
    content = read_weights(weights)
    network = _LPIPS(pretrained=True, net="alex", pnet_rand=True).to(device)
    convolutions = [m for m in network.net.modules() if isinstance(m, nn.Conv2d)]
    # what torch.load raises for a file of another kind is no fixed set
    problem = f"{weights} holds no weights of AlexNet: give torchvision's {FILE}."
    with as_user_error(lambda _: problem):
        state = torch.load(BytesIO(content), map_location="cpu", weights_only=True)
        names = [n for n in state if n.startswith("features.") and n.endswith(".weight")]
        for name, layer in zip(names, convolutions, strict=True):
            bias = state[name.removesuffix("weight") + "bias"]
            layer.load_state_dict({"weight": state[name], "bias": bias})

    @torch.no_grad()
    def distance(output: Tensor, truth: Tensor) -> Tensor:
        found: Tensor = network(_prepared(output), _prepared(truth))
        return found.flatten().double()

    digest = sha256(content).hexdigest()
    resize = f"bilinear to {SMALLEST} pixels where a side is smaller"
    settings = {"linear": "torchmetrics, 0.1"}
    return Measure("LPIPS", distance, settings, Instrument("alexnet", resize, digest))


def _prepared(x: Tensor) -> Tensor:
    x = x.float() / 127.5 - 1
    side = min(x.shape[2:])
    if side < SMALLEST:
        size = [round(n * SMALLEST / side) for n in x.shape[2:]]
        x = F.interpolate(x, size, mode="bilinear", antialias=False)
    return x.expand(-1, 3, -1, -1)
