"""Hold an algorithm to what every one promises."""

import os
from importlib.util import find_spec
from pathlib import Path

import click

from ganlib.commands import _common_options
from ganlib.common.errors import UserError


@click.command()
@click.argument("name")
@_common_options.plugin_dir
@click.pass_context
def command(ctx: click.Context, name: str, plugin_dir: tuple[Path, ...]) -> None:
    """Hold an algorithm to what every one promises.

    Two updates are finite, each loss moves its own network, samples follow from their seed, a run
    that resumes is bitwise one that did not stop, and more: a line for each promise. Status 1 if
    one is broken.
    """
    if find_spec("pytest") is None:
        raise UserError("The promises are tests for pytest, which is missing: pip install pytest")
    import pytest

    from ganlib import contract
    from ganlib.registry import add_plugins, algorithms

    for folder in plugin_dir:
        add_plugins(folder)
    algorithms.check(name)
    arguments = [
        str(Path(contract.__path__[0]) / "test_contract.py"),
        *("-c", os.devnull),  # no settings of the project that this is called in
        *("-p", "ganlib.contract.fixtures", "-p", "no:cacheprovider"),
        *(
            "--import-mode=importlib",
            "-v",
            "-rs",
            "--no-header",
            "--tb=short",
            "--disable-warnings",
        ),
        f"--algorithm={name}",
        *(f"--plugin-dir={folder}" for folder in plugin_dir),
    ]
    ctx.exit(int(pytest.main(arguments) != 0))
