"""Sample grids in the page."""

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from ganlib.evaluation.page.samples import LARGEST

Make = Callable[..., Path]
Parsed = Callable[[], Any]


def test_huge_grids_are_made_smaller_and_damaged_ones_left_out(make: Make, page: Parsed) -> None:
    make("dcgan", side=1500)
    broken = make("sngan")
    (broken / "samples" / "0000040.png").write_bytes(b"\x89PNG\r\n\x1a\nnonsense")
    (picture,) = page().all("img")
    content = base64.b64decode((picture["src"] or "").partition(",")[2])
    with Image.open(io.BytesIO(content)) as image:
        assert image.format == "PNG" and image.size == (LARGEST, LARGEST)


def test_a_grid_says_of_which_stage_it_is(make: Make, page: Parsed) -> None:
    folder = make("growing", stage="16x16, fading in 35%")
    with (folder / "log.jsonl").open("a") as file:
        file.write('{"iteration": 99, "stage": "32x32"}\n')
    text = "".join(page().texts)
    assert "seed 0, iteration 40, 16x16, fading in 35%" in text
    assert "99, 32x32" in text
