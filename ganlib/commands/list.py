"""List the algorithms with their papers."""

from pathlib import Path

import click

from ganlib.commands.options import shared
from ganlib.registry import add_plugins, algorithms


def show() -> None:
    """Print name, idea and paper of every algorithm; none of them is imported."""
    from ganlib.commands._tables import print_named

    print_named({n: algorithms.describe(n).split("\n\n")[:2] for n in algorithms.names()})


@click.command()
@shared.plugin_dir
def command(plugin_dir: tuple[Path, ...]) -> None:
    """List the algorithms with their papers."""
    add_plugins(*plugin_dir)
    show()
