"""What --source says, in words."""

import pytest

from ganlib.common.asked_source import derivation
from ganlib.common.errors import UserError


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("edge", "There is no source 'edge'. Did you mean 'edges'?"),
        ("", "There is no source ''. There are: edges, grey, low-resolution, masked."),
        ("edges:3", "The source 'edges' takes nothing after it, and this is 'edges:3'."),
        ("masked:x", "The source 'masked:x' should end in a seed, as in masked:0."),
        (
            "low-resolution",
            "The source 'low-resolution' should say how many times smaller it is, one of 2, 3, 4, "
            "8, as in low-resolution:4.",
        ),
    ],
)
def test_what_is_wrong_ends_in_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(UserError) as error:
        derivation(text)
    assert str(error.value) == sentence


def test_what_is_said_is_what_is_made() -> None:
    assert "edges" in derivation("edges").words
    first, again, other = (derivation(text).words for text in ("masked", "masked:0", "masked:1"))
    assert first == again != other
    assert derivation("low-resolution:4").shape((3, 8, 12)) == (3, 2, 3)
