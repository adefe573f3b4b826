"""The library's own methods say what they are; of others the contract only hints at what lacks."""

from pathlib import Path

import pytest

import ganlib
from ganlib.contract.test_contract import lacks
from ganlib.registry import add_plugins, algorithms

OWN = [name for name, _ in algorithms.find(Path(ganlib.__file__).parent)]


@pytest.mark.parametrize("name", OWN)
def test_the_librarys_own_methods_explain_themselves(name: str) -> None:
    assert lacks(name) == []


@pytest.mark.usefixtures("plugins")
def test_what_lacks_is_named(tmp_path: Path) -> None:
    docstrings = {"bare": "", "idea": "Adds.", "url": "Adds.\n\nSee https://example.org"}
    for name, text in docstrings.items():
        (tmp_path / name).mkdir()
        source = f'"""{text}"""\nALGORITHM = None\n' if text else "ALGORITHM = None\n"
        (tmp_path / name / "__init__.py").write_text(source)
    (tmp_path / "url" / "README.md").touch()
    add_plugins(tmp_path)
    words = {name: " ".join(lacks(name)) for name in docstrings}
    assert "idea" in words["bare"] and "URL" in words["bare"] and "README" in words["bare"]
    assert "idea" not in words["idea"] and "URL" in words["idea"] and "README" in words["idea"]
    assert words["url"] == ""
