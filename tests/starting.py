"""What the methods that translate start from in tests that try every method."""

from ganlib.common.data import Shape
from ganlib.registry import algorithms

TIMES = {"srgan": 4}
"""How many times larger than its sources a method's images are, where they are."""


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
