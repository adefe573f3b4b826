"""ganlib film."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

from ganlib.common.errors import UserError

Run = Callable[..., Result]


def make(levels: list[int]) -> Path:
    """A run whose sample grids are of these greys, beside files that are none."""
    samples = Path("run", "samples")
    samples.mkdir(parents=True)
    for i, level in enumerate(levels):
        Image.new("L", (60, 40), level).save(samples / f"{100 * i:07d}.png")
    Image.new("L", (9, 9)).save(samples / "real.png")
    Image.new("L", (9, 9)).save(samples / "slants_0000100.png")
    return samples.parent


def test_grids_follow_each_other_and_the_last_one_stays(run: Run) -> None:
    folder = make([0, 100, 200])
    (folder / "samples" / "0000050.png").write_bytes(b"damaged")
    done = run("film", folder, "--seconds", 2)
    assert done.exit_code == 0 and done.output == "film.gif\n", done.exception
    with Image.open("film.gif") as film:
        levels, times = [], []
        for i in range(film.n_frames):
            film.seek(i)
            picture = np.asarray(film.convert("L"))
            assert picture.shape == (62, 60) and picture[40:].min() < 128 < picture[40:].max()
            levels.append(round(float(picture[:40].mean())))
            times.append(film.info["duration"])
    assert levels == [0, 100, 200]
    assert times[-1] > 5 * times[0] and 1500 < sum(times) < 2500
    assert run("film", folder).exit_code == 0  # its own film may be replaced


def test_a_video(run: Run) -> None:
    pytest.importorskip("av")
    assert run("film", make([0, 100]), "--out", "x.mp4").exit_code == 0
    assert Path("x.mp4").read_bytes()[4:8] == b"ftyp"


@pytest.mark.parametrize(
    ("levels", "arguments", "sentence"),
    [
        ([], [], "run has no sample grids"),
        ([5], [], "run has one sample grid, and a film takes two"),
        ([5, 6], ["--out", "x.png"], "give a .gif or an .mp4"),
    ],
)
def test_bad_input_is_one_sentence(
    levels: list[int], arguments: list[str], sentence: str, run: Run
) -> None:
    error = run("film", make(levels), *arguments).exception
    assert isinstance(error, UserError) and sentence in str(error)
