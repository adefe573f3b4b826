"""CLIP's ViT-L/14 for images of 336 pixels, of the CMMD: Jayasumana et al. 2024,
https://arxiv.org/abs/2401.09603

The network of https://arxiv.org/abs/2103.00020, of which torch-fidelity has the half that sees. As
in the paper's code, Pillow resizes the middle square of an image, and its embedding is brought to
unit length.
"""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlib.evaluation.extractors.published import (
    Kind,
    State,
    filled,
    in_our_names,
    make_published,
    pillow_bicubic,
)

OPENAI = "3035c92b350959924f9f00213499208652fc7ea050643e8b385c2dac08641f02"
HUGGING_FACE = "c6032c2e0caae3dc2d4fba35535fa6307dbb49df59c7e182b1bc4b3329b81801"
FILES = {
    OPENAI: f"https://openaipublic.azureedge.net/clip/models/{OPENAI}/ViT-L-14-336px.pt",
    HUGGING_FACE: "pytorch_model.bin of Hugging Face's openai/clip-vit-large-patch14-336",
}
SIDE, HEAD = 336, 64
CHANNELS = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
NAMES = {
    r"^visual_projection\.weight": "visual.proj",
    r"^vision_model\.(embeddings\.|encoder\.)?": "visual.",
    r"\.patch_embedding\.": ".conv1.",
    r"\.position_embedding\.weight": ".positional_embedding",
    r"\.pre_layrnorm\.": ".ln_pre.",
    r"\.post_layernorm\.": ".ln_post.",
    r"\.layers\.": ".transformer.resblocks.",
    r"\.self_attn\.": ".attn.",
    r"\.layer_norm(\d)\.": r".ln_\1.",
    r"\.fc1\.": ".c_fc.",
    r"\.fc2\.": ".c_proj.",
}
"""What Hugging Face calls the layers, and what OpenAI does."""


class Embedding(nn.Module):
    """Images to the unit vectors (N, D) that CLIP compares."""

    def __init__(self, visual: nn.Module) -> None:
        super().__init__()
        self.visual = visual

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(self.visual(x).float())


def network(state: State) -> nn.Module:
    """torch-fidelity's transformer, as large as the one in the state, of either file."""
    from torch_fidelity.feature_extractor_clip import VisionTransformer

    if "visual.proj" not in state:
        state = _openais(state)
    width, dim = state["visual.proj"].shape
    patch = state["visual.conv1.weight"].shape[-1]
    depth = sum(n.startswith("visual.") and n.endswith(".in_proj_weight") for n in state)
    with torch.device("meta"):
        visual = VisionTransformer(SIDE, patch, width, depth, width // HEAD, dim)
    return filled(Embedding(visual), state)


def _openais(state: State) -> State:
    """A state of Hugging Face's by OpenAI's names, whose attention has one matrix for all three."""
    ours = in_our_names(state, NAMES)
    ours["visual.proj"] = ours["visual.proj"].T
    for name in [name for name in ours if name.startswith("visual.") and ".q_proj." in name]:
        parts = [ours[name.replace(".q_proj.", f".{part}_proj.")] for part in "qkv"]
        ours[name.replace(".q_proj.", ".in_proj_")] = torch.cat(parts)
    return ours


CLIP = Kind("clip", "CLIP", 768, FILES, pillow_bicubic(SIDE, crop=True), CHANNELS, network)
make = partial(make_published, CLIP)
"""See extractors/base.py."""
