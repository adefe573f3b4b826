"""Draw samples of every method of a comparison, a row each, best first.

Run `python -m scripts.draw_methods FOLDER PICTURE.png [ABOVE.png [ROW...]]` at the top of the
checkout. FOLDER holds the runs of one data set; of each method the samples 0 to 11 by its first
seed: nothing is picked. ABOVE is an earlier picture, of runs that are no longer there: the rows go
below its own, of which those with the numbers ROW, 0 for the first, are left out.
"""

import sys
from collections.abc import Collection
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, UnidentifiedImageError

import ganlib
from ganlib.common.errors import UserError
from ganlib.common.pictures import grid, save
from ganlib.evaluation.comparison.compare import compare
from ganlib.evaluation.comparison.table import Row

COLUMNS = 12
HEIGHT = 58  # of a row, in pixels
LABEL = 196  # pixels for a method's name


def draw(folder: Path) -> Image.Image:
    """One picture of the runs below `folder`.

    Raises UserError if they are not of one data set.
    """
    tables = compare([folder])
    if len(tables) != 1:
        raise UserError(f"{folder} holds runs of {len(tables)} data sets; one is wanted.")
    strips = [(row.title, strip(row)) for row in tables[0].rows]
    width = LABEL + max(s.width for _, s in strips)
    picture = Image.new("RGB", (width, HEIGHT * len(strips)), "white")
    font = ImageFont.load_default(15)
    for k, (title, samples) in enumerate(strips):
        ImageDraw.Draw(picture).text((4, HEIGHT * k + 20), title, "black", font)
        picture.paste(samples, (LABEL, HEIGHT * k))
    return picture


def below(path: Path, picture: Image.Image, without: Collection[int] = ()) -> Image.Image:
    """The picture in the file, without the rows of these numbers, and below it this one.

    Raises UserError if there is none.
    """
    try:
        above = Image.open(path).convert("RGB")
    except (OSError, UnidentifiedImageError):
        raise UserError(f"{path} is no picture to draw below.") from None
    rows = [k for k in range(above.height // HEIGHT) if k not in without]
    top = HEIGHT * len(rows)
    both = Image.new("RGB", (max(above.width, picture.width), top + picture.height), "white")
    for place, k in enumerate(rows):
        row = above.crop((0, HEIGHT * k, above.width, HEIGHT * (k + 1)))
        both.paste(row, (0, HEIGHT * place))
    both.paste(picture, (0, top))
    return both


def strip(row: Row) -> Image.Image:
    """The first samples of a method in one line."""
    run = min(row.runs, key=lambda run: run.seed)
    samples = grid(ganlib.load(run.path).sample(COLUMNS, seed=0), COLUMNS)
    return samples.resize((samples.width * HEIGHT // samples.height, HEIGHT))


def main() -> None:
    if len(sys.argv) < 3 or not all(row.isdecimal() for row in sys.argv[4:]):
        raise SystemExit(__doc__)
    folder, out, *earlier = map(Path, sys.argv[1:4])
    try:
        picture = draw(folder)
        for path in earlier:
            picture = below(path, picture, set(map(int, sys.argv[4:])))
    except UserError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
    save(picture, out)


if __name__ == "__main__":
    main()
