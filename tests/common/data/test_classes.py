"""Classes by their names."""

import numpy as np
import pytest

from ganlib.common.data import DataSpec
from ganlib.common.data.classes import find_class, find_classes
from ganlib.common.errors import UserError

FASHION = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
DIGITS = ("0 - zero", "1 - one", "2 - two")


@pytest.mark.parametrize(
    ("word", "names", "number"),
    [
        ("Sandal", FASHION, 5),
        ("sandal", FASHION, 5),
        (" SANDAL ", FASHION, 5),
        ("5", FASHION, 5),
        (5, FASHION, 5),
        ("T-shirt/top", FASHION, 0),
        ("t-shirt-top", FASHION, 0),
        ("T shirt", FASHION, 0),
        ("t-s", FASHION, 0),
        ("shirt", FASHION, 6),  # a whole name before a word of another
        ("ankle-boot", FASHION, 9),
        ("boot", FASHION, 9),
        ("top", FASHION, 0),
        ("b", FASHION, 8),  # how a name begins before how a word of another does
        ("2", DIGITS, 2),
        ("two", DIGITS, 2),
        ("1 - one", DIGITS, 1),
        ("2020", ("2019", "2020"), 1),
        ("1", ("1", "0"), 0),  # a name before a number
        (1, ("1", "0"), 1),
        (np.int64(1), ("1", "0"), 1),
        ("a", ("A", "a"), 1),  # as it is written before any case
        ("Ä", ("ö", "ä"), 1),
    ],
)
def test_a_class_is_found(word: str | int, names: tuple[str, ...], number: int) -> None:
    assert find_class(word, names) == number


@pytest.mark.parametrize(
    ("word", "names", "sentence"),
    [
        ("hat", FASHION[:3], "no class 'hat': there are T-shirt/top, Trouser and Pullover, or "),
        ("10", FASHION, "no class '10': .* Ankle boot, or their numbers 0 to 9.$"),
        (-1, FASHION, "no class '-1'"),
        (1.5, FASHION, "no class '1.5'"),
        ("", FASHION, "no class ''"),
        ("-", FASHION, "no class '-'"),
        ("s", FASHION, "'s' could be Sandal, Shirt or Sneaker: write more"),
        ("A", ("a b", "a c"), "'A' could be a b or a c"),
        ("x", ("0", "1"), "no class 'x': there are 0 and 1.$"),
        ("x", tuple(f"c{k}" for k in range(1000)), "c14, c15 and 984 more, or their numbers"),
        ("x", ("only",), "there are only, or"),
    ],
)
def test_a_class_is_not_found(word: str | int, names: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        find_class(word, names)


def test_several_come_repeated_or_with_commas_and_names_may_have_some() -> None:
    assert find_classes(["bag,Shirt", "0"], FASHION) == [8, 6, 0]
    assert find_classes(["boot, boot,"], FASHION) == [9, 9]
    names = ("tench, Tinca tinca", "goldfish")
    assert find_classes(["tench, Tinca tinca", "tench,goldfish"], names) == [0, 0, 1]
    with pytest.raises(UserError, match="no class 'hat'"):
        find_classes(["bag,hat"], FASHION)


def test_classes_without_names_are_called_by_number() -> None:
    spec = DataSpec((1, 8, 8), (1, 8, 8), n_classes=3)  # as in an old snapshot
    assert spec.class_names == ("0", "1", "2")
