"""A small classifier of emoji that comes with ganlib; its distance is FD-emoji, no FID.

Grey images get three equal channels, other sizes are resized to 64x64.
"""

import torch

from ganlib.evaluation.extractors._classifier import Classified, make_classified
from ganlib.evaluation.extractors.base import Options
from ganlib.evaluation.extractors.small import Kind, Layer

EMOJI = Kind(
    "emoji",
    "emoji",
    channels=3,
    side=64,
    classes=(
        "Smileys & Emotion",
        "People & Body",
        "Animals & Nature",
        "Food & Drink",
        "Travel & Places",
        "Activities",
        "Objects",
        "Symbols",
        "Flags",
    ),
    layers=(Layer(32, 5, 2), Layer(64, 3, 2), Layer(96, 3, 2), Layer(128, 3, 1)),
)


def make(device: torch.device, options: Options) -> Classified:
    """The bundled classifier, or another file of the same network."""
    return make_classified(EMOJI, device, options)
