"""A row of pictures with + - = between them, as in figure 7 of DCGAN's paper."""

from PIL import Image, ImageDraw

INK = (64, 64, 64)
MARGIN = 8  # pixels around the row


def equation(pictures: list[Image.Image], signs: str) -> Image.Image:
    """Pictures of one size in a row on white, signs[i] ("+", "-", "=" or " ") before pictures[i].

    A blank takes no room.
    """
    width, height = pictures[0].size
    gap = max(8, width // 8)
    size = max(9, width // 5) | 1  # odd, so that a stroke can lie in the middle
    places = sum(size + 2 * gap if sign.strip() else 0 for sign in signs)
    row = Image.new("RGB", (places + width * len(pictures) + 2 * MARGIN, height + 2 * MARGIN))
    row.paste((255, 255, 255), (0, 0, *row.size))
    draw, x = ImageDraw.Draw(row), MARGIN
    for picture, sign in zip(pictures, signs, strict=True):
        if sign.strip():
            _sign(draw, sign, x + gap, MARGIN + (height - size) // 2, size)
            x += size + 2 * gap
        row.paste(picture, (x, MARGIN))
        x += width
    return row


def _sign(draw: ImageDraw.ImageDraw, sign: str, x: int, y: int, size: int) -> None:
    """Bars rather than letters of a font, which may not be there and do not sit in the middle."""
    stroke = max(3, size // 6) | 1
    middle = (size - stroke) // 2
    apart = stroke if sign == "=" else 0
    for offset in {middle - apart, middle + apart}:
        draw.rectangle((x, y + offset, x + size - 1, y + offset + stroke - 1), INK)
    if sign == "+":
        draw.rectangle((x + middle, y, x + middle + stroke - 1, y + size - 1), INK)
