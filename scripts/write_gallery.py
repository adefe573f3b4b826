"""Write docs/gallery: a page for each generator that comes with ganlib, and one of all.

Run `python -m scripts.write_gallery` after `ganlib export RUN --format safetensors --precision
float16 --out ganlib/sampling/gallery/NAME` has added one.
"""

from math import prod
from pathlib import Path

import torch
from jinja2 import Environment

import ganlib
from ganlib.common.io.files import write_text
from ganlib.common.pictures import save
from ganlib.sampling.loading import CARD, GALLERY
from ganlib.sampling.page import writing

HERE = Path(__file__).parent
FOLDER = HERE.parent / "docs" / "gallery"
PICTURE = "samples.png"
SHOWN, PAIRS, LARGE_PAIRS = 32, 6, 2
LARGE = 64 * 64
SHARED = "../"


def main() -> None:
    """Write all of them."""
    torch.set_num_threads(1)  # sums of several are others, and the files would change each time
    found = sorted(path.parent for path in GALLERY.glob(f"*/{CARD}"))
    FOLDER.mkdir(exist_ok=True)
    entries = []
    for place in found:
        model, folder = ganlib.load(f"gallery:{place.name}"), FOLDER / place.name
        folder.mkdir(exist_ok=True)
        about = writing.write_page(model, folder, "float16", shared=SHARED)
        pairs = PAIRS if prod(model.spec.native[1:]) <= LARGE else LARGE_PAIRS
        save(model.grid(SHOWN if about["source"] is None else pairs), folder / PICTURE)
        entries.append({**about, "name": place.name})
        print(f"{place.name}: {about['difference']}")
    writing.write_shared(FOLDER)
    template = (HERE / "gallery.html").read_text("utf-8")
    html = Environment(autoescape=True, trim_blocks=True).from_string(template)
    write_text(FOLDER / "index.html", html.render(entries=entries, picture=PICTURE))


if __name__ == "__main__":
    main()
