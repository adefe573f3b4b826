"""Start an algorithm of your own from one that is there."""

from pathlib import Path

import click


@click.command()
@click.argument("name")
@click.option(
    "--from",
    "origin",
    default="wgan_gp",
    show_default=True,
    metavar="NAME",
    help="The algorithm to start from.",
)
@click.option(
    "--plugin-dir",
    type=click.Path(path_type=Path),
    help="A folder of your own to put it in, made if missing; default: ganlib/ itself.",
)
def command(name: str, origin: str, plugin_dir: Path | None) -> None:
    """Start an algorithm of your own from one that is there.

    Writes the folder NAME, which works at once; change its update_core() and its networks.
    """
    from ganlib.commands._template import HOME, start

    folder = start(name, origin, HOME if plugin_dir is None else plugin_dir)
    place = "" if plugin_dir is None else f" --plugin-dir {plugin_dir}"
    files = ", ".join(file.name for file in sorted(folder.iterdir()))
    click.echo(f"{folder}: {files}")
    click.echo(f"Train it:  python train.py --algorithm {name}{place}")
    click.echo(f"Check it:  pytest tests/test_contract.py --algorithm {name}{place}")
