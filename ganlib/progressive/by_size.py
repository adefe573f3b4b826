"""Settings that change with the size of the images, as text: 32=64,64=32,128=16."""

from collections.abc import Mapping
from math import inf
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator


def table(text: str) -> dict[int, float]:
    """The values by the side from which on they hold; ValueError for what is no such text."""
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    try:
        return {int(side): float(value) for side, _, value in pairs}
    except ValueError:
        raise ValueError("should be SIDE=VALUE pairs such as 64=32,128=16") from None


def at(text: str, side: int, before: float) -> float:
    """The value for images of this side: that of the largest side named that is not larger, or
    `before` where none is.
    """
    known = {s: value for s, value in table(text).items() if s <= side}
    return known[max(known)] if known else before


def _as_text(value: Any) -> Any:
    """A mapping, as a YAML file may have it, as text."""
    if not isinstance(value, Mapping):
        return value
    return ",".join(f"{side}={number}" for side, number in value.items())


def _positive(text: str) -> str:
    if not all(0 < value < inf for value in table(text).values()):
        raise ValueError("should have values above 0")
    return text


def _whole(text: str) -> str:
    if any(value < 1 or value % 1 for value in table(text).values()):
        raise ValueError("should have whole numbers from 1 on as values")
    return text


Numbers = Annotated[str, BeforeValidator(_as_text), AfterValidator(_positive)]
Counts = Annotated[str, BeforeValidator(_as_text), AfterValidator(_whole)]
