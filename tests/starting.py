"""What tests let a method start from, on data that have no sources of their own."""

from ganlib.registry import algorithms


def source_for(algorithm: str) -> str | None:
    """Of a translator of pairs a --source, of other methods None."""
    return "edges" if algorithms[algorithm].config().condition == "images" else None
