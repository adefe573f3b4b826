"""Draw what translators make of held-out sources, a block of rows for each run.

Run `python -m scripts.draw_translations PICTURE.png RUN... [--rows N]` at the top of the checkout.
"""

from pathlib import Path

import click
from PIL import Image

import ganlib
from ganlib.common.pictures import save
from ganlib.common.pictures.grids import translation_grid
from ganlib.sampling.translation.held_out import give_sources
from ganlib.training.samples.translations import translations

BETWEEN = 12
"""White pixels between runs."""


def draw(runs: tuple[Path, ...], rows: int, across: int) -> Image.Image:
    """`rows` rows of `across` sources of each run, by seed 0."""
    blocks = []
    for run in runs:
        model = ganlib.load(run)
        give_sources(model.updater, model.settings)
        blocks.append(translation_grid(translations(model.updater, 0, rows * across), across))
    high = sum(b.height for b in blocks) + BETWEEN * (len(blocks) - 1)
    picture, top = Image.new("RGB", (max(b.width for b in blocks), high), "white"), 0
    for block in blocks:
        picture.paste(block, (0, top))
        top += block.height + BETWEEN
    return picture


@click.command()
@click.argument("path", metavar="PICTURE.png", type=click.Path(path_type=Path))
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--rows", default=2, show_default=True, help="Of each run.")
@click.option("--across", default=4, show_default=True, help="Sources in a row.")
def main(path: Path, runs: tuple[Path, ...], rows: int, across: int) -> None:
    """Draw what translators make of held-out sources, a block of rows for each run."""
    save(draw(runs, rows, across), path)


if __name__ == "__main__":
    main()
