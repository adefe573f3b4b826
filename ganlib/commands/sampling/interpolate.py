"""Walk between samples of a trained generator or along directions, or add and subtract them."""

from itertools import chain, zip_longest
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganlib.commands.options import shared
from ganlib.common.errors import UserError

if TYPE_CHECKING:
    from ganlib.sampling.codes import Space
    from ganlib.sampling.directions import Kind

FRAMES = {".png": 10, ".gif": 30, ".mp4": 30}
STEPS = 9  # of a .png along a direction, so that the sample is in the middle
LONGEST = 1000
MOST, REACH = 5, 3.0


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
@shared.path_option(
    "--codes",
    help="Of codes that `ganlib invert` found: numbers count in this file.  [default: samples]",
)
@click.option(
    "--directions",
    type=click.Choice(["sefa", "pca", "classes"]),
    help="Walk from each of --numbers back and on instead: along what the first layers stretch "
    "most (sefa), along principal components of codes (pca), or towards each class of the data's "
    "classifier.",
)
@click.option(
    "--mix",
    type=int,
    metavar="LAYER",
    help="Mix --numbers of a style-based generator with each other instead: layers from this on "
    "are the column's.",
)
@click.option(
    "--most", type=shared.AtLeast(1), help="So many directions of sefa or pca.  [default: 5]"
)
@click.option(
    "--reach", type=float, help="How far along directions, in deviations of samples.  [default: 3]"
)
@click.option("--seed", default=0, help="The seed that the numbers count in.")
@shared.truncation
@click.option(
    "--space",
    type=click.Choice(["z", "code"]),
    help="Where the walk leads: on spheres in the space of latents, or straight between the codes "
    "of a style-based generator.  [default: z]",
)
@click.option(
    "--frames",
    type=shared.AtLeast(2, LONGEST),
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
    codes: Path | None,
    directions: "Kind | None",
    mix: int | None,
    most: int | None,
    reach: float | None,
    seed: int,
    truncation: float | None,
    space: "Space | None",
    frames: int | None,
    out: Path | None,
    force: bool,
) -> None:
    """Walk between samples of a trained generator or along directions, or add and subtract them.

    SNAPSHOT is a run's folder, for its newest one, a snapshot file, an exported folder,
    gallery:NAME, or user/name[@REVISION] on a Hugging Face hub.

    --numbers 3,8,1 goes from sample 3 of --seed over 8 to 1 by spherical interpolation; a class, or
    the image that a generator translates, changes halfway, and --class keeps to one.

    --classes shirt,boot goes from class to class instead, in equal steps of how much of each the
    generator is told, at the latents of sample 0.

    --directions sefa shows for each of --numbers (by default 0) a row for each direction, with the
    sample in the middle; --codes takes pictures that were inverted.

    --plus 3 --minus 5 --plus 8 shows these samples with their signs, and what the sum of their
    latents looks like, in the class of the first or in --class.
    """
    snapshot = options.snapshot
    pairs = zip_longest([(1, i) for i in plus], [(-1, i) for i in minus])
    terms = [term for term in chain.from_iterable(pairs) if term is not None]  # as in a - b + c
    if terms:
        out = out or Path("arithmetic.png")
        if given_of(numbers, frames, space, words, directions, mix):
            raise UserError(
                "--plus and --minus make a sum: leave --directions, --mix, --numbers, --frames, "
                "--space and --classes out."
            )
        shared.check_file(out, (".png",), "a .png, which is what a sum is shown in", force)
        stops = shared.numbered(",".join(str(number) for _, number in terms))
    elif mix is not None:
        if given_of(frames, space):
            raise UserError("--mix makes a picture of codes: leave --frames and --space out.")
        shared.check_file(out := out or Path("mixed.png"), (".png",), "a .png", force)
        stops = shared.numbered(numbers or "0,1", 2)
    else:
        out = out or Path("directions.png" if directions else "interpolation.png")
        shared.check_file(out, tuple(FRAMES), "a .png, a .gif or an .mp4", force)
        alone = words is not None or directions is not None
        stops = shared.numbered(numbers or "0") if alone else shared.numbered(numbers or "0,1", 2)
    if given_of(most, reach) and directions is None:
        raise UserError("--most and --reach are of --directions: give it too, or leave them out.")
    if reach is not None and not 0 < reach < inf:
        raise UserError(f"--reach is {reach:g}; give a number above 0, such as 3.")
    if given_of(word, words, codes) > 1:
        raise UserError(
            "--class stays in one class, --classes walks through some, and --codes have their own: "
            "give one of them."
        )
    if given_of(directions, words, mix) > 1:
        raise UserError("--classes, --directions and --mix are three ways: give one of them.")

    from ganlib.common.formats.video import MP4, av_for
    from ganlib.sampling import interpolation
    from ganlib.sampling.codes import read_codes, stream_of

    given = None if codes is None else read_codes(codes)
    own: Space | None = None if given is None else "z" if given.space == "z" else "code"
    if given and (space or ("z" if terms else own)) != own:
        raise UserError(f"{codes} holds codes of --space {given.space}, and those alone.")
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
    way: Space = space or own or ("code" if directions == "pca" else "z")
    stream = stream_of(model.updater, seed, told, given, truncation)
    if terms:
        interpolation.write_sum(stream, terms, out)
    elif mix is not None:
        interpolation.write_mix(stream, stops, mix, out)
    elif directions:
        found = model.directions(directions, most or MOST, way)
        frames = frames or (STEPS if out.suffix.lower() == ".png" else FRAMES[out.suffix.lower()])
        interpolation.write_directions(stream, stops, found, reach or REACH, frames, way, out)
    else:
        frames = frames or FRAMES[out.suffix.lower()]
        walk = interpolation.Interpolation(stops, frames, way, several)
        interpolation.write_interpolation(stream, walk, out)
    click.echo(out)


def given_of(*values: object) -> int:
    """How many of the options are given."""
    return sum(value is not None for value in values)
