"""The guide's code is that of the small methods, word for word."""

import re
from pathlib import Path
from textwrap import indent

import pytest
from small_methods import FOLDER, NAMES

import ganlib

GUIDE = Path(ganlib.__file__).resolve().parent / "README.md"
BLOCK = re.compile(r"^`([\w/]+\.py)`\n\n```python\n(.*?)```", re.MULTILINE | re.DOTALL)
SHOWN = BLOCK.findall(GUIDE.read_text("utf-8"))


@pytest.mark.parametrize(("file", "code"), SHOWN, ids=[file for file, _ in SHOWN])
def test_code_stands_so_in_its_file(file: str, code: str) -> None:
    text = (FOLDER / file).read_text("utf-8")
    assert any(indent(code, margin) in text for margin in ("", "    ")), file


def test_all_code_says_where_it_is_from() -> None:
    assert len(SHOWN) == GUIDE.read_text("utf-8").count("```python") > 10


def test_every_small_method_is_in_the_guide() -> None:
    text = GUIDE.read_text("utf-8")
    assert [name for name in NAMES if f"{name}/" not in text] == []


def test_what_an_update_may_use_is_there() -> None:
    """Every `self.name` that the guide shows is one of the Updater's, or a method's own."""
    shown = set(re.findall(r"`self\.(\w+)", GUIDE.read_text("utf-8")))
    own = {"gen", "dis", "config", "spec"}
    assert {name for name in shown - own if not hasattr(ganlib.Updater, name)} == set()


def test_its_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", GUIDE.read_text("utf-8"))
    there = [link for link in links if not link.startswith("http")]
    assert there and all((GUIDE.parent / link).exists() for link in there)
