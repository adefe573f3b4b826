"""Every registered algorithm with its paper."""

from pathlib import Path

import click

from ganlib.commands import _common_options
from ganlib.registry import add_plugins, algorithms


def show() -> None:
    """Print name, idea and paper of every algorithm; none of them is imported."""
    width = max(map(len, algorithms.names()), default=0)
    for name in algorithms.names():
        idea, _, paper = algorithms.describe(name).partition("\n\n")
        click.echo(f"{name:{width}}  {' '.join(idea.split())}")
        if paper:
            first, _, _ = paper.partition("\n\n")
            click.echo(f"{'':{width}}  {' '.join(first.split())}")


@click.command()
@_common_options.plugin_dir
def command(plugin_dir: tuple[Path, ...]) -> None:
    """List the algorithms with their papers."""
    for folder in plugin_dir:
        add_plugins(folder)
    show()
