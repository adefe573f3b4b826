"""Hold an algorithm to what every one promises."""

import os
from importlib.util import find_spec
from pathlib import Path

import click

from ganlib.commands.options import shared
from ganlib.common.errors import UserError


@click.command()
@click.argument("name")
@click.option(
    "--dataset",
    metavar="NAME",
    help="Images to try it on, a few of them: a data set, folder or .h5 file.  [default: the "
    "method's example, or images that are made up]",
)
@click.option("--source", metavar="SOURCE", help="What translations start from, as in training.")
@shared.plugin_dir
@click.pass_context
def command(
    ctx: click.Context,
    name: str,
    dataset: str | None,
    source: str | None,
    plugin_dir: tuple[Path, ...],
) -> None:
    """Hold an algorithm to what every one promises.

    Two updates are finite, each loss moves its own network, samples follow from their seed, a run
    that resumes is bitwise one that did not stop, and more: a line for each promise, and a sentence
    for each cause of what is broken. Status 1 if anything is.
    """
    if find_spec("pytest") is None:
        raise UserError("The promises are tests for pytest, which is missing: pip install pytest")
    import pytest

    from ganlib import contract
    from ganlib.contract.fixtures import maker
    from ganlib.contract.report import Report
    from ganlib.registry import add_plugins, algorithms

    add_plugins(*plugin_dir)
    algorithms.check(name)
    maker(dataset, source)(name)  # what keeps it from being built would break every promise
    given = {"--dataset": dataset, "--source": source}
    arguments = [
        str(Path(contract.__path__[0]) / "test_contract.py"),
        *("-c", os.devnull),  # no settings of the project that this is called in
        *("-p", "ganlib.contract.fixtures", "-p", "no:cacheprovider"),
        *("--import-mode=importlib", "-v", "-rs", "--no-header", "--tb=short"),
        "--disable-warnings",
        "-Wignore:Module already imported:pytest.PytestAssertRewriteWarning",
        f"--algorithm={name}",
        *(f"--plugin-dir={folder}" for folder in plugin_dir),
        *(f"{option}={value}" for option, value in given.items() if value is not None),
    ]
    ctx.exit(int(pytest.main(arguments, [Report()]) != 0))
