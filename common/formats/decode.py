"""One image file of any common kind as uint8 pixels, or the reason why it cannot be used."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from ganlib.common.data.crops import corners
from ganlib.common.errors import UserError
from ganlib.common.formats.resize import CROPPED, Sizing
from ganlib.common.io.files import regular

Pixels: TypeAlias = NDArray[np.uint8]


class Half(NamedTuple):
    """The left or the right half of an image, of which the other is something else."""

    whole: Path | bytes
    side: Literal["left", "right"]


Source: TypeAlias = Path | bytes | Half

SUFFIXES = frozenset(
    ".avif .bmp .gif .jfif .jp2 .jpe .jpeg .jpg .pbm .pgm .png .pnm .ppm .tif .tiff .webp".split()
)
# Formats by name: PIL also opens some that start a program (EPS) or that anything passes for (TGA).
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
ENDS = {"PNG": b"IEND\xaeB`\x82", "JPEG": b"\xff\xd9", "GIF": b";"}
"""Of whole files, but for what some programs write behind it."""
TAIL = 8
MAX_PIXELS = 2**30 // 12  # 256 MiB of RGB, PIL's own limit against decompression bombs
GREY = frozenset(("1", "L", "LA", "La", "I", "F", "I;16", "I;16L", "I;16B", "I;16N"))
MAPS = frozenset(("P", "L", "I", "I;16", "I;16L", "I;16B", "I;16N"))
HIGHEST = 2**16 - 1
SLENDER = 4
SMALLER = "smaller than"


class Unusable(Exception):
    """Why a file is of no use, in words that can follow a number: "truncated"."""


class Header(NamedTuple):
    """What a file says of its image before its pixels are read, of one that is turned upright."""

    width: int
    height: int
    grey: bool


def header(source: Source) -> Header:
    """The header of an image; Unusable if there is none or the image is too large."""
    if isinstance(source, Half):  # without cutting the pixels
        whole = header(source.whole)
        if whole.width % 2:
            raise Unusable("of an odd width")
        return whole._replace(width=whole.width // 2)
    with opened(source) as image:
        grey = image.mode in GREY or (image.mode == "P" and _grey_palette(image))
        width, height = image.size
        return Header(height, width, grey) if _lies(image) else Header(width, height, grey)


def whole_header(source: Source) -> Header:
    """The same, and Unusable for a file that has lost its end, if its pixels cannot be read: those
    of a file that has its end are not looked at.
    """
    file = source.whole if isinstance(source, Half) else source
    with opened(file) as image:
        if not _tail(file).endswith(ENDS.get(image.format or "", b"")):
            image.load()
    return header(source)


def pixels(
    source: Source | Image.Image, channels: int, size: int | None, sizing: Sizing = CROPPED
) -> Pixels:
    """The image as uint8 (channels, size, size): first frame, upright, over white, made square; all
    of it, (channels, H, W), with size None.

    channels is 1 or 3. Unusable if the pixels cannot be read, or if the image is smaller and not to
    be enlarged.
    """
    with opened(source) as image:
        _check_size(image, size, sizing)
        return _array(_square(_usable(image, channels), size, sizing))


def crop(source: Source, channels: int, size: int, place: Tensor) -> Pixels:
    """size x size pixels of the image as it is, at the place (2,): see common/data/crops.py.

    Like pixels() but for size. Unusable if the image is smaller.
    """
    with opened(source) as image:
        image = _usable(image, channels)
        free = image.height - size, image.width - size
        if min(free) < 0:
            raise Unusable(smaller(size))
        top, left = map(int, corners(place[None], free))
        return _array(image.crop((left, top, left + size, top + size)))


def ids(
    source: Source | Image.Image, size: int | None, sizing: Sizing = CROPPED
) -> NDArray[np.int32]:
    """A map of classes as int32 (2, size, size), or (2, H, W) with size None, the instances all 0;
    a number stays what it is.

    Unusable if the file has colours that are no numbers of a palette, too.
    """
    image = numbers(source)
    _check_size(image, size, sizing)
    classes = np.asarray(_square(image, size, sizing, Image.Resampling.NEAREST))
    check_numbers(classes, HIGHEST, "numbers")
    return np.stack([classes, np.zeros_like(classes)])


def highest(source: Source) -> int:
    """The highest number in a map of classes; Unusable as for ids()."""
    return int(np.asarray(numbers(source)).max())


def numbers(source: Source | Image.Image) -> Image.Image:
    """The 32-bit integers of a map, upright; Unusable as for ids()."""
    with opened(source) as image:
        if image.mode not in MAPS:
            raise Unusable("without numbers of classes")
        return Image.fromarray(np.asarray(_upright(image)).astype(np.int32))


def check_numbers(found: NDArray[Any] | Tensor, highest: int, what: str) -> None:
    """Unusable for numbers other than 0 to `highest`."""
    if found.min() < 0 or found.max() > highest:
        raise Unusable(f"with {what} other than 0 to {highest}")


def smaller(size: int) -> str:
    """Why an image is Unusable for size x size pixels."""
    return f"{SMALLER} {size}x{size}"


def _check_size(image: Image.Image, size: int | None, sizing: Sizing) -> None:
    if size is not None and not sizing.enlarge and sizing.grows(image.size, size):
        raise Unusable(smaller(size))


def _usable(image: Image.Image, channels: int) -> Image.Image:
    return _flat(_upright(image), "L" if channels == 1 else "RGB")


def _array(image: Image.Image) -> Pixels:
    return np.ascontiguousarray(np.atleast_3d(np.asarray(image)).transpose(2, 0, 1))


def _tail(source: Path | bytes) -> bytes:
    if isinstance(source, bytes):
        return source[-TAIL:]
    with source.open("rb") as file:
        file.seek(-TAIL, os.SEEK_END)
        return file.read()


@contextmanager
def opened(source: Source | Image.Image) -> Iterator[Image.Image]:
    """The image, read as far as its header; every error of reading it becomes Unusable."""
    if isinstance(source, Half):
        with opened(source.whole) as image:
            both = _upright(image)
            middle = both.width // 2
            left, right = (0, middle) if source.side == "left" else (middle, both.width)
            yield both.crop((left, 0, right, both.height))
        return
    try:
        if isinstance(source, Image.Image):
            yield source
            return
        if (len(source) if isinstance(source, bytes) else regular(source).stat().st_size) == 0:
            raise Unusable("empty")
        file = BytesIO(source) if isinstance(source, bytes) else source
        Image.init()  # after which it is known what this build of PIL was made without
        formats = [name for name in FORMATS if name in Image.OPEN]
        with Image.open(file, formats=formats) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Unusable("too large")
            yield image
    except Unusable:
        raise
    except Exception as error:  # decoders of damaged files raise whatever comes up
        raise Unusable(_reason(error)) from error


def _reason(error: Exception) -> str:
    if isinstance(error, Image.DecompressionBombError):
        return "too large"
    if isinstance(error, UnidentifiedImageError):
        return "not images"
    if isinstance(error, UserError):
        return "no files but pipes or devices"
    if isinstance(error, OSError) and error.errno is not None:
        return "unreadable"
    if isinstance(error, EOFError) or "truncated" in str(error):
        return "truncated"
    return "damaged"


def _grey_palette(image: Image.Image) -> bool:
    palette = image.getpalette("RGB") or [0, 1]
    return palette[0::3] == palette[1::3] == palette[2::3]


def _lies(image: Image.Image) -> bool:
    """Whether _upright() will turn it by a quarter."""
    if image.format == "PNG" and "exif" not in image.info:  # for which all of it would be decoded
        return False
    try:
        return image.getexif().get(ExifTags.Base.Orientation) in (5, 6, 7, 8)
    except Exception:  # as for _upright()
        return False


def _upright(image: Image.Image) -> Image.Image:
    """Turned as its EXIF orientation says, if it has a legible one."""
    image.load()
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # a damaged EXIF block does not spoil the pixels
        return image


def _flat(image: Image.Image, mode: str) -> Image.Image:
    """The image in `mode`, L or RGB; what is transparent shows white."""
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    elif image.mode in ("I", "F"):
        image = Image.fromarray(_to_byte(np.asarray(image)))
    elif image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert(mode)


def _to_byte(values: NDArray[Any]) -> Pixels:
    """32-bit integers or floats as bytes.

    Their range is taken to be the least of [0, 1] (floats), [0, 255], 16 bits and 31 bits that
    holds the largest value.
    """
    values = np.nan_to_num(values.astype(np.float64), posinf=0, neginf=0)
    top = values.max()
    if np.any(values % 1) and top <= 1:
        return np.clip(values * 255 + 0.5, 0, 255).astype(np.uint8)
    scale = 1 if top <= 255 else 2**8 if top < 2**16 else 2**23
    return np.clip(values / scale, 0, 255).astype(np.uint8)


def _square(
    image: Image.Image,
    size: int | None,
    sizing: Sizing,
    by: Image.Resampling = Image.Resampling.BICUBIC,
) -> Image.Image:
    """The image at size x size, bicubic and antialiased unless it is to be resized otherwise."""
    if size is None:
        return image
    if sizing.fit == "crop":
        # enlarging a line of a million pixels would take all memory
        longest = SLENDER * min(image.size)
        image = _middle(image, min(image.width, longest), min(image.height, longest))
    width, height = sizing.scaled(image.size, image.size, size)
    if (width, height) != image.size:
        image = image.resize((width, height), by)
    return _middle(image, size, size)


def _middle(image: Image.Image, width: int, height: int) -> Image.Image:
    """So many pixels around the middle, black where there are none."""
    if image.size == (width, height):
        return image
    left, top = round((image.width - width) / 2), round((image.height - height) / 2)
    return image.crop((left, top, left + width, top + height))
