"""Draw images from a trained generator."""

from collections.abc import Callable, Collection, Iterable, Iterator
from math import prod
from pathlib import Path
from typing import TypeVar

import click

from ganlib.commands.options import shared
from ganlib.common.errors import UserError
from ganlib.common.io.console import stderr_console
from ganlib.common.io.files import check_free, output

T = TypeVar("T")
N = 64
LARGEST_GRID = 4096  # more images are too small to see in one picture, and fill the memory
KINDS = "a .png (a grid), an .npz (an array) or a folder (one PNG per image)"


@click.command()
@shared.of_model
@click.option(
    "-n",
    "n",
    type=shared.AtLeast(1),
    help=f"How many images.  [default: {N}, in a grid by class 8 of each, of translations 24]",
)
@click.option(
    "--numbers", metavar="I,J,...", help="These of the seed's samples.  [default: the first]"
)
@shared.path_option(
    "--codes",
    help="Of codes that `ganlib invert` found or a page has saved: all, or --numbers in this file.",
)
@click.option(
    "--class",
    "words",
    multiple=True,
    metavar="NAME",
    help=f"Of this class alone, {shared.CLASSES}. Several with commas or repeated: a row of a grid "
    "for each, else one image of each in turn.  [default: in a grid the first 16, else as in the "
    "data]",
)
@click.option(
    "--seed",
    default=0,
    help="Image i, of a grid by class column i, depends on (seed, i) and its class alone.",
)
@click.option(
    "-o",
    "--out",
    default="samples.png",
    type=click.Path(path_type=Path),
    help=f"Where to: {KINDS}.",
)
@shared.force
@click.option(
    "--plain",
    is_flag=True,
    help="Of a .png: the images alone, at their own size, with nothing between or beside them.",
)
@shared.ema_length
@shared.truncation
@shared.statistics
@shared.sources
@shared.batch_size
@shared.device("the CPU")
@shared.plugin_dir
def command(
    options: shared.ModelOptions,
    n: int | None,
    numbers: str | None,
    codes: Path | None,
    words: tuple[str, ...],
    seed: int,
    out: Path,
    force: bool,
    plain: bool,
    truncation: float | None,
    statistics: str | None,
    batch_size: int,
) -> None:
    """Draw images from a trained generator.

    SNAPSHOT is a run's folder, for its newest one, a snapshot file, an exported folder,
    gallery:NAME, or user/name[@REVISION] on a Hugging Face hub. A grid of a generator of
    classes has a row for each, with its name; one of a generator that translates shows held-out
    sources, what is made of them, and the truth where there is one. An .npz holds `images`, uint8
    (n, H, W, C), and of a generator of classes `labels`.
    """
    if codes is not None and words:
        raise UserError("--codes have classes of their own: leave --class out.")
    if n is not None and (numbers or codes):
        raise UserError(
            "-n is for a seed's first samples: leave it out beside --numbers and --codes."
        )
    chosen = shared.numbered(numbers) if numbers else []
    kind = _kind(out)
    if kind:
        shared.check_file(out, (".png", ".npz"), KINDS, force)
    if plain and kind != ".png":
        raise UserError("--plain is for a .png; files of other kinds hold the images alone.")

    import torch

    from ganlib.common import pictures
    from ganlib.common.data import POINTS
    from ganlib.sampling.codes import read_codes, stream_of
    from ganlib.training.device.devices import require
    from ganlib.training.extensions import sample_grid

    given = None if codes is None else read_codes(codes)
    if given and not chosen:
        chosen = list(range(len(given.values)))
    least = len(chosen) or (N if n is None else n)
    _check_grid(kind, least)
    if not kind and not force:
        _check_folder(out, set(pictures.folder_names(least)))
    model = options.load()
    updater, frames = model.updater, model.spec.frames
    options.give_sources(model)
    if model.spec.native == POINTS and not kind:
        raise UserError(
            f"{options.snapshot} makes points: give a .png (a scatter plot) or an .npz as --out."
        )
    classes = list(dict.fromkeys(shared.called(model, options.snapshot, words)))
    if chosen and len(classes) > 1:
        raise UserError("--numbers are of one class: give one --class, or none.")
    shown = sample_grid.shown_classes(updater)
    drawn = kind == ".png" and not plain and not chosen
    rows = (classes or shown) if shown and drawn else []
    pairs = sample_grid.shows_translations(updater) and drawn
    if chosen:
        n = len(chosen)
    elif n is None:
        n = sample_grid.EACH * len(rows) if rows else sample_grid.SOURCES if pairs else N
        _check_grid(kind, n)
    at_once = n if kind else min(n, batch_size)
    require(
        at_once * (4 * prod(model.spec.image) + 4 * updater.sampling_gen.n_hidden),
        "Images",
        f"give a smaller -n{'' if kind else ' or --batch-size'}",
        updater.clock.device,
    )
    asked = chosen or range(n)
    y: int | torch.Tensor | None = None
    if classes:
        y = classes[0] if chosen else torch.tensor(classes).repeat(-(-n // len(classes)))[:n]
    stream = stream_of(updater, seed, y, given, truncation, statistics)
    parts = (asked[start : start + batch_size] for start in range(0, n, batch_size))
    batches = _with_bar(map(stream.images, parts), n, len)
    with output(out):
        if plain:
            pictures.write_plain(batches, n, out, frames)
        elif rows:
            found = _with_bar(sample_grid.class_rows(stream, rows, n), n, lambda row: len(row[1]))
            pictures.save(pictures.class_grid(found), out)
        elif pairs:
            with stderr_console().status("translating"):
                columns = sample_grid.translations(stream, n)
            pictures.save(pictures.translation_grid(columns), out)
        elif kind == ".png":
            pictures.write_grid(batches, n, out, frames)
        elif kind == ".npz":
            labels = stream.latents(asked)[1] if updater.config.condition == "labels" else None
            if labels is not None and labels.is_floating_point():  # how much of each
                labels = labels.argmax(1)
            pictures.write_array(batches, n, labels, out)
        else:
            pictures.write_folder(batches, n, out, frames)
    click.echo(out)


def _check_folder(out: Path, names: Collection[str]) -> None:
    """UserError for a folder that holds anything else than such samples: who counts or scores the
    images there would take others for them.
    """
    there = list(out.iterdir()) if out.is_dir() else []
    if any(path.name not in names for path in there):
        raise UserError(f"{out} holds other files already; give --force, or another folder.")
    check_free(there, force=False)


def _check_grid(kind: str, n: int) -> None:
    if kind == ".png" and n > LARGEST_GRID:
        raise UserError(
            f"{n} images are too many for one picture (at most {LARGEST_GRID}); "
            "give an .npz or a folder as --out."
        )


def _kind(out: Path) -> str:
    """The suffix of a file, "" for a folder."""
    return "" if out.is_dir() and out.suffix.lower() not in (".png", ".npz") else out.suffix.lower()


def _with_bar(parts: Iterable[T], n: int, size: Callable[[T], int]) -> Iterator[T]:
    """The same parts, with a progress bar of the n images that they have."""
    from ganlib.common.io.console import progress

    with progress("sampling", n) as advance:
        for part in parts:
            yield part
            advance(size(part))
