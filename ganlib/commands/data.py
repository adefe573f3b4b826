"""List, describe and prepare data sets."""

from collections.abc import Callable
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import get_args

import click
import torch

from ganlib.commands._tables import print_named
from ganlib.commands.options import shared
from ganlib.common.data import POINTS, DataSet, Images
from ganlib.common.data.spec import NoSuchSplit
from ganlib.common.errors import UserError
from ganlib.common.formats.hdf5 import check_hdf5
from ganlib.common.formats.hdf5_writing import Storage, write_streams
from ganlib.common.formats.resize import Fit, Sizing
from ganlib.common.io.console import printable
from ganlib.common.io.remote import place_of
from ganlib.common.query import HDF5, MAX_SIZE, DataQuery, datasets
from ganlib.common.sources.parse import descriptions
from ganlib.config import RunConfig

REASONS = {
    "gzip": "gzip, as all of it fits the memory",
    "contiguous": "contiguous, as it is too large to be read into memory at once",
}
CLASSES = 20  # how many are listed
SAMPLE = 1000  # images that the mean is taken of: enough, and quick to read out of any file
SAMPLE_BYTES = 2**26  # of large images fewer: as floats they take eight times as much
DOTS = "..."


def queried(command: Callable[..., None]) -> Callable[..., None]:
    """A command of a DataQuery, with the options that make one."""
    call = shared.handed(DataQuery, command)
    for option in (
        click.option(
            "--source", metavar="SOURCE", help=RunConfig.model_fields["source"].description
        ),
        shared.path_option(
            "--data-root",
            metavar="DIR",
            help="Where the data set's files are; by default $GANLIB_DATA or ~/.cache/ganlib/data.",
        ),
        click.option(
            "--size",
            type=shared.AtLeast(1),
            help="Crop and resize to N x N pixels; by default the data set's own size.",
        ),
        click.argument("dataset", metavar="NAME"),
    ):
        call = option(call)
    return call


@click.group("data")
def command() -> None:
    """List, describe and prepare data sets."""


@command.command("list")
def list_command() -> None:
    """The names that --dataset takes, and what is behind them; then what --source takes."""
    print_named({n: datasets.describe(n).split("\n")[:1] for n in datasets.names()})
    click.echo("\n--source, what translations on them start from:\n")
    print_named({way: [what] for way, what in descriptions().items()})


@command.command()
@queried
@click.option(
    "--check", is_flag=True, help="Hold all of an .h5 file against the checksums in it first."
)
def info(query: DataQuery, check: bool) -> None:
    """What is in the data set NAME, or in a folder of images or an .h5, .npz or .npy file."""
    if check:
        path = place_of(str(query.dataset))
        if path.suffix.lower() not in HDF5 or not path.is_file():
            raise UserError(
                f"--check is for an .h5 file, and {query.dataset} is none: leave it out."
            )
        for line in check_hdf5(path):
            click.echo(line)
    train, test = query.open(), query.of_split("test")
    click.echo(printable(train.name))
    for key, value in train.in_words(train.provenance).items():
        click.echo(printable(f"  {key}: {value}"))
    _describe("train", train)
    if test is not None:
        _describe("test", test)


@command.command()
@queried
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--resolutions",
    metavar="4,8,...,N",
    help="Write the images at N x N pixels and, as means over areas, at these lower resolutions "
    "too: a method that grows reads them in place of resizing.",
)
@click.option(
    "--fit",
    type=click.Choice(get_args(Fit)),
    default="crop",
    help="How images that are not square become so: cropped at the centre, padded with black, or "
    "stretched.",
)
@click.option(
    "--enlarge",
    is_flag=True,
    help="Of image files, enlarge those that are smaller than asked; they are left out otherwise.",
)
@click.option(
    "--storage",
    type=click.Choice(get_args(Storage)),
    help="How images lie in OUT.  [default: gzip if they fit the memory, else contiguous]",
)
@shared.force
def prepare(
    query: DataQuery,
    out: Path,
    resolutions: str | None,
    fit: Fit,
    enlarge: bool,
    storage: Storage | None,
    force: bool,
) -> None:
    """Write NAME, a data set's name or a path, to the HDF5 file OUT, however large it is.

    Images are cropped, resized and decoded once and for all; use OUT as --dataset afterwards.
    """
    shared.check_file(
        out, HDF5, "a name that ends in .h5, by which it is known as a data set", force, "OUT"
    )
    if not out.parent.is_dir():
        raise UserError(f"There is no folder {out.parent} to write {out.name} to: make it first.")
    sides: list[int] = []
    if resolutions is not None:
        largest, *sides = resolutions_in(resolutions)
        if query.size not in (None, largest):
            raise UserError(
                f"--size is {query.size} and the largest of --resolutions is {largest}: leave "
                "--size out."
            )
        query = replace(query, size=largest)
    sizing = Sizing(fit, enlarge or query.size is None)
    train = query.stream(sizing)
    if train.shape == POINTS:
        raise UserError(f"{train.name} holds points and no images: use it as --dataset as it is.")
    try:
        test = replace(query, split="test").stream(sizing)
    except NoSuchSplit:
        test = None
    chosen = write_streams(out, train, test, storage, sides, new=not force)
    if "resized" in train.provenance:
        click.echo(printable(f"{train.name}: {train.provenance['resized']}"), err=True)
    how = REASONS[chosen] if storage is None else chosen
    click.echo(f"{out}: {out.stat().st_size / 2**20:,.1f} MiB, {how}; use it by --dataset {out}")


def resolutions_in(text: str) -> list[int]:
    """The numbers of a list, 4,8,...,1024, from the largest down; "..." stands for the doubles
    between its neighbours. UserError if `text` is no such list.
    """
    sides: list[int] = []
    words = [word.strip() for word in text.split(",")]
    for i, word in enumerate(words):
        if word == DOTS and 0 < i < len(words) - 1:
            sides += _doubles(text, _number(text, words[i - 1]), _number(text, words[i + 1]))
        else:
            sides.append(_number(text, word))
    return sorted(set(sides), reverse=True)


def _number(text: str, word: str) -> int:
    if not (word.isdecimal() and word.isascii() and len(word) < 6 and 0 < int(word) <= MAX_SIZE):
        raise UserError(
            f"The resolutions {text!r} must be numbers in 1..{MAX_SIZE} with commas between, such "
            "as 4,8,16 or 4,8,...,1024."
        )
    return int(word)


def _doubles(text: str, first: int, last: int) -> list[int]:
    sides = [first]
    while sides[-1] < last:
        sides.append(2 * sides[-1])
    if sides[-1] != last:
        raise UserError(f"In the resolutions {text!r}, {first} doubled never is {last}.")
    return sides


def _sources(data: DataSet, source: Images) -> str:
    """What a translation starts from."""
    n, channels, height, width = source.shape
    what = f"{width}x{height}, {channels} channels"
    if data.source_kind == "ids":
        what = f"{width}x{height}, ids of class and instance"
    if data.source_frames > 1:
        what += f", {data.source_frames} frames"
    return f"each with a source image, {what}" if n == len(data) else f"{n:,} sources, {what}"


def _describe(split: str, data: DataSet) -> None:
    """Print the size of a split, its pixels' mean and its classes."""
    channels, height, width = data.shape
    colour = "grey" if channels == data.frames else "RGB"
    frames = f", {data.frames} frames" if data.frames > 1 else ""
    what = "points" if data.shape == POINTS else f"images, {width}x{height} {colour}{frames}"
    click.echo(f"{split}: {len(data):,} {what}")
    if data.source is not None:
        click.echo(f"  {_sources(data, data.source)}")
    if data.smaller:
        click.echo(f"  also at {', '.join(f'{n}x{n}' for n in data.smaller)}")
    some = min(len(data), SAMPLE, max(1, SAMPLE_BYTES // prod(data.shape)))
    index = torch.linspace(0, len(data) - 1, some).long()
    pixels = data.x[index].double()
    of = "" if len(index) == len(data) else f" (of {len(index):,} images)"
    click.echo(f"  pixels: mean {pixels.mean():.1f}, standard deviation {pixels.std():.1f}{of}")
    if data.y is None:
        click.echo("  no labels")
        return
    counts = torch.bincount(data.y, minlength=len(data.classes)).tolist()
    click.echo(f"  {len(counts)} {'class' if len(counts) == 1 else 'classes'}:")
    for name, count in list(zip(data.classes, counts, strict=True))[:CLASSES]:
        click.echo(printable(f"    {name}: {count:,}"))
    if len(counts) > CLASSES:
        click.echo(f"    and {len(counts) - CLASSES} more")
