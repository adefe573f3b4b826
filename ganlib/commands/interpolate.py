"""Walk between samples of a trained generator, or add and subtract them."""

from itertools import chain, zip_longest
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganlib.commands import _common_options
from ganlib.commands._outputs import check_file, output
from ganlib.common.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from ganlib.sampling.model import Model
    from ganlib.training.series import Series

FRAMES = {".png": 10, ".gif": 30}


@click.command()
@click.argument("snapshot", type=click.Path(path_type=Path))
@click.option(
    "--numbers",
    metavar="I,J,...",
    help="Walk through the samples with these numbers.  [default: 0,1]",
)
@click.option(
    "--plus", multiple=True, type=int, metavar="I", help="Add this sample; may be repeated."
)
@click.option(
    "--minus", multiple=True, type=int, metavar="I", help="Subtract this sample; may be repeated."
)
@click.option("--seed", default=0, show_default=True, help="The seed that the numbers count in.")
@click.option(
    "--space",
    type=click.Choice(["z", "code"]),
    help="Where the walk leads: on spheres in the space of latents, or straight between the codes "
    "of a style-based generator.  [default: z]",
)
@click.option(
    "--frames",
    type=int,
    metavar="N",
    help="Pictures from one sample to the next, both included.  [default: 10, in a .gif 30]",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="A .png (a row for each leg) or a .gif (that loops).  "
    "[default: interpolation.png or arithmetic.png]",
)
@_common_options.dataset
@_common_options.data_root
@_common_options.device("the CPU")
@_common_options.plugin_dir
def command(
    snapshot: Path,
    numbers: str | None,
    plus: tuple[int, ...],
    minus: tuple[int, ...],
    seed: int,
    space: str | None,
    frames: int | None,
    out: Path | None,
    dataset: str | None,
    data_root: Path | None,
    gpu: int | None,
    device: str | None,
    plugin_dir: tuple[Path, ...],
) -> None:
    """Walk between samples of a trained generator, or add and subtract them.

    SNAPSHOT is a snapshot file, or a run's folder for its newest one.

    --numbers 3,8,1 goes from sample 3 of --seed over 8 to 1 by spherical interpolation; a class, or
    the image that a generator translates, changes halfway.

    --plus 3 --minus 5 --plus 8 shows these samples with their signs, and what the sum of their
    latents looks like, in the class of the first.
    """
    place, terms = _common_options.chosen(gpu, device, "cpu"), _interleaved(plus, minus)
    if terms:
        out = out or Path("arithmetic.png")
        _check_sum(terms, numbers, frames, space, out)
    else:
        out = out or Path("interpolation.png")
        check_file(out, tuple(FRAMES), "a .png or a .gif")
        stops, frames = _stops(numbers or "0,1"), _frames(frames, out)

    from ganlib.registry import add_plugins
    from ganlib.sampling.model import load
    from ganlib.sampling.sources import give_sources

    for folder in plugin_dir:
        add_plugins(folder)
    model = load(snapshot, place)
    if not model.updater.shown.n_hidden:
        raise UserError(
            f"{snapshot} has no latents to walk between: it translates images, and `ganlib sample` "
            "shows what becomes of them."
        )
    give_sources(model.updater, model.settings, dataset, data_root)
    if terms:
        _write_sum(model, terms, seed, out)
    else:
        assert frames is not None
        _write_walk(model, stops, seed, frames, out, space or "z")
    click.echo(out)


def _interleaved(plus: tuple[int, ...], minus: tuple[int, ...]) -> list[tuple[int, int]]:
    """(sign, number) of every term, plus and minus in turn as in a - b + c."""
    pairs = zip_longest([(1, i) for i in plus], [(-1, i) for i in minus])
    return [term for term in chain.from_iterable(pairs) if term is not None]


def _check_sum(
    terms: list[tuple[int, int]],
    numbers: str | None,
    frames: int | None,
    space: str | None,
    out: Path,
) -> None:
    if numbers is not None or frames is not None or space is not None:
        raise UserError("--plus and --minus make a sum: leave --numbers, --frames and --space out.")
    check_file(out, (".png",), "a .png, which is what a sum is shown in")
    _check_numbers([number for _, number in terms])


def _stops(numbers: str) -> list[int]:
    try:
        stops = [int(number) for number in numbers.split(",")]
    except ValueError:
        stops = []
    if len(stops) < 2:
        raise UserError(f"--numbers is '{numbers}'; give two or more numbers, such as 3,8,1.")
    _check_numbers(stops)
    return stops


def _check_numbers(numbers: list[int]) -> None:
    if min(numbers) < 0:
        raise UserError(f"There is no sample number {min(numbers)}: samples count from 0.")


def _frames(frames: int | None, out: Path) -> int:
    frames = FRAMES[out.suffix.lower()] if frames is None else frames
    if frames < 2:
        raise UserError(f"--frames is {frames}; give at least 2, the samples at both ends.")
    return frames


def _write_walk(
    model: "Model", stops: list[int], seed: int, frames: int, out: Path, space: str
) -> None:
    """A row for each leg; or a film of all legs that ends where it began."""
    from ganlib.common.pictures import frames as films
    from ganlib.common.pictures import grid, save, save_animation

    if out.suffix.lower() == ".png":
        strip = grid(_walk(model, stops, seed, frames, space).flatten(0, 1), frames)
        with output(out):
            save(strip, out)
        return
    closed = stops if stops[0] == stops[-1] else [*stops, stops[0]]
    # Without the last picture of each leg, which is the first one of the next.
    film = films(_walk(model, closed, seed, frames, space)[:, :-1].flatten(0, 1))
    with output(out):
        save_animation(film, out)


def _walk(model: "Model", stops: list[int], seed: int, frames: int, space: str = "z") -> "Tensor":
    """Images (legs, frames, C, H, W)."""
    import torch

    from ganlib.sampling.latent import straight, walk
    from ganlib.training.memory import require

    pictures = (len(stops) - 1) * frames
    numbers = prod(model.spec.image) + model.updater.shown.n_hidden
    require(4 * pictures * numbers, "Frames", "give a smaller --frames")
    series = model.updater.series(seed)
    z, y = series.latents(stops)
    if space == "code":
        path = straight(series.code(z, y), frames)
    else:
        path = walk(z, frames, model.updater.shown.latent)
    if y is not None:
        second = torch.arange(frames, device=y.device) * 2 >= frames
        y = torch.stack([torch.where(second, b, a) for a, b in zip(y[:-1], y[1:], strict=True)])
        y = y.flatten(0, 1)
    images = _shown(series, path.flatten(0, 1), y, space)
    return images.reshape(*path.shape[:2], *images.shape[1:])


def _shown(series: "Series", path: "Tensor", y: "Tensor | None", space: str) -> "Tensor":
    """The images (n, C, H, W) of n points on a walk."""
    import torch

    from ganlib.common.datasets._progress import progress

    show, images, batch_size = series.draw if space == "code" else series.decode, [], 256
    with progress("decoding", len(path)) as advance:
        for start in range(0, len(path), batch_size):
            part = slice(start, start + batch_size)
            images.append(show(path[part], None if y is None else y[part]).cpu())
            advance(len(images[-1]))
    return torch.cat(images)


def _write_sum(model: "Model", terms: list[tuple[int, int]], seed: int, out: Path) -> None:
    import torch

    from ganlib.common.pictures import frames, save
    from ganlib.sampling.equation import equation
    from ganlib.sampling.latent import signed_sum

    z, y = model.latents([number for _, number in terms], seed)
    try:
        total = signed_sum(z, torch.tensor([sign for sign, _ in terms]), model.updater.shown.latent)
    except ValueError:
        raise UserError("These terms cancel out; leave one of them out.") from None
    y = None if y is None else torch.cat([y, y[:1]])
    pictures = frames(model.decode(torch.cat([z, total[None]]), y))
    first = " " if terms[0][0] > 0 else "-"
    signs = first + "".join("+" if sign > 0 else "-" for sign, _ in terms[1:]) + "="
    with output(out):
        save(equation(pictures, signs), out)
