"""Text on its way to a screen."""

import pytest

from ganlib.common.io.console import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("3.1 \u00b1 0.2 \u2013 \u2193 \u670d", "3.1 \u00b1 0.2 \u2013 \u2193 \u670d"),
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("a\nb\tc\r\x00\x7f", "a\\nb\\tc\\r\\x00\\x7f"),
        ("\x9b2J", "\\x9b2J"),  # a terminal obeys this one too
        ("\u202eabc\u2028", "\\u202eabc\\u2028"),
        ("\udc80", "\\udc80"),
    ],
)
def test_only_what_can_be_shown_is_left(text: str, shown: str) -> None:
    assert printable(text) == shown
    printable(text).encode("utf-8")
