"""The last sample grids, side by side."""

import base64
import io
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from ganlib.evaluation.comparison.runs import Run
from ganlib.evaluation.comparison.table import Row, Table
from ganlib.evaluation.page.markup import e

LARGEST = 1024  # pixels of a sample grid: larger ones are made smaller


def sample_section(table: Table) -> str:
    """The last grids side by side, the first seed's to be seen at once."""
    by_seed: dict[int, list[str]] = {}
    for row in table.rows:
        for run in row.runs:
            if (picture := _picture(row, run)) is not None:
                by_seed.setdefault(run.seed, []).append(picture)
    if not by_seed:
        return ""
    first, *others = sorted(by_seed)
    parts = ["<h3>Samples</h3>", "<p>The last grid of each run; nothing was picked.</p>"]
    parts.append(_pictures(by_seed[first]))
    for seed in others:
        parts.append(f"<details><summary>Seed {seed}</summary>{_pictures(by_seed[seed])}</details>")
    return "\n".join(parts)


def _pictures(pictures: Iterable[str]) -> str:
    return f'<div class="pictures">{"".join(pictures)}</div>'


def _picture(row: Row, run: Run) -> str | None:
    path = None if run.external else run.grid
    source = _data_uri(path) if path is not None else None
    if path is None or source is None:
        return None
    stage = run.stage(int(path.stem))
    iteration = f"{int(path.stem):,}" + (f", {stage}" if stage else "")
    alt = f"Samples of {row.title}, seed {run.seed}, at iteration {iteration}"
    return (
        f'<figure><img src="{source}" alt="{e(alt)}" loading="lazy">'
        f"<figcaption><b>{e(row.title)}</b><br>seed {run.seed}, iteration {iteration}"
        "</figcaption></figure>"
    )


def _data_uri(path: Path) -> str | None:
    """A PNG as text, made smaller if it is huge; None if it is damaged."""
    try:
        with Image.open(path) as picture:
            picture.load()
            content = path.read_bytes()
            if picture.format != "PNG" or max(picture.size) > LARGEST:
                picture.thumbnail((LARGEST, LARGEST))
                buffer = io.BytesIO()
                picture.save(buffer, "PNG")
                content = buffer.getvalue()
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"
