"""Make a film of a run's sample grids, which are of the same noise as it learns.

Run `python -m scripts.draw_growing RUN FILM.gif` at the top of the checkout. Of each grid the upper
half is shown, in the order of the iterations, with its iteration and the stage that the log says.
"""

import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from ganlib.common.errors import UserError
from ganlib.common.pictures import save_animation
from ganlib.evaluation.comparison.reading import read_run
from ganlib.evaluation.comparison.runs import Run

LINE = 24  # pixels for the words above a grid
WIDTH = 480  # of the film, in pixels
LAST = 6  # how often the last grid stands


def film(folder: Path) -> list[Image.Image]:
    """The frames; UserError if the run has no grids."""
    paths = sorted((folder / "samples").glob("[0-9]*.png"))
    run = read_run(folder) if paths else None
    if run is None:
        raise UserError(f"{folder} holds no run with samples: give a run's folder.")
    frames = [frame(path, run) for path in paths]
    return [*frames, *(frames[-1:] * LAST)]


def frame(path: Path, run: Run) -> Image.Image:
    """One grid, and above it what it is of."""
    with Image.open(path) as picture:
        half = picture.convert("L" if picture.mode == "L" else "RGB")
    half = half.crop((0, 0, half.width, half.height // 2))
    half = half.resize((WIDTH, half.height * WIDTH // half.width), Image.Resampling.NEAREST)
    whole = Image.new(half.mode, (WIDTH, half.height + LINE), "white")
    whole.paste(half, (0, LINE))
    words = ", ".join(filter(None, [f"iteration {int(path.stem):,}", run.stage(int(path.stem))]))
    ImageDraw.Draw(whole).text((4, 3), words, "black", ImageFont.load_default(15))
    return whole


def main() -> None:
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    try:
        save_animation(film(Path(sys.argv[1])), Path(sys.argv[2]), milliseconds=500)
    except UserError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
