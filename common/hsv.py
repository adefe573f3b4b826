"""Colours by hue, saturation and value."""

from colorsys import hsv_to_rgb


def hsv(hue: float, saturation: float, value: float) -> tuple[float, float, float]:
    """Red, green and blue in 0..255 of numbers in [0, 1]."""
    red, green, blue = hsv_to_rgb(hue, saturation, value)
    return 255 * red, 255 * green, 255 * blue
