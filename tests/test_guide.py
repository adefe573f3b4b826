"""The guide's code is that of the small methods, word for word."""

import re
from importlib import import_module
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest
from small_methods import FOLDER, NAMES

import ganlib
from ganlib.common.data import DataSpec

GUIDE = Path(ganlib.__file__).resolve().parent / "README.md"
BLOCK = re.compile(r"^`([\w/]+\.py)`\n\n```python\n(.*?)```", re.MULTILINE | re.DOTALL)
SHOWN = BLOCK.findall(GUIDE.read_text("utf-8"))


@pytest.mark.parametrize(("file", "code"), SHOWN, ids=[file for file, _ in SHOWN])
def test_code_stands_so_in_its_file(file: str, code: str) -> None:
    text = (FOLDER / file).read_text("utf-8")
    assert any(indent(code, margin) in text for margin in ("", 4 * " ", 8 * " ")), file


def test_all_code_says_where_it_is_from() -> None:
    assert len(SHOWN) == GUIDE.read_text("utf-8").count("```python") > 10


def test_every_small_method_is_in_the_guide() -> None:
    text = GUIDE.read_text("utf-8")
    assert [name for name in NAMES if f"{name}/" not in text] == []


def test_what_an_update_may_use_is_there() -> None:
    """Every `self.name` that the guide shows is one of the Updater's, or a method's own."""
    shown = set(re.findall(r"`self\.(\w+)", GUIDE.read_text("utf-8")))
    own = {"gen", "dis", "enc", "config", "spec", "held_out", "each", "lecam"}
    assert {name for name in shown - own if not hasattr(ganlib.Updater, name)} == set()


def test_its_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", GUIDE.read_text("utf-8"))
    there = [link for link in links if not link.startswith("http")]
    assert there and all((GUIDE.parent / link).exists() for link in there)


def test_what_it_says_to_import_is_there() -> None:
    rows = re.findall(r"^\| `(ganlib[\w.]*)` \| (.*) \|$", GUIDE.read_text("utf-8"), re.MULTILINE)
    assert len(rows) > 8
    for module, text in rows:
        names = set(re.findall(r"`(\w+)`", text))
        assert names and {n for n in names if not hasattr(import_module(module), n)} == set()


def test_a_whole_method_is_there_to_copy(tmp_path: Path) -> None:
    """With its imports, in a file of its own, and no longer than it is said to be."""
    whole = [code for _, code in SHOWN if "ALGORITHM = " in code]
    assert len(whole) == 1 and len([line for line in whole[0].splitlines() if line]) <= 40
    scope: dict[str, Any] = {"__name__": "whole"}
    exec(whole[0], scope)
    algorithm, spec = scope["ALGORITHM"], DataSpec((1, 32, 32), (1, 28, 28), "pad", 10)
    assert algorithm.networks(algorithm.config(), spec).keys() == {"gen", "dis"}
