"""Sample grids in the page."""

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganlib.evaluation.page.samples import LARGEST

Make = Callable[..., Path]
Parsed = Callable[[], Any]


def opened(source: str) -> tuple[str | None, int, int, int]:
    """Format, width, height and number of frames of a picture in the page."""
    content = base64.b64decode(source.partition(",")[2])
    with Image.open(io.BytesIO(content)) as image:
        return image.format, *image.size, getattr(image, "n_frames", 1)


def test_huge_grids_are_made_smaller_and_damaged_ones_left_out(make: Make, page: Parsed) -> None:
    make("dcgan", side=1500)
    broken = make("sngan")
    (broken / "samples" / "0000040.png").write_bytes(b"\x89PNG\r\n\x1a\nnonsense")
    (picture,) = page().all("img")
    content = base64.b64decode((picture["src"] or "").partition(",")[2])
    with Image.open(io.BytesIO(content)) as image:
        assert image.format == "PNG" and image.size == (LARGEST, LARGEST)


def test_further_pictures_and_films_follow_the_grids(make: Make, page: Parsed) -> None:
    for algorithm in ("dcgan", "sngan"):
        samples = make(algorithm) / "samples"
        for iteration, side in ((20, 30), (40, 50)):
            film = [Image.new("L", (side, 8), level) for level in (0, 255)]
            name = samples / f"there_and_back_{iteration:07d}.gif"
            film[0].save(name, save_all=True, append_images=film[1:])
            Image.new("L", (side, 9)).save(name.with_suffix(".png"))
        Image.new("L", (7, 7)).save(samples / "real.png")
    parsed = page()
    alts = [a["alt"] for a in parsed.all("img")]
    assert alts == [
        f"{what} of {algorithm}, seed 0, at iteration 40"
        for what in ("Samples", "There and back", "There and back")
        for algorithm in ("dcgan", "sngan")
    ]
    headings = [t for t in parsed.texts if t.startswith("there")]
    assert headings == ["there and back, as a film", "there and back"]
    sizes = [opened(a["src"]) for a in parsed.all("img")]
    assert sizes == [("PNG", 240, 240, 1)] * 2 + [("GIF", 50, 8, 2)] * 2 + [("PNG", 50, 9, 1)] * 2


def test_a_film_of_many_bytes_is_left_out(
    make: Make, page: Parsed, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = make("dcgan") / "samples" / "0000040.gif"
    Image.new("P", (30, 30)).save(film)
    assert len(page().all("img")) == 2
    monkeypatch.setattr("ganlib.evaluation.page.samples.FILM", film.stat().st_size - 1)
    assert len(page().all("img")) == 1


def noise(folder: Path, n: int, side: int) -> None:
    """So many sample grids that hardly get smaller as files."""
    for i in range(n):
        x = np.random.default_rng(i).integers(0, 255, (side, side, 3), np.uint8)
        Image.fromarray(x).save(folder / "samples" / f"{i:07d}.png")


def test_earlier_grids_are_in_the_page_for_a_slider(make: Make, told: Parsed, page: Parsed) -> None:
    noise(make("dcgan", n=4), 7, 20)
    (run,) = told()["runs"].values()
    assert [iteration for iteration, _ in run["grids"]] == list(range(7))
    assert run["grids"][-1][1] is None  # it stands in the page
    assert opened(run["grids"][0][1])[1:] == (20, 20, 1)
    assert "of before" not in "".join(page().texts)


def test_a_page_is_no_larger_than_its_limit(
    make: Make, html: Callable[[], str], told: Parsed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganlib.evaluation.page.document.LIMIT", 400_000)
    for algorithm in ("dcgan", "sngan"):
        noise(make(algorithm, n=9), 10, 200)
    text = html()
    assert len(text) <= 400_000 and "those are here that fit" in text
    counts = {len(run["grids"]) for run in told()["runs"].values()}
    assert 2 <= min(counts) <= max(counts) < 10


def test_a_grid_says_of_which_stage_it_is(make: Make, page: Parsed) -> None:
    folder = make("growing", stage="16x16, fading in 35%")
    with (folder / "log.jsonl").open("a") as file:
        file.write('{"iteration": 99, "stage": "32x32"}\n')
    text = "".join(page().texts)
    assert "seed 0, iteration 40, 16x16, fading in 35%" in text
    assert "99, 32x32" in text
