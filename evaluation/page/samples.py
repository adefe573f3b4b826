"""The last sample grids and further pictures, side by side."""

import base64
import io
from collections import defaultdict
from typing import TypeAlias

from PIL import Image

from ganlib.evaluation.comparison.runs import Picture, Run
from ganlib.evaluation.comparison.table import Row, Table
from ganlib.evaluation.page.style import e

LARGEST = 1024  # pixels of a still picture: larger ones are made smaller
FILM = 4_000_000  # bytes of a film: larger ones are left out
REDUCED = 0.5  # a picture is shown at no less of its width, but in narrow windows

Figure: TypeAlias = tuple[str, int]
"""A picture in the page, and how many pixels wide it is."""
Kinds: TypeAlias = dict[tuple[str, str], list[Figure]]


def sample_section(table: Table) -> str:
    """The last pictures of a kind side by side, the first seed's to be seen at once."""
    by_seed: dict[int, Kinds] = defaultdict(lambda: defaultdict(list))
    for row in table.rows:
        for run in row.runs:
            for picture in [] if run.external else run.pictures:
                if (figure := _figure(row, run, picture)) is not None:
                    by_seed[run.seed][picture[:2]].append(figure)
    if not by_seed:
        return ""
    first, *others = sorted(by_seed)
    parts = ["<h3>Samples</h3>", "<p>The last pictures of each run; nothing was picked.</p>"]
    parts.append(_kinds(by_seed[first]))
    for seed in others:
        parts.append(f"<details><summary>Seed {seed}</summary>{_kinds(by_seed[seed])}</details>")
    return "\n".join(parts)


def _kinds(kinds: Kinds) -> str:
    parts = []
    for (name, suffix), figures in sorted(kinds.items()):
        words = [name.replace("_", " "), "as a film" if suffix == "gif" else ""]
        title = ", ".join(filter(None, words))
        parts += [f"<h4>{e(title)}</h4>"] if title else []
        least = REDUCED * max(width for _, width in figures)
        pictures = "".join(html for html, _ in figures)
        parts.append(f'<div class="pictures" style="--least: {least:.0f}px">{pictures}</div>')
    return "\n".join(parts)


def _figure(row: Row, run: Run, picture: Picture) -> Figure | None:
    if (found := _data_uri(picture)) is None:
        return None
    source, width = found
    stage = run.stage(picture.iteration)
    iteration = f"{picture.iteration:,}" + (f", {stage}" if stage else "")
    what = picture.name.replace("_", " ").capitalize() or "Samples"
    alt = f"{what} of {row.title}, seed {run.seed}, at iteration {iteration}"
    html = (
        f'<figure style="--own: {width}px"><img src="{source}" alt="{e(alt)}" loading="lazy">'
        f"<figcaption><b>{e(row.title)}</b><br>seed {run.seed}, iteration {iteration}"
        "</figcaption></figure>"
    )
    return html, width


def _data_uri(picture: Picture) -> tuple[str, int] | None:
    """A picture as text, smaller if huge, and its width; None if damaged, or a large film."""
    kind = picture.suffix
    try:
        with Image.open(picture.path) as image:
            image.load()
            content = picture.path.read_bytes()
            if kind == "gif":
                if image.format != "GIF" or len(content) > FILM:
                    return None
            elif image.format != "PNG" or max(image.size) > LARGEST:
                image.thumbnail((LARGEST, LARGEST))
                buffer = io.BytesIO()
                image.save(buffer, "PNG")
                content = buffer.getvalue()
            width = image.width
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}", width
