"""Draw the pictures and films that the pages of this repository show.

Run `python -m scripts.draw KIND FILE ...` at the top of the checkout; `--help` lists the kinds, and
`python -m scripts.draw KIND --help` says what each takes.
"""

import textwrap
from collections.abc import Sequence
from pathlib import Path

import click
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

import ganlib
from ganlib.__main__ import in_a_sentence
from ganlib.common.ada import GROUPS, augment_ada, filters
from ganlib.common.errors import UserError
from ganlib.common.pictures import coloured_maps, grid, save, save_animation, translation_grid
from ganlib.common.query import open_dataset
from ganlib.evaluation.comparison.reading import read_run
from ganlib.evaluation.comparison.runs import Run
from ganlib.evaluation.comparison.table import Column
from ganlib.runs.tables import Asked, Table, open_table
from ganlib.training.extensions.sample_grid import translations

LETTERS, LETTERS_OF_NAME = 15, 30  # in pixels, and as many as NAME has room for
LINE = 24  # pixels for words above a picture
SAMPLES, HEIGHT, NAME = 12, 58, 246  # of a method: in a row, whose height and name are in pixels
GROWING_WIDTH, LAST = 480, 6  # pixels, and how often the last grid stands
STILL = 3  # how often the first and the last frame of a roll-out stand
BETWEEN = 12  # white pixels between runs of translators
CANVASES, CANVAS = 5, 192  # of wardrobe, and their side in pixels

FILE = click.argument("file", type=click.Path(path_type=Path))
RUN = click.argument("run", type=click.Path(path_type=Path))
RUNS = click.argument(
    "runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path)
)


@click.group()
def command() -> None:
    """Draw the pictures and films that the pages of this repository show."""


@command.command("methods")
@FILE
@click.argument("table")
@click.argument("folder", type=click.Path(path_type=Path))
def draw_methods(file: Path, table: str, folder: Path) -> None:
    """Samples of every row of a table of `ganlib reproduce`, a row each.

    FOLDER holds its runs: samples 0 to 11 of the best trial of each row by the first seed, with its
    score, the best first; nothing is picked.
    """
    save(stacked(method_rows(open_table(table), folder)), file)


@command.command("growing")
@FILE
@RUN
def draw_growing(file: Path, run: Path) -> None:
    """A film of a run's sample grids.

    They are of the same noise as it learns: of each the upper half, with its iteration and the
    stage that the log says.
    """
    save_animation(growing_film(run), file, milliseconds=500)


@command.command("rollouts")
@FILE
@RUNS
@click.option("--titles", help="Of the runs, with commas.  [default: the folders' names]")
@click.option("--rows", default=3, show_default=True, help="Sequences.")
def draw_rollouts(file: Path, runs: tuple[Path, ...], titles: str | None, rows: int) -> None:
    """A film of what runs predict, and of what came.

    All start from the same held-out sequences. Each run has a column, and what came has the last
    one. Predicted frames have a grey border.
    """
    words = [run.name for run in runs] if titles is None else titles.split(",")
    if len(words) != len(runs):
        raise click.UsageError(f"--titles are {len(words)}, and there are {len(runs)} runs.")
    save_animation(rollout_film(runs, [*words, "what came"], rows), file, milliseconds=300)


@command.command("translations")
@FILE
@RUNS
@click.option("--rows", default=2, show_default=True, help="Of each run.")
@click.option("--across", default=4, show_default=True, help="Sources in a row.")
def draw_translations(file: Path, runs: tuple[Path, ...], rows: int, across: int) -> None:
    """What translators make of held-out sources.

    By seed 0, a block of rows for each run.
    """
    shown = [translations(updater_of(run).sample_stream(0), rows * across) for run in runs]
    save(stacked([translation_grid(columns, across) for columns in shown], BETWEEN), file)


@command.command("wardrobe")
@FILE
def draw_wardrobe(file: Path) -> None:
    """Test canvases of wardrobe.

    Below each where its classes and its instances lie.
    """
    save(wardrobe(), file)


@command.command("augmentations")
@FILE
def draw_augmentations(file: Path) -> None:
    """Test images of emoji as ADA's groups make them.

    In the first row as they are, then a row for each group with p = 1, all six at last.
    """
    save(stacked(augmentations()), file)


def method_rows(table: Table, folder: Path) -> list[Image.Image]:
    """Of each row of the table that has a result, the best first; UserError if none has."""
    asked = Asked(table, {row: table.tasks(row, 0, table.trials) for row in table.rows}, [0])
    best = [task for row in asked.tried for task in asked.counting(row)]
    scored = [(v, t) for t in best for v in table.values(asked.lines([t]))]
    if not scored:
        raise UserError(f"{table.results} has no result of '{table.score}'.")
    badness = Column(table.score, "", {}).badness
    scored.sort(key=lambda pair: badness(pair[0]))
    of = {f"{t.row} {value:#.3g}": ganlib.load(folder / t.name) for value, t in scored}
    return [named_row(title, model.sample(SAMPLES, seed=0)) for title, model in of.items()]


def named_row(title: str, images: Tensor) -> Image.Image:
    """Words, and beside them images (SAMPLES, C, H, W) in [-1, 1]."""
    samples = grid(images, SAMPLES)
    samples = samples.resize((samples.width * HEIGHT // samples.height, HEIGHT))
    whole = Image.new("RGB", (NAME + samples.width, HEIGHT), "white")
    words = textwrap.fill(title, LETTERS_OF_NAME, break_on_hyphens=False)
    font = ImageFont.load_default(LETTERS)
    ImageDraw.Draw(whole).text((4, HEIGHT // 2), words, "black", font, anchor="lm")
    whole.paste(samples, (NAME, 0))
    return whole


def growing_film(folder: Path) -> list[Image.Image]:
    """The frames of a film of a run's grids; UserError if there are none."""
    paths = sorted((folder / "samples").glob("[0-9]*.png"))
    run = read_run(folder) if paths else None
    if run is None:
        raise UserError(f"{folder} holds no run with samples: give a run's folder.")
    frames = [growing_frame(path, run) for path in paths]
    return [*frames, *(frames[-1:] * LAST)]


def growing_frame(path: Path, run: Run) -> Image.Image:
    """The upper half of a grid, and above it what it is of."""
    with Image.open(path) as picture:
        half = picture.convert("RGB").crop((0, 0, picture.width, picture.height // 2))
    size = (GROWING_WIDTH, half.height * GROWING_WIDTH // half.width)
    title = f"iteration {run.at(int(path.stem))}"
    return titled(half.resize(size, Image.Resampling.NEAREST), [title])


def rollout_film(runs: Sequence[Path], titles: Sequence[str], rows: int) -> list[Image.Image]:
    """The frames; UserError for runs that predict nothing, or other sequences than the first."""
    found = [rollout(run)[: 2 * rows] for run in runs]
    truth = found[0][1::2]
    if any(x.shape != found[0].shape or not torch.equal(x[1::2], truth) for x in found):
        raise UserError("These runs are not of the same sequences: give runs on the same data.")
    # the columns of a row are beside each other: (rows * columns, T, C, H, W)
    x = torch.stack([*(x[::2] for x in found), truth], 1).flatten(0, 1)
    grids = (grid(x[:, t], len(titles)) for t in range(x.shape[1]))
    large = (g.resize((2 * g.width, 2 * g.height), Image.Resampling.NEAREST) for g in grids)
    frames = [titled(picture, titles) for picture in large]
    return [*STILL * frames[:1], *frames[1:-1], *STILL * frames[-1:]]


def rollout(run: Path) -> Tensor:
    """The `rollout` of a run's last snapshot by seed 0, (2 n, T, C, H, W) in [-1, 1]."""
    found = updater_of(run).pictures(0).get("rollout")
    if not isinstance(found, Tensor):
        raise UserError(f"{run} predicts no frames: give the folder of such a run, as of pgn.")
    return found.cpu()


def wardrobe() -> Image.Image:
    """A column for each canvas: image, classes, instances."""
    data = open_dataset("wardrobe", None, "test", CANVAS)
    assert data.source is not None
    index = torch.arange(CANVASES)
    rows = [data.x[index], *map(coloured_maps, data.source[index].unbind(1))]
    return grid(torch.cat(rows) / 127.5 - 1, CANVASES)


def augmentations() -> list[Image.Image]:
    """A row for each choice of groups, of the same images."""
    data = open_dataset("emoji", None, "test", None)
    x = data.x[torch.arange(SAMPLES) * (len(data.x) // SAMPLES)] / 127.5 - 1
    torch.manual_seed(0)
    rows = {"as they are": x}
    for groups in (*((group,) for group in GROUPS), GROUPS):
        title = groups[0] if len(groups) == 1 else "all"
        rows[title] = augment_ada(x, None, groups, 1.0, *filters())[0].clamp(-1, 1)
    return [named_row(title, images) for title, images in rows.items()]


def updater_of(run: Path) -> ganlib.Updater:
    """That of a run's last snapshot, which starts from the images that its run held out."""
    model = ganlib.load(run)
    model.give_sources()
    return model.updater


def titled(picture: Image.Image, titles: Sequence[str]) -> Image.Image:
    """A picture, and above its columns, which are equally wide, words."""
    whole = stacked([Image.new("RGB", (picture.width, LINE), "white"), picture])
    draw, font = ImageDraw.Draw(whole), ImageFont.load_default(LETTERS)
    for column, words in enumerate(titles):
        place = (picture.width * (column + 0.5) / len(titles), LINE // 2)
        draw.text(place, words, "black", font, anchor="mm")
    return whole


def stacked(pictures: Sequence[Image.Image], between: int = 0) -> Image.Image:
    """Pictures below each other, on white."""
    height = sum(p.height + between for p in pictures) - between
    whole = Image.new("RGB", (max(p.width for p in pictures), height), "white")
    top = 0
    for picture in pictures:
        whole.paste(picture, (0, top))
        top += picture.height + between
    return whole


if __name__ == "__main__":
    in_a_sentence(command)
