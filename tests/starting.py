"""What the methods that translate start from in tests that try every method."""

from dataclasses import replace

import torch

from ganlib.common.data import DataSet, Shape
from ganlib.common.query import open_dataset
from ganlib.registry import algorithms

TIMES = {"srgan": 4}
"""How many times larger than its sources a method's images are, where they are."""


SEQUENCES = ("pgn",)
"""Methods for sequences, to which a single picture and its source are one of two frames."""


def bundled(algorithm: str) -> DataSet:
    """Bundled images, from what the method translates."""
    if algorithm not in SEQUENCES:
        return open_dataset("fashion_mnist", source=source_for(algorithm))
    data, first = open_dataset("moving"), torch.arange(64)
    assert data.source is not None
    return replace(data, x=data.x[first], source=data.source[first])


def source_for(algorithm: str) -> str | None:
    """Of a method that translates a --source, of other methods None."""
    if algorithms[algorithm].config().condition not in ("images", "unpaired"):
        return None
    return f"low-resolution:{TIMES[algorithm]}" if algorithm in TIMES else "edges"


def source_shape(algorithm: str, image: Shape) -> Shape | None:
    """(C', H', W') of a method's sources of as many channels as `image`, None where it has none."""
    if source_for(algorithm) is None:
        return None
    channels, height, width = image
    times = TIMES.get(algorithm, 1)
    return channels, height // times, width // times
