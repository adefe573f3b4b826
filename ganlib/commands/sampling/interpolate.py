"""Walk between samples of a trained generator, or add and subtract them."""

from itertools import chain, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganlib.commands.options import shared
from ganlib.common.errors import UserError

if TYPE_CHECKING:
    from ganlib.sampling.interpolation import Space

FRAMES = {".png": 10, ".gif": 30, ".mp4": 30}
MOST = 1000


@click.command()
@shared.of_model
@click.option(
    "--numbers",
    metavar="I,J,...",
    help="Walk through the samples with these numbers.  [default: 0,1, with --classes 0]",
)
@click.option("--class", "word", metavar="NAME", help=f"Stay in this class, {shared.CLASSES}.")
@click.option(
    "--classes",
    "words",
    metavar="NAME,NAME,...",
    help="Walk through these classes at the latents of a sample, of each of --numbers in turn.",
)
@click.option(
    "--plus", multiple=True, type=int, metavar="I", help="Add this sample; may be repeated."
)
@click.option(
    "--minus", multiple=True, type=int, metavar="I", help="Subtract this sample; may be repeated."
)
@click.option("--seed", default=0, help="The seed that the numbers count in.")
@click.option(
    "--space",
    type=click.Choice(["z", "code"]),
    help="Where the walk leads: on spheres in the space of latents, or straight between the codes "
    "of a style-based generator.  [default: z]",
)
@click.option(
    "--frames",
    type=shared.AtLeast(2, MOST),
    help="Pictures from one sample to the next, both included.  [default: 10, in a film 30]",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="A .png (a row for each leg), or a film: a .gif (that loops) or an .mp4.  "
    "[default: interpolation.png or arithmetic.png]",
)
@shared.force
@shared.sources
@shared.device("the CPU")
@shared.plugin_dir
def command(
    options: shared.ModelOptions,
    numbers: str | None,
    word: str | None,
    words: str | None,
    plus: tuple[int, ...],
    minus: tuple[int, ...],
    seed: int,
    space: "Space | None",
    frames: int | None,
    out: Path | None,
    force: bool,
) -> None:
    """Walk between samples of a trained generator, or add and subtract them.

    SNAPSHOT is a snapshot file, or a run's folder for its newest one.

    --numbers 3,8,1 goes from sample 3 of --seed over 8 to 1 by spherical interpolation; a class, or
    the image that a generator translates, changes halfway, and --class keeps to one.

    --classes shirt,boot goes from class to class instead, in equal steps of how much of each the
    generator is told, at the latents of sample 0.

    --plus 3 --minus 5 --plus 8 shows these samples with their signs, and what the sum of their
    latents looks like, in the class of the first or in --class.
    """
    snapshot = options.snapshot
    pairs = zip_longest([(1, i) for i in plus], [(-1, i) for i in minus])
    terms = [term for term in chain.from_iterable(pairs) if term is not None]  # as in a - b + c
    if terms:
        out = out or Path("arithmetic.png")
        if any(other is not None for other in (numbers, frames, space, words)):
            raise UserError(
                "--plus and --minus make a sum: leave --numbers, --frames, --space and --classes "
                "out."
            )
        shared.check_file(out, (".png",), "a .png, which is what a sum is shown in", force)
        stops = [number for _, number in terms]
    else:
        out = out or Path("interpolation.png")
        shared.check_file(out, tuple(FRAMES), "a .png, a .gif or an .mp4", force)
        stops = _stops(numbers, through_classes=words is not None)
    if min(stops) < 0:
        raise UserError(f"There is no sample number {min(stops)}: samples count from 0.")
    if word is not None and words is not None:
        raise UserError("--class stays in one class and --classes walks through some: give one.")

    from ganlib.common.formats.video import MP4, av_for
    from ganlib.sampling.interpolation import Interpolation, write_interpolation, write_sum

    if out.suffix.lower() == MP4:
        av_for(out)  # that it is missing shows before the work is done
    model = options.load()
    if not model.updater.sampling_gen.n_hidden:
        raise UserError(
            f"{snapshot} has no latents to walk between: it translates images, and `ganlib sample` "
            "shows what becomes of them."
        )
    options.give_sources(model)
    one, several = ([] if w is None else shared.called(model, snapshot, [w]) for w in (word, words))
    if word is not None and len(one) != 1:
        raise UserError(f"--class names {len(one)} classes; give one.")
    if words is not None and len(several) < 2:
        raise UserError("--classes names fewer than two classes; to stay in one, give --class.")
    told = one[0] if one else None
    if terms:
        write_sum(model, terms, seed, out, told)
    else:
        frames = frames or FRAMES[out.suffix.lower()]
        way = Interpolation(stops, seed, frames, space or "z", several, told)
        write_interpolation(model, way, out)
    click.echo(out)


def _stops(numbers: str | None, through_classes: bool) -> list[int]:
    default, fewest, words = ("0", 1, "one") if through_classes else ("0,1", 2, "two")
    try:
        stops = [int(number) for number in (numbers or default).split(",")]
    except ValueError:
        stops = []
    if len(stops) < fewest:
        raise UserError(f"--numbers is '{numbers}'; give {words} or more numbers, such as 3,8,1.")
    return stops
