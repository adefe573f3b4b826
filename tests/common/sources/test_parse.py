"""What --source says, in words."""

from pathlib import Path

import pytest

from ganlib.common.errors import UserError
from ganlib.common.sources.derived import Derivation
from ganlib.common.sources.pairs import Beside, SideBySide
from ganlib.common.sources.parse import Unpaired, asked_source
from ganlib.common.sources.past import Past


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("edge", "There is no source 'edge'. Did you mean 'edges'? The path of a folder of images"),
        ("", "There is no source ''. There are: edges, grey, label-maps, left, low-resolution, "),
        ("edges:3", "The source 'edges' takes nothing after it, and this is 'edges:3'."),
        ("left:3", "The source 'left' takes nothing after it, and this is 'left:3'."),
        ("masked:x", "The source 'masked:x' should end in a seed, as in masked:0."),
        ("low-resolution", "The source 'low-resolution' should say how many times smaller it is, "),
        ("low-resolution:5", "The source 'low-resolution:5' should say how many times smaller it"),
        ("unpaired", "The source 'unpaired' should name a data set, as in unpaired:emoji."),
        (
            "past",
            "The source 'past' should say how many frames are past, as in past:4, and perhaps",
        ),
        ("past:0", "The source 'past:0' should say how many frames are past, as in past:4"),
        ("past:4:", "The source 'past:4:' should say how many frames are past, as in past:4"),
        ("past:4:1:2", "The source 'past:4:1:2' should say how many frames are past, as in past:4"),
        ("label-maps:", "There is no source 'label-maps:'. Did you mean 'label-maps'?"),
    ],
)
def test_what_is_wrong_ends_in_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(UserError) as error:
        asked_source(text)
    assert str(error.value).startswith(sentence)


def test_what_is_said_is_what_is_made() -> None:
    first, again, other, edges, low = map(
        asked_source, ("masked", "masked:0", "masked:1", "edges", "low-resolution:4")
    )
    assert isinstance(first, Derivation) and isinstance(edges, Derivation)
    assert isinstance(again, Derivation) and isinstance(other, Derivation)
    assert first.words == again.words != other.words and "edges" in edges.words
    assert isinstance(low, Derivation) and low.shape((3, 8, 12)) == (3, 2, 3)
    assert asked_source("own") is None
    assert asked_source("left") == SideBySide("left")
    assert asked_source("unpaired:emoji") == Unpaired("emoji")
    assert asked_source("past:4") == Past(4, 1) and asked_source("past:12:10") == Past(12, 10)


def test_a_folder_is_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("drawings", "edges"):
        Path(name).mkdir()
    assert asked_source("drawings") == Beside(Path("drawings"), "image")
    assert asked_source("label-maps:drawings") == Beside(Path("drawings"), "ids")
    assert isinstance(asked_source("edges"), Derivation)
    assert asked_source("./edges") == Beside(Path("edges"), "image")
