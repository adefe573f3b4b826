"""The row of pictures with signs between them."""

from PIL import Image

from ganlib.sampling.interpolation.pictures import INK, MARGIN, equation

RED = Image.new("RGB", (64, 48), (255, 0, 0))


def _ink(picture: Image.Image) -> int:
    return sum(count for count, color in picture.getcolors() or [] if color == INK)


def test_pictures_are_whole_and_in_order() -> None:
    blue = Image.new("RGB", (64, 48), (0, 0, 255))
    row = equation([RED, blue], " =")
    assert row.height == 48 + 2 * MARGIN
    assert row.crop((MARGIN, MARGIN, MARGIN + 64, MARGIN + 48)).tobytes() == RED.tobytes()
    right = row.width - MARGIN
    assert row.crop((right - 64, MARGIN, right, MARGIN + 48)).tobytes() == blue.tobytes()


def test_each_sign_has_its_bars() -> None:
    none, minus, plus, equals = (_ink(equation([RED], sign)) for sign in " -+=")
    assert none == 0 < minus
    assert equals == 2 * minus
    assert minus < plus < 2 * minus  # two bars that share their middle


def test_signs_are_symmetric() -> None:
    for sign in "-+=":
        room = equation([RED], sign).width - 64 - 2 * MARGIN
        box = equation([RED], sign).crop((MARGIN, MARGIN, MARGIN + room, MARGIN + 47))
        mirrored = box.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        assert box.tobytes() == mirrored.tobytes()
