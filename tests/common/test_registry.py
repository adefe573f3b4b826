"""Names of things in files: what is imported when, and what becomes of errors."""

import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from itertools import count
from pathlib import Path

import pytest

import ganlib
from ganlib.common.errors import UserError, nearest
from ganlib.common.registry import Registry, having, modules, packages

fresh = count()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An importable empty package with a name of its own."""
    folder = tmp_path / f"animals{next(fresh)}"
    folder.mkdir()
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    yield folder
    for name in [name for name in sys.modules if name.split(".")[0] == folder.name]:
        del sys.modules[name]


def write(folder: Path, **sources: str) -> None:
    for name, source in sources.items():
        (folder / f"{name}.py").write_text(source)


def registry(folder: Path) -> Registry[str]:
    return Registry("animal", folder.name, "SOUND", modules, "ganlib.no_such_group", str)


def test_naming_and_describing_import_nothing(folder: Path) -> None:
    write(
        folder,
        cat='"""Purrs.\n\nMore."""\nraise SystemExit',
        dog="raise SystemExit",
        _private="",
    )
    (folder / ".#cat.py").touch()
    animals = registry(folder)
    assert animals.names() == ["cat", "dog"]
    assert animals.describe("cat") == "Purrs.\n\nMore."
    assert animals.describe("dog") == ""
    assert not [name for name in sys.modules if name.startswith(f"{folder.name}.")]


def test_a_thing_is_imported_when_asked_for(folder: Path) -> None:
    write(folder, cat="SOUND = 'meow'", dog="raise SystemExit")
    assert registry(folder)["cat"] == "meow"
    assert f"{folder.name}.dog" not in sys.modules


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import no_such_package", "ModuleNotFoundError: No module named 'no_such_package'"),
        ("def (", "SyntaxError"),
        ("1 / 0", "ZeroDivisionError"),
        ("", "AttributeError.*SOUND"),
        ("SOUND = 3", "TypeError: its SOUND is 3, which is no str"),
        ("\0", "null bytes"),
    ],
)
def test_a_broken_file_is_named_and_harms_no_other(folder: Path, source: str, words: str) -> None:
    write(folder, cat="SOUND = 'meow'", dog=source)
    animals = registry(folder)
    with pytest.raises(UserError, match=rf"The animal 'dog' \(.*dog.py\) cannot.*{words}"):
        animals["dog"]
    assert animals["cat"] == "meow"
    assert animals.names() == ["cat", "dog"]
    assert animals.describe("dog") == ""


def test_unknown_name(folder: Path) -> None:
    write(folder, cat="", dog="")
    animals = registry(folder)
    with pytest.raises(UserError, match="no animal 'cta'. Did you mean 'cat'?"):
        animals["cta"]
    with pytest.raises(UserError, match="no animal 'whale'. There are: cat, dog."):
        animals.check("whale")


def test_of_names_that_are_as_near_the_first_by_alphabet_is_meant() -> None:
    assert nearest("fd", ["fld", "kid", "fid"]) == nearest("fd", ["fid", "fld"]) == "fid"


def test_another_folder_joins_the_package(folder: Path, tmp_path: Path) -> None:
    write(folder, cat="SOUND = 'meow'")
    more = tmp_path / "plugins"
    more.mkdir()
    write(more, cow="from .cat import SOUND as CAT\nSOUND = CAT.replace('e', 'o')")
    animals = registry(folder)
    animals.add_folder(more)
    animals.add_folder(more)
    assert animals.names() == ["cat", "cow"]
    assert animals["cow"] == "moow"


def test_two_things_of_one_name_are_refused(folder: Path, tmp_path: Path) -> None:
    write(folder, cat="SOUND = 'meow'")
    more = tmp_path / "plugins"
    more.mkdir()
    write(more, cat="SOUND = 'roar'")
    animals = registry(folder)
    with pytest.raises(UserError, match="Two animals are called 'cat'.*Rename"):
        animals.add_folder(more)
    assert animals["cat"] == "meow"


def test_folders_that_assign_a_name(folder: Path) -> None:
    """Read, not imported; a folder with other files of the same names is none."""
    sources = {
        "cat": "SOUND = 'meow'",
        "dog": "SOUND: str = 'woof'",
        "fish": '"""Has no SOUND."""\nNOISE = SOUND = ""',
        "stone": "print('SOUND')",
        "wind": "def f():\n    SOUND = 'hush'",
        "echo": "raise RuntimeError\nSOUND = 'o'",
        "torn": "SOUND =",
        "worn": "words =",
    }
    for name, source in sources.items():
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(source)
    (folder / "empty").mkdir()
    animals: Registry[str] = Registry(
        "animal", folder.name, "SOUND", having("SOUND", packages), "ganlib.no_such_group", str
    )
    assert animals.names() == ["cat", "dog", "echo", "fish", "torn"]
    assert animals["cat"] == "meow" and animals["dog"] == "woof"
    with pytest.raises(UserError, match="The animal 'torn' .* cannot be used: SyntaxError"):
        animals["torn"]


def test_files_that_have_a_name(folder: Path) -> None:
    """Read, not imported; a file that has it not is named where it is asked for."""
    write(
        folder,
        cat="SOUND = 'meow'",
        cow="from os import sep as SOUND",
        dog="def SOUND():\n    return 'woof'",
        fish="NOISE = ''",
        owl="class SOUND:\n    pass",
        wind="def f():\n    SOUND = 'hush'",
    )
    group = "ganlib.no_such_group", str
    animals: Registry[str] = Registry("animal", folder.name, "SOUND", having("SOUND"), *group)
    assert animals.names() == ["cat", "cow", "dog", "owl"]
    assert animals["cat"] == "meow"
    with pytest.raises(UserError) as told:
        animals.check("fish")
    assert str(told.value) == f"There is no animal 'fish': {folder / 'fish.py'} has no SOUND."
    for file in folder.glob("*.py"):
        file.unlink()
    nobody: Registry[str] = Registry("animal", folder.name, "SOUND", having("SOUND"), *group)
    with pytest.raises(UserError, match="There is no animal 'cat'. There are none."):
        nobody.check("cat")


def test_entry_points(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, _far="SOUND = 'neigh'")
    point = EntryPoint("horse", f"{folder.name}._far:SOUND", "animals")
    monkeypatch.setattr(ganlib.common.registry, "entry_points", lambda group: [point])
    animals = registry(folder)
    assert animals.names() == ["horse"]
    assert animals["horse"] == "neigh"
    assert animals.describe("horse") == ""
