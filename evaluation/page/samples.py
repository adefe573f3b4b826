"""The last sample grids and further pictures, side by side."""

import base64
import io
from collections import defaultdict
from typing import NamedTuple, TypeAlias

from PIL import Image

from ganlib.evaluation.comparison.runs import Picture, Run
from ganlib.evaluation.comparison.table import Table

LARGEST = 1024  # pixels of a still picture: larger ones are made smaller
FILM = 4_000_000  # bytes of a film: larger ones are left out


class Figure(NamedTuple):
    """A picture in the page, as text, how many pixels wide it is, and of which row's run."""

    source: str
    width: int
    title: str
    run: Run
    iteration: int


Kinds: TypeAlias = dict[tuple[str, str], list[Figure]]
"""By the beginnings and suffixes of their names."""


def pictures(table: Table) -> dict[int, Kinds]:
    """The last pictures of a kind side by side, by seed."""
    by_seed: dict[int, Kinds] = defaultdict(lambda: defaultdict(list))
    for row in table.rows:
        for run in row.runs:
            for picture in [] if run.external else run.pictures:
                if (found := _data_uri(picture)) is not None:
                    figure = Figure(*found, row.title, run, picture.iteration)
                    by_seed[run.seed][picture[:2]].append(figure)
    return by_seed


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
