"""DINOv2's ViT-L/14, of the FD-DINOv2: Stein et al. 2023, https://arxiv.org/abs/2306.04675

The network of https://arxiv.org/abs/2304.07193 without registers, as the paper's dgm-eval has it:
what becomes of its class token, of images that Pillow squeezes into squares.
"""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlib.evaluation.extractors.published import (
    IMAGENET,
    Kind,
    State,
    filled,
    in_our_names,
    make_published,
    pillow_bicubic,
)

SHA256 = "d5383ea8f4877b2472eb973e0fd72d557c7da5d3611bd527ceeb1d7162cbf428"
URL = "https://dl.fbaipublicfiles.com/dinov2/dinov2_vitl14/dinov2_vitl14_pretrain.pth"
SIDE, PATCH, HEAD = 224, 14, 64
OFFSET = 0.1
"""Patches by which the authors stretch their table of positions too far, against rounding errors
in its size: features have it, so it stays.
"""
NAMES = {
    r"^cls_token": "class_token",
    r"^pos_embed": "encoder.pos_embedding",
    r"^patch_embed\.proj": "conv_proj",
    r"^norm\.": "encoder.ln.",
    r"^blocks\.": "encoder.layers.encoder_layer_",
    r"\.norm(\d)\.": r".ln_\1.",
    r"\.attn\.qkv\.": ".self_attention.in_proj_",
    r"\.attn\.proj\.": ".self_attention.out_proj.",
    r"\.mlp\.fc1\.": ".mlp.0.",
    r"\.mlp\.fc2\.": ".mlp.3.",
}
"""What the authors call their layers, and what torchvision does."""
SCALED = {"ls1": "self_attention.out_proj", "ls2": "mlp.3"}
"""The scales of what a layer's halves add, and the last matrices of those, which take them in."""


def network(state: State) -> nn.Module:
    """torchvision's transformer, as large as the authors' in the state."""
    from torchvision.models import VisionTransformer  # slow to import, and few scores need it

    ours = in_our_names(state, NAMES)
    ours["encoder.pos_embedding"] = positions(ours["encoder.pos_embedding"])
    layers = [name.removesuffix(".ls1.gamma") for name in ours if name.endswith(".ls1.gamma")]
    for layer in layers:
        for scale, last in SCALED.items():
            gamma = ours[f"{layer}.{scale}.gamma"]
            for name, by in (("weight", gamma[:, None]), ("bias", gamma)):
                ours[f"{layer}.{last}.{name}"] = ours[f"{layer}.{last}.{name}"] * by
    width = ours["class_token"].shape[-1]
    with torch.device("meta"):
        found = VisionTransformer(SIDE, PATCH, len(layers), width // HEAD, width, 4 * width)
    found.heads = nn.Identity()
    return filled(found, ours)


def positions(table: Tensor) -> Tensor:
    """The table (1, 1 + n * n, D) of positions for images of SIDE pixels, bicubic, the class
    token's as it is.
    """
    own, patches = table[:, :1], table[:, 1:]
    n, grid = round(patches.shape[1] ** 0.5), SIDE // PATCH
    square = patches.reshape(1, n, n, -1).permute(0, 3, 1, 2)
    by = (grid + OFFSET) / n
    resized = F.interpolate(square, scale_factor=(by, by), mode="bicubic")
    return torch.cat([own, resized.flatten(2).transpose(1, 2)], dim=1)


DINOV2 = Kind(
    "dinov2", "DINOv2", 1024, {SHA256: URL}, pillow_bicubic(SIDE, crop=False), IMAGENET, network
)
make = partial(make_published, DINOV2)
"""See extractors/base.py."""
