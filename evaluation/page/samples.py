"""Sample grids and further pictures side by side, and those of before for a slider."""

import base64
import io
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol, TypeAlias

from PIL import Image, features

from ganlib.evaluation.comparison.runs import Picture, Run, evenly
from ganlib.evaluation.comparison.table import Table

LARGEST = 1024  # pixels of a still picture: larger ones are made smaller
EARLIER = 512  # the same of one that the slider goes back to
MOST = 40  # of those, of a run
BESIDE = 700  # characters that a page has beside a picture, and as notes
FILM = 4_000_000  # bytes of a film: larger ones are left out
SIDES = (512, 256, 128)  # pixels, where stills as they are would leave no room
LOSSY = "WEBP" if features.check("webp") else "JPEG"

Source: TypeAlias = tuple[str, int]
"""What an <img> shows, and how many pixels wide it is."""


class Album(Protocol):
    """Where a page has its pictures from, and sentences about those that it does not have."""

    @property
    def notes(self) -> Sequence[str]: ...

    def source(self, picture: Picture) -> Source | None:
        """Of the newest picture of a kind; None if it is damaged, or too large."""

    def grids(self, run: Run) -> list[tuple[int, str | None]]:
        """Sample grids by iteration; None for the source of the newest, which the page has."""


class Figure(NamedTuple):
    """A picture in the page, how many pixels wide it is, and of which row's run."""

    source: str
    width: int
    title: str
    run: Run
    iteration: int


Kinds: TypeAlias = dict[tuple[str, str], list[Figure]]
"""By the beginnings and suffixes of their names."""


def pictures(table: Table, album: Album) -> dict[int, Kinds]:
    """The last pictures of a kind side by side, by seed."""
    by_seed: dict[int, Kinds] = defaultdict(lambda: defaultdict(list))
    for row in table.rows:
        for run in row.runs:
            for picture in [] if run.external else run.pictures:
                if (found := album.source(picture)) is not None:
                    figure = Figure(*found, row.whole, run, picture.iteration)
                    by_seed[run.seed][picture[:2]].append(figure)
    return by_seed


class Embedded:
    """Pictures as text in the page, so that it is one file; of at most `room` characters, as far
    as that goes with a newest grid of each run.
    """

    def __init__(self, tables: Iterable[Table], room: int) -> None:
        rows = [row for table in tables for row in table.rows]
        self._runs = [run for row in rows for run in row.runs if not run.external]
        kinds = [picture for run in self._runs for picture in run.pictures]
        self._sources, self._grids = dict[Picture, Source | None](), dict[str, list[Picture]]()
        self.notes: list[str] = []
        room -= BESIDE * (len(kinds) + 1)
        self._take_newest([p for p in kinds if p.suffix != "gif"], 0.7 * room)
        films = [(p, found) for p in kinds if p.suffix == "gif" and (found := _film(p))]
        left = 0
        for picture, found in sorted(films, key=lambda film: len(film[1][0])):
            if self._size() + len(found[0]) < 0.85 * room:
                self._sources[picture] = found
            else:
                left += 1
        if left:
            self.notes.append(f"Films that did not fit into the page, and lie in samples: {left}.")
        self._take_earlier(room - self._size())

    def source(self, picture: Picture) -> Source | None:
        return self._sources.get(picture)

    def grids(self, run: Run) -> list[tuple[int, str | None]]:
        newest = run.grids[-1:]
        earlier = [(p.iteration, self._text(p)) for p in self._grids.get(str(run.path), [])]
        return [*earlier, *((p.iteration, None) for p in newest if self.source(p))]

    def _size(self) -> int:
        return sum(len(found[0]) for found in self._sources.values() if found)

    def _text(self, picture: Picture) -> str | None:
        found = self._sources.get(picture)
        return found and found[0]

    def _take_newest(self, stills: Sequence[Picture], room: float) -> None:
        """As they are, or as small as they have to be."""
        for side, lossy in ((LARGEST, False), (LARGEST, True), *((side, True) for side in SIDES)):
            self._sources = {picture: _still(picture, side, lossy) for picture in stills}
            if self._size() <= room:
                return

    def _take_earlier(self, room: int) -> None:
        """So many of each run as fit, and as many of all, evenly over its iterations."""
        share, several = room // max(1, len(self._runs)), [run.grids[:-1] for run in self._runs]
        all_there = True
        for run, grids in zip(self._runs, several, strict=True):
            one = _still(grids[-1], EARLIER, True) if grids else None
            taken = 0
            for picture in evenly(grids, min(MOST, share // len(one[0]) if one else 0)):
                found = _still(picture, EARLIER, True)
                if found and (taken := taken + len(found[0])) <= share:
                    self._sources[picture] = found
                    self._grids.setdefault(str(run.path), []).append(picture)
            all_there &= len(self._grids.get(str(run.path), [])) == len(grids)
        if not all_there:
            self.notes.append(
                "Of the sample grids of before, those are here that fit into a page of a few "
                "megabytes; ganlib watch shows all."
            )


def _still(picture: Picture, side: int, lossy: bool) -> Source | None:
    """As text, smaller if huge; None if damaged."""
    try:
        with Image.open(picture.path) as image:
            image.load()
            content, kind = picture.path.read_bytes(), "PNG"
            if lossy or image.format != "PNG" or max(image.size) > side:
                image.thumbnail((side, side))
                buffer, kind = io.BytesIO(), LOSSY if lossy else "PNG"
                (image.convert("RGB") if lossy else image).save(buffer, kind, quality=80)
                content = buffer.getvalue()
            return _as_text(content, kind), image.width
    except (OSError, ValueError, Image.DecompressionBombError):
        return None


def _film(picture: Picture) -> Source | None:
    """As text; None if damaged, or large."""
    try:
        with Image.open(picture.path) as image:
            image.load()
            content = picture.path.read_bytes()
            if image.format != "GIF" or len(content) > FILM:
                return None
            return _as_text(content, "GIF"), image.width
    except (OSError, ValueError, Image.DecompressionBombError):
        return None


def _as_text(content: bytes, kind: str) -> str:
    return f"data:image/{kind.lower()};base64,{base64.b64encode(content).decode()}"
