"""Make a film of what runs predict of the same held-out sequences, and of what came.

Run `python -m scripts.draw_rollouts FILM.gif RUN [RUN ...]` at the top of the checkout; --titles
gives the columns' words, --rows the number of sequences. Each run has a column, and what came has
the last one. Predicted frames have a grey border.
"""

from collections.abc import Sequence
from pathlib import Path

import click
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

import ganlib
from ganlib.common.errors import UserError
from ganlib.common.pictures import grid, save_animation
from ganlib.sampling.translation.held_out import give_sources

LINE = 20  # pixels for the titles
STILL = 3  # how often the first and the last frame stand


def film(runs: Sequence[Path], titles: Sequence[str], rows: int) -> list[Image.Image]:
    """The frames; UserError for runs that predict nothing, or other sequences than the first."""
    found = [rolled_out(run)[: 2 * rows] for run in runs]
    truth = found[0][1::2]
    if any(x.shape != found[0].shape or not torch.equal(x[1::2], truth) for x in found):
        raise UserError("These runs are not of the same sequences: give runs on the same data.")
    # the columns of a row are beside each other: (rows * columns, T, C, H, W)
    x = torch.stack([*(x[::2] for x in found), truth], 1).flatten(0, 1)
    frames = [titled(grid(x[:, t], len(titles)), titles) for t in range(x.shape[1])]
    return [*STILL * frames[:1], *frames[1:-1], *STILL * frames[-1:]]


def rolled_out(run: Path) -> Tensor:
    """The `rollout` of a run's last snapshot by seed 0, (2 n, T, C, H, W) in [-1, 1]."""
    updater = (model := ganlib.load(run)).updater
    give_sources(updater, model.settings)
    found = updater.pictures(0).get("rollout")
    if found is None:
        raise UserError(f"{run} predicts no frames: give the folder of such a run, as of pgn.")
    return found.cpu()


def titled(picture: Image.Image, titles: Sequence[str]) -> Image.Image:
    """A grid, twice as large, with words above its columns."""
    picture = picture.resize((2 * picture.width, 2 * picture.height), Image.Resampling.NEAREST)
    whole = Image.new("RGB", (picture.width, picture.height + LINE), "white")
    whole.paste(picture, (0, LINE))
    draw, width = ImageDraw.Draw(whole), picture.width / len(titles)
    for column, words in enumerate(titles):
        place = (width * (column + 0.5), LINE - 4)
        draw.text(place, words, "black", ImageFont.load_default(14), anchor="ms")
    return whole


@click.command()
@click.argument("path", metavar="FILM.gif", type=click.Path(path_type=Path))
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--titles", help="Of the runs, with commas.  [default: the folders' names]")
@click.option("--rows", default=3, show_default=True, help="Sequences.")
def main(path: Path, runs: tuple[Path, ...], titles: str | None, rows: int) -> None:
    """Make a film of what runs predict of the same held-out sequences, and of what came."""
    words = [run.name for run in runs] if titles is None else titles.split(",")
    if len(words) != len(runs):
        raise click.UsageError(f"--titles are {len(words)}, and there are {len(runs)} runs.")
    try:
        save_animation(film(runs, [*words, "what came"], rows), path, milliseconds=300)
    except UserError as error:
        raise click.ClickException(str(error)) from None


if __name__ == "__main__":
    main()
