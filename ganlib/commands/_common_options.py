"""Options that mean the same wherever a command has them."""

from pathlib import Path

import click

plugin_dir = click.option(
    "--plugin-dir", multiple=True, type=click.Path(path_type=Path), help="A folder of your own."
)
truncation = click.option(
    "--truncation",
    type=float,
    metavar="PSI",
    help="Keep the latents within [-PSI, PSI]: less variety, often better images.",
)
