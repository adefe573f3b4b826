"""A small classifier of emoji that comes with ganlib; its distance is FD-emoji, no FID.

Grey images get three equal channels, other sizes are resized to 64x64.
"""

from functools import partial

from ganlib.evaluation.extractors.small import Kind, Layer, make_classified

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

make = partial(make_classified, EMOJI)
"""See extractors/base.py."""
