"""Start an algorithm of your own from one that is there."""

from pathlib import Path

import click

from ganlib.commands.options import shared


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
    help="A folder of your own to put it in, made if missing; default: ganlib/ itself in a "
    "checkout, else the current folder.",
)
@shared.force
def command(name: str, origin: str, plugin_dir: Path | None, force: bool) -> None:
    """Start an algorithm of your own from one that is there.

    Writes the folder NAME, which works at once; change its update_core() and its networks.
    """
    from ganlib.commands._template import HOME, in_a_checkout, start

    checkout = in_a_checkout()
    if plugin_dir is None and not checkout:
        plugin_dir = Path(".")
    folder = start(name, origin, HOME if plugin_dir is None else plugin_dir, force)
    place = "" if plugin_dir is None else f" --plugin-dir {plugin_dir}"
    files = ", ".join(file.name for file in sorted(folder.iterdir()))
    click.echo(f"{folder}: {files}")
    train = "python train.py" if checkout else "ganlib train"
    click.echo(f"Train it:  {train} --algorithm {name}{place}")
    click.echo(f"Check it:  ganlib check {name}{place}")
