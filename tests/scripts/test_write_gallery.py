"""Generators that come with ganlib, and their pages."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import ganlib
from ganlib.common.query import DataQuery
from ganlib.sampling.exports.readme import UNKNOWN
from ganlib.sampling.loading import CARD, GALLERY, WEIGHTS
from ganlib.sampling.page import writing
from scripts.write_gallery import FOLDER, SHARED

NAMES = sorted(path.parent.name for path in GALLERY.glob(f"*/{CARD}"))
LARGEST = 1_400_000  # bytes of weights: a wheel is downloaded whole


@pytest.mark.parametrize("name", NAMES)
def test_a_generator_that_ships(name: str) -> None:
    weights = GALLERY / name / WEIGHTS
    assert weights.stat().st_size < LARGEST
    assert torch.float16 in {t.dtype for t in load_file(weights).values()}
    model = ganlib.load(f"gallery:{name}")
    card = json.loads((GALLERY / name / CARD).read_text("utf-8"))
    assert card["data_license"] != UNKNOWN  # what ships may be given away
    if model.updater.config.translates:
        model.give_sources(DataQuery())
    x = model.sample(4)
    assert x.shape == (4, *model.spec.native) and x.isfinite().all()
    assert x.std(0).mean() > 0.05  # none is like the others


@pytest.mark.parametrize("name", NAMES)
def test_its_page_is_what_would_be_written_now(name: str) -> None:
    folder = FOLDER / name
    said = (folder / writing.MODEL).read_text("utf-8")
    about = json.loads(said[said.index("push(") + 5 : said.rindex(")")])["about"]
    html = writing.page(writing.title_of(about), [writing.MODEL], SHARED)
    assert (folder / writing.PAGE).read_text("utf-8") == html, "python -m scripts.write_gallery"
    assert about["difference"]["most"] < 1


def test_all_pages_share_what_they_need(tmp_path: Path) -> None:
    writing.write_shared(tmp_path)
    for name in (writing.RUNTIME, writing.SCRIPT):
        now = (tmp_path / name).read_bytes()
        assert now == (FOLDER / name).read_bytes(), "python -m scripts.write_gallery"
        assert list(FOLDER.rglob(name)) == [FOLDER / name]
    listed = (FOLDER / "index.html").read_text("utf-8")
    assert NAMES and all(f'href="{name}/index.html"' in listed for name in NAMES)
