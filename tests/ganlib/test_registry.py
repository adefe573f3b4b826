"""The registry of algorithms and what a plugin folder adds."""

import ast
from pathlib import Path

import pytest

from ganlib.common.errors import UserError
from ganlib.registry import add_plugins, algorithms

pytestmark = pytest.mark.usefixtures("plugins")


def test_a_folder_that_declares_no_algorithm_is_named(tmp_path: Path) -> None:
    for name in ("silent", "empty", "sngen"):
        (tmp_path / name).mkdir()
    (tmp_path / "silent" / "__init__.py").write_text("ALGORITM = None\n")
    with pytest.raises(UserError, match="Did you mean 'sngan'"):
        algorithms.check("sngen")
    add_plugins(tmp_path)
    for name in ("silent", "empty", "sngen"):
        with pytest.raises(UserError) as told:
            algorithms.check(name)
        folder = tmp_path / name
        assert str(told.value) == (
            f"There is no algorithm '{name}': {folder} has no __init__.py that assigns ALGORITHM."
        )
    for name in ("../silent", str(tmp_path / "silent"), "training"):
        with pytest.raises(UserError, match="There are: |Did you mean"):
            algorithms.check(name)


@pytest.mark.parametrize("name", algorithms.names())
def test_the_folders_of_methods_are_alike(name: str) -> None:
    """net.py ends with build and says no setting again; an example is a function of that name."""
    source = algorithms.entries[name].source
    assert source is not None
    net = source.with_name("net.py").read_text("utf-8")
    last = ast.parse(net).body[-1]
    assert isinstance(last, ast.Assign) and ast.unparse(last.targets[0]) == "build"
    assert "Protocol" not in net
    example = algorithms[name].example
    assert example is None or example.__qualname__ == "example"
