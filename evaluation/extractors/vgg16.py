"""VGG16's second hidden layer, of improved precision and recall: Kynkaanniemi et al. 2019,
https://arxiv.org/abs/1904.06991

torchvision's network and weights, of images that are resized as torch-fidelity does it; the paper's
own file is another one, so that its numbers are near, not comparable.
"""

from functools import partial

import torch
from torch import nn

from ganlib.evaluation.extractors.inception import tensorflow_bilinear
from ganlib.evaluation.extractors.published import IMAGENET, Kind, State, filled, make_published

SHA256 = "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0"
URL = "https://download.pytorch.org/models/vgg16-397923af.pth"


def network(state: State) -> nn.Module:
    """torchvision's, without the layer that tells classes."""
    from torchvision.models import vgg16  # slow to import, and few scores need it

    with torch.device("meta"):
        found = vgg16(weights=None, init_weights=False)
    found.classifier = found.classifier[:5]
    return filled(found, state)


VGG16 = Kind("vgg16", "VGG16", 4096, {SHA256: URL}, tensorflow_bilinear(224), IMAGENET, network)
make = partial(make_published, VGG16)
"""See extractors/base.py."""
