"""What --source says, in words."""

import re
from importlib import import_module
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from ganlib.commands.data import command as data_command
from ganlib.common.errors import UserError
from ganlib.common.query import OWN, DataQuery
from ganlib.common.sources.derived import Derivation
from ganlib.common.sources.folder import Beside
from ganlib.common.sources.halves import Halves
from ganlib.common.sources.label_maps import LabelMaps
from ganlib.common.sources.parse import parse_source, source_help, sources
from ganlib.common.sources.past import Past
from ganlib.common.sources.unpaired import Unpaired
from ganlib.config import RunConfig
from ganlib.registry import add_plugins


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
        ("label-maps", "There is no folder '': the source 'label-maps' is of a label-maps:FOLDER."),
        ("label-maps:no/such", "There is no folder 'no/such': the source 'label-maps' is of a "),
    ],
)
def test_what_is_wrong_ends_in_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(UserError) as error:
        parse_source(text)
    assert str(error.value).startswith(sentence)


def test_what_is_said_is_what_is_made() -> None:
    first, again, other, edges, low = map(
        parse_source, ("masked", "masked:0", "masked:1", "edges", "low-resolution:4")
    )
    assert isinstance(first, Derivation) and isinstance(edges, Derivation)
    assert isinstance(again, Derivation) and isinstance(other, Derivation)
    assert first.words == again.words != other.words and "edges" in edges.words
    assert isinstance(low, Derivation) and low.shape((3, 8, 12)) == (3, 2, 3)
    assert parse_source("own") is OWN
    assert parse_source("left") == Halves("left")
    assert parse_source("unpaired:emoji") == Unpaired("emoji")
    assert parse_source("past:4") == Past(4, 1) and parse_source("past:12:10") == Past(12, 10)


def test_a_folder_is_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("drawings", "edges"):
        Path(name).mkdir()
    assert parse_source("drawings") == Beside(Path("drawings"))
    assert parse_source("label-maps:drawings") == LabelMaps(Path("drawings"))
    assert isinstance(parse_source("edges"), Derivation)
    assert parse_source("./edges") == Beside(Path("edges"))


def test_a_source_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dropped into a folder, it is opened, and is in the help and in the list."""
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "upside_down.py").write_text(
        '"""upside-down[:TIMES]: the image with its top at the bottom\n\nOne file."""\n'
        "from ganlib.common.sources.derived import Derivation\n"
        "def make(text):\n"
        "    return Derivation('turned', lambda x, _: x.flip(2))\n"
    )
    package = import_module("ganlib.common.sources")
    monkeypatch.setattr(sources, "entries", dict(sources.entries))
    monkeypatch.setattr(package, "__path__", list(package.__path__))
    add_plugins(tmp_path)
    data = DataQuery("fashion_mnist", split="test", source="upside-down:2").open()
    first = torch.tensor([0])
    assert data.source is not None and data.provenance["sources"] == "turned"
    assert torch.equal(data.source[first], data.x[first].flip(2))
    assert "; upside-down[:TIMES]. " in source_help()
    listed = CliRunner().invoke(data_command, ["list"], catch_exceptions=False).output
    assert re.search(r"^upside-down\[:TIMES\] +the image with its top at the bottom$", listed, re.M)
    with pytest.raises(UserError, match="Did you mean 'upside-down'"):
        parse_source("upsidedown")


def test_the_help_is_of_the_files() -> None:
    help_ = RunConfig.model_fields["source"].description
    assert help_ == source_help() and "; left, right; low-resolution:FACTOR; " in help_
