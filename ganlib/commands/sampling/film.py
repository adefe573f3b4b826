"""Make a film of the sample grids that a run has written while it learnt."""

from pathlib import Path

import click

from ganlib.commands.options import shared
from ganlib.common.errors import UserError

ENDINGS = (".gif", ".mp4")
STRIP = 22  # pixels below a picture, for its iteration
MOST, LARGEST = 300, 512  # pictures, and pixels of one: the others are left out, it is reduced
LAST = 10  # pictures' time that the last one stays


@click.command()
@click.argument("run", type=click.Path(path_type=Path), metavar="RUN")
@click.option(
    "--seconds", type=click.FloatRange(0.1, 600), default=8.0, help="How long it takes, about."
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    default=Path("film.gif"),
    help="A .gif (that loops) or an .mp4.",
)
@shared.force
def command(run: Path, seconds: float, out: Path, force: bool) -> None:
    """Make a film of the sample grids that a run has written while it learnt.

    RUN is the folder of a run, which may go on meanwhile. Below each picture stands its iteration;
    `ganlib watch` moves through the same grids of several runs.
    """
    shared.check_file(out, ENDINGS, "a .gif or an .mp4", force)

    from PIL import Image, ImageDraw, ImageFont

    from ganlib.common.formats.video import MP4, av_for
    from ganlib.common.io.files import output, reading
    from ganlib.common.pictures import save_animation
    from ganlib.evaluation.comparison.runs import evenly, pictures_in

    if out.suffix.lower() == MP4:
        av_for(out)  # that it is missing shows before the work is done
    with reading(run):
        grids = evenly([picture for picture in pictures_in(run) if picture.is_grid], MOST)
    if len(grids) < 2:
        raise UserError(
            f"{run} has {'one sample grid' if grids else 'no sample grids'}, and a film takes two: "
            "name the folder of a run that has trained for --sample-interval iterations."
        )
    with Image.open(grids[-1].path) as newest:
        newest.thumbnail((LARGEST, LARGEST))
        width, height = newest.size
    font, pictures = ImageFont.load_default(14), []
    for grid in grids:
        try:
            with Image.open(grid.path) as image:
                still = image.convert("RGB").resize((width, height))
        except (OSError, ValueError, Image.DecompressionBombError):
            continue  # it is damaged, and the others are not
        picture = Image.new("RGB", (width, height + STRIP), "white")
        picture.paste(still)
        words = f"iteration {grid.iteration:,}"
        ImageDraw.Draw(picture).text((4, height + STRIP // 2), words, "black", font, anchor="lm")
        pictures.append(picture)
    pace = max(20, round(1000 * seconds / (len(pictures) + LAST)))  # what GIFs can have at least
    with output(out):
        save_animation([*pictures, *pictures[-1:] * LAST], out, pace)
    click.echo(out)
