"""Image files of every mode against what numpy or torchvision makes of the same pixels."""

import struct
import warnings
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torchvision.transforms import CenterCrop, InterpolationMode, Resize

from ganlib.common.formats.decode import MAX_PIXELS, Unusable, header, ids, pixels
from ganlib.common.formats.resize import Sizing

SIZE = 16
BICUBIC = Image.Resampling.BICUBIC
rng = np.random.default_rng(0)
GREY = rng.integers(0, 256, (SIZE, SIZE), dtype=np.uint8)
RGB = rng.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
ALPHA = rng.integers(0, 256, (SIZE, SIZE), dtype=np.uint8)
DEEP = rng.integers(0, 2**16, (SIZE, SIZE), dtype=np.uint16)


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def png(array: np.ndarray, **options: Any) -> bytes:
    return encoded(Image.fromarray(array), "PNG", **options)


def over_white(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    a = (alpha / 255.0)[..., None] if colour.ndim == 3 else alpha / 255.0
    return colour * a + 255 * (1 - a)


def palette_image() -> Image.Image:
    image = Image.fromarray(GREY % 4)
    image.putpalette([10, 20, 30, 200, 100, 50, 0, 255, 0, 9, 9, 99])
    return image


COLOURS = np.array([[10, 20, 30], [200, 100, 50], [0, 255, 0], [9, 9, 99]])
SEEN = np.where((GREY % 4 == 2)[..., None], 255, COLOURS[GREY % 4])

CASES = {
    "L": (png(GREY), GREY, 0),
    "RGB": (png(RGB), RGB, 0),
    "LA": (png(np.dstack([GREY, ALPHA])), over_white(GREY, ALPHA), 1),
    "RGBA": (png(np.dstack([RGB, ALPHA])), over_white(RGB, ALPHA), 1),
    "1": (encoded(Image.fromarray(GREY > 99), "PNG"), (GREY > 99) * 255, 0),
    "I;16 png": (png(DEEP), DEEP // 256, 0),
    "I;16 tiff": (encoded(Image.fromarray(DEEP), "TIFF"), DEEP // 256, 0),
    "I tiff": (encoded(Image.fromarray(DEEP.astype(np.int32)), "TIFF"), DEEP // 256, 0),
    "I small": (encoded(Image.fromarray(GREY.astype(np.int32)), "TIFF"), GREY, 0),
    "I wide": (encoded(Image.fromarray(GREY.astype(np.int32) << 23), "TIFF"), GREY, 0),
    "F unit": (encoded(Image.fromarray(GREY.astype(np.float32) / 255), "TIFF"), GREY, 0),
    "F bytes": (encoded(Image.fromarray(GREY.astype(np.float32)), "TIFF"), GREY, 0),
    "P": (encoded(palette_image(), "PNG"), COLOURS[GREY % 4], 0),
    "P one clear": (encoded(palette_image(), "PNG", transparency=2), SEEN, 0),
    "P many clear": (
        encoded(palette_image(), "PNG", transparency=bytes([255, 255, 0, 255])),
        SEEN,
        0,
    ),
    "L one clear": (png(GREY, transparency=7), np.where(GREY == 7, 255, GREY), 0),
    "gif": (encoded(palette_image(), "GIF", transparency=2), SEEN, 0),
    "bmp": (encoded(Image.fromarray(RGB), "BMP"), RGB, 0),
    "ppm": (encoded(Image.fromarray(RGB), "PPM"), RGB, 0),
    "webp": (encoded(Image.fromarray(RGB), "WEBP", lossless=True), RGB, 0),
}


@pytest.mark.parametrize("name", CASES)
def test_modes(name: str) -> None:
    source, expected, tolerance = CASES[name]
    grey = expected.ndim == 2
    result = pixels(source, 1 if grey else 3, SIZE)
    assert header(source) == (SIZE, SIZE, grey)
    assert result.dtype == np.uint8
    assert result.shape == (1 if grey else 3, SIZE, SIZE)
    planes = expected[None] if grey else expected.transpose(2, 0, 1)
    assert np.abs(result - planes.astype(np.float64)).max() <= tolerance


def test_sixteen_bits_are_scaled_and_not_clipped() -> None:
    ramp = np.array([[0, 255, 256, 32768], [65279, 65280, 65535, 1]] * 2, dtype=np.uint16)
    expected = [[0, 0, 1, 128], [254, 255, 255, 0]] * 2
    assert pixels(png(ramp), 1, 4)[0].tolist() == expected


def test_grey_as_colour_and_colour_as_grey() -> None:
    assert np.array_equal(pixels(png(GREY), 3, SIZE), np.stack([GREY] * 3))
    luma = RGB @ [0.299, 0.587, 0.114]
    assert np.abs(pixels(png(RGB), 1, SIZE)[0] - luma).max() <= 1


def test_grey_palette_is_grey() -> None:
    image = Image.fromarray(GREY % 4)
    image.putpalette([v for v in (0, 80, 160, 255) for _ in range(3)])
    source = encoded(image, "PNG")
    assert header(source).grey
    assert np.array_equal(pixels(source, 1, SIZE)[0], np.array([0, 80, 160, 255])[GREY % 4])


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "RGB", "L"])
def test_jpeg(mode: str) -> None:
    smooth = Image.fromarray(RGB).resize((4, 4)).resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    source = encoded(smooth.convert(mode), "JPEG", quality=100, subsampling=0)
    expected = np.asarray(smooth.convert("L").convert("RGB") if mode == "L" else smooth)
    difference = pixels(source, 3, SIZE).transpose(1, 2, 0) - expected.astype(np.float64)
    assert np.abs(difference).mean() < 2
    assert header(source).grey == (mode == "L")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(orientation: int) -> None:
    undo: dict[int, Callable[[np.ndarray], np.ndarray]] = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: np.rot90(a.transpose(1, 0, 2), 2),
        8: np.rot90,
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    source = png(RGB, exif=exif)
    expected = undo[orientation](RGB)
    assert np.array_equal(pixels(source, 3, SIZE).transpose(1, 2, 0), expected)
    wide = np.repeat(RGB, 2, axis=1)
    for kind in ("PNG", "JPEG", "WEBP"):
        source = encoded(Image.fromarray(wide), kind, exif=exif)
        _, height, width = pixels(source, 3, None).shape
        assert header(source)[:2] == (width, height)


def test_damaged_exif_is_ignored() -> None:
    source = encoded(Image.fromarray(RGB), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert pixels(source, 3, SIZE).shape == (3, SIZE, SIZE)


def test_first_frame_of_an_animation() -> None:
    frames = [Image.new("RGB", (SIZE, SIZE), colour) for colour in ("red", "blue", "green")]
    for format in ("GIF", "PNG", "WEBP", "TIFF"):
        options = {"lossless": True} if format == "WEBP" else {}
        source = encoded(frames[0], format, save_all=True, append_images=frames[1:], **options)
        assert pixels(source, 3, SIZE)[:, 5, 5].tolist() == [255, 0, 0]


@pytest.mark.parametrize("shape", [(40, 40), (20, 31), (31, 20), (7, 9), (16, 50), (60, 16)])
@pytest.mark.parametrize("size", [8, 16, 33])
def test_square_is_torchvisions_resize_and_centre_crop(shape: tuple[int, int], size: int) -> None:
    image = Image.fromarray(rng.integers(0, 256, (*shape, 3), dtype=np.uint8))
    expected = CenterCrop(size)(Resize(size, InterpolationMode.BICUBIC)(image))
    result = pixels(encoded(image, "PNG"), 3, size)
    assert np.array_equal(result.transpose(1, 2, 0), np.asarray(expected))


@pytest.mark.parametrize("shape", [(40, 20), (20, 40), (20, 20), (5, 9), (64, 1)])
@pytest.mark.parametrize("size", [8, 33])
def test_padded_and_stretched(shape: tuple[int, int], size: int) -> None:
    array = rng.integers(50, 256, (*shape, 3), dtype=np.uint8)
    image = Image.fromarray(array)
    stretched = pixels(png(array), 3, size, Sizing("stretch")).transpose(1, 2, 0)
    assert np.array_equal(stretched, np.asarray(image.resize((size, size), BICUBIC)))
    padded = pixels(png(array), 3, size, Sizing("pad")).transpose(1, 2, 0)
    height, width = (max(1, size * n // max(shape)) for n in shape)
    top, left = round((size - height) / 2), round((size - width) / 2)
    inside = np.s_[top : top + height, left : left + width]
    assert np.array_equal(padded[inside], np.asarray(image.resize((width, height), BICUBIC)))
    padded[inside] = 0
    assert padded.shape == (size, size, 3) and not padded.any()


@pytest.mark.parametrize(
    ("shape", "fit", "fits"),
    [
        ((8, 8), "crop", True),
        ((7, 20), "crop", False),
        ((7, 20), "pad", True),
        ((7, 7), "pad", False),
        ((7, 20), "stretch", False),
    ],
)
def test_smaller_images_are_left_out(shape: tuple[int, int], fit: Any, fits: bool) -> None:
    source = png(np.zeros(shape, np.uint8))
    assert pixels(source, 1, 8, Sizing(fit)).shape == (1, 8, 8)
    if fits:
        assert pixels(source, 1, 8, Sizing(fit, enlarge=False)).shape == (1, 8, 8)
        return
    with pytest.raises(Unusable, match="^smaller than 8x8$"):
        pixels(source, 1, 8, Sizing(fit, enlarge=False))


def test_a_whole_image_at_its_own_size() -> None:
    x = RGB[: SIZE - 3]
    for source in (png(x), Image.fromarray(x)):
        assert np.array_equal(pixels(source, 3, None), x.transpose(2, 0, 1))
        luma = np.asarray(Image.fromarray(x).convert("L"))
        assert np.array_equal(pixels(source, 1, None), luma[None])
    clear = np.dstack([x, np.zeros(x.shape[:2], np.uint8)])
    assert pixels(Image.fromarray(clear), 3, None).min() == 255


def test_a_whole_map_keeps_its_numbers() -> None:
    classes = np.arange(12, dtype=np.uint8).reshape(3, 4)
    for source in (png(classes), Image.fromarray(classes)):
        numbers, instances = found = ids(source, None)
        assert found.dtype == np.int32 and np.array_equal(numbers, classes)
        assert not instances.any()
    with pytest.raises(Unusable, match="^without numbers of classes$"):
        ids(Image.fromarray(RGB), None)


def test_slender_image_takes_little_memory() -> None:
    line = np.zeros((1, 50_000, 3), dtype=np.uint8)
    line[:, 24_990:25_010] = 200
    assert pixels(png(line), 3, 256).min() == 200


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(side: int) -> bytes:
    """A PNG that says it is large, and is not."""
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(100))
    start = b"\x89PNG\r\n\x1a\n"
    return start + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


jpeg = encoded(Image.fromarray(RGB), "JPEG")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (b"", "empty"),
        (b"hello, this is text", "not images"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not images"),
        (png(RGB)[:200], "truncated"),
        (jpeg[:-60], "truncated"),
        (bomb(10_000), "too large"),
        (bomb(60_000), "too large"),
        (png(RGB)[:60] + bytes(100) + png(RGB)[160:], "damaged"),
    ],
    ids=["empty", "text", "eps", "png", "jpeg", "bomb", "great bomb", "broken"],
)
def test_unusable(source: bytes, reason: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(Unusable, match=f"^{reason}$"):
            pixels(source, 3, SIZE)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="^unreadable$"):
        header(tmp_path / "no.png")


def test_limit_is_pils() -> None:
    assert MAX_PIXELS == Image.MAX_IMAGE_PIXELS
