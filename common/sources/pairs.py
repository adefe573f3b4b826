"""Image files that belong together two by two: halves of one file, or files of one name."""

from collections import Counter
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from numpy.typing import NDArray

from ganlib.common.data import DataSet, Shape
from ganlib.common.data.spec import SourceKind
from ganlib.common.errors import UserError
from ganlib.common.formats.blocks import Item, attempt, decoded, in_threads
from ganlib.common.formats.class_table import MOST, TABLE, check_numbers, class_table
from ganlib.common.formats.decode import (
    SUFFIXES,
    Half,
    Header,
    Source,
    Unusable,
    highest,
    ids,
    pixels,
    smaller,
    whole_header,
)
from ganlib.common.formats.decode import header as read_header
from ganlib.common.formats.file_crops import FileCrops
from ganlib.common.formats.files import files
from ganlib.common.formats.folders import HEADERS, WAYS, Found, Inspect, common_side, look
from ganlib.common.formats.resize import CROPPED, Sizing
from ganlib.common.formats.stream import Stream
from ganlib.common.io.console import progress


class SideBySide(NamedTuple):
    """Sources that are this half of each file; the other half is the image."""

    half: Literal["left", "right"]


class Beside(NamedTuple):
    """Sources in another folder, each under the name of its image, the ending aside."""

    folder: Path
    kind: SourceKind = "image"


class _Pairs(NamedTuple):
    """Usable files, whose items have a start each, with the headers of the images.

    of: what the images are part of. times: how much larger a source is than its image. words: what
    the sources are.
    """

    of: Found
    items: list[Item]
    headers: list[Header]
    channels: int
    times: Fraction
    kind: SourceKind
    classes: tuple[str, ...]
    words: str


def stream_pairs(
    root: Path,
    sources: SideBySide | Beside,
    split: str,
    size: int | None,
    sizing: Sizing = CROPPED,
    hold_out: float = 0.0,
) -> Stream:
    """The pairs of one split of the folder `root`, decoded block by block; the images are as those
    of a folder without sources, and the sources in proportion.

    Files without a partner, pairs whose sizes are not in the proportion that most have, and pairs
    of which one cannot be read are left out, and the line on stderr says how many.
    """
    found = _found(root, sources, split, hold_out, read_header)
    items = found.of.of_split(found.items)
    side = size or common_side(found.headers)
    whole = max(1, round(side * found.times))
    shape: Shape = (found.of.channels, side, side)

    def start(source: Source) -> NDArray[Any]:
        if found.kind == "ids":
            numbers = ids(source, whole, sizing)
            check_numbers(numbers[0], len(found.classes) - 1, "classes")
            return numbers
        return pixels(source, found.channels, whole, sizing)

    kept = all((h.width, h.height) == (side, side) for h in found.headers)
    return Stream(
        found.of.name,
        shape,
        len(items),
        decoded(items, shape, found.classes, found.of.account, sizing, start),
        found.classes,
        (found.channels, whole, whole),
        {
            "folder": str(found.of.folder.resolve()),
            "size": "as in the files" if kept else f"{WAYS[sizing.fit]}, resized to {side}x{side}",
            "sources": found.words,
        },
        source_kind=found.kind,
        instances=False,
        resized=not kept,
        held_out=found.of.held_out(items),
    )


def lazy_pairs(
    root: Path, sources: SideBySide | Beside, split: str, crop: int, hold_out: float = 0.0
) -> DataSet:
    """Crops of the pairs of one split at their own sizes, decoded when they are asked for.

    Pairs that are smaller or not whole are left out. UserError for sources that are maps, or not of
    their images' sizes.
    """
    found, items = _found(root, sources, split, hold_out, whole_header), []
    if found.kind == "ids" or found.times != 1:
        what = "maps of classes" if found.kind == "ids" else "of another size than their images"
        raise UserError(
            f"The sources in {found.of.folder} are {what}, and crops of files of any size need "
            "sources like the images: give --size, too."
        )
    for item, (width, height, _) in zip(found.items, found.headers, strict=True):
        if min(width, height) < crop:
            found.of.account.skip(item.name, smaller(crop))
        else:
            items.append(item)
    items = found.of.of_split(items)
    found.of.account.used = len(items)
    found.of.account.close((found.of.channels, crop, crop), found.of.classes, "crops of ")
    x = FileCrops(items, found.of.channels, crop)
    y = [item.label for item in items if item.label is not None]
    return DataSet(
        found.of.name,
        x,
        torch.tensor(y) if y else None,
        x.starts(found.channels),
        found.classes,
        {
            "folder": str(found.of.folder.resolve()),
            "crops": f"{crop}x{crop} out of images of any size, the middle where none is drawn",
            "sources": found.words,
        },
        held_out=found.of.held_out(items),
    )


def _found(
    root: Path, sources: SideBySide | Beside, split: str, hold_out: float, inspect: Inspect
) -> _Pairs:
    """All pairs of the split, of both splits where they are files of one folder."""
    found = look(root, split, hold_out, inspect)
    if isinstance(sources, SideBySide):
        return _halves(found, sources.half)
    return _beside(found, look(sources.folder, split, hold_out, inspect), sources)


def _halves(found: Found, half: Literal["left", "right"]) -> _Pairs:
    items, headers = [], []
    for item, header in zip(found.items, found.headers, strict=True):
        assert not isinstance(item.source, Half)
        if header.width % 2:
            found.account.skip(item.name, "of an odd width")
            continue
        image: Literal["left", "right"] = "right" if half == "left" else "left"
        items.append(item._replace(source=Half(item.source, image), start=Half(item.source, half)))
        headers.append(header._replace(width=header.width // 2))
    if not items:
        raise UserError(
            f"No file in {found.folder} is two images side by side{found.account.skipped()}."
        )
    words = f"the {half} half of each file"
    return _Pairs(found, items, headers, found.channels, Fraction(1), "image", found.classes, words)


def _beside(found: Found, others: Found, sources: Beside) -> _Pairs:
    theirs = _by_name(others)
    for reason, names in others.account.useless.items():
        for name in names:
            if name != TABLE:
                found.account.skip(f"{others.folder.name}/{name}", reason)
    pairs = []
    for key, (item, header) in _by_name(found).items():
        if key in theirs:
            pairs.append((item, header, *theirs.pop(key)))
        else:
            found.account.skip(item.name, "without a source")
    for other, _ in theirs.values():
        found.account.skip(f"{others.folder.name}/{other.name}", "without an image")
    times = _usual(_times(header, of) for _, header, _, of in pairs)
    items, headers, starts = [], [], []
    for item, header, other, of in pairs:
        if times is None or _times(header, of) != times:
            found.account.skip(item.name, "with a source of another size")
            continue
        label = None if sources.kind == "ids" else item.label  # the classes are the maps' then
        items.append(item._replace(label=label, start=other.source))
        headers.append(header)
        starts.append(of)
    if times is None or not items:
        raise UserError(
            f"No image in {found.folder} has a source in {others.folder}"
            f"{found.account.skipped()}: a source has the name and the proportions of its image."
        )
    maps = sources.kind == "ids"
    channels = 2 if maps else 1 if all(of.grey for of in starts) else 3
    classes = _classes(sources.folder) if maps else found.classes
    words = f"{'maps of classes' if maps else 'images'} of the same names"
    return _Pairs(found, items, headers, channels, times, sources.kind, classes, words)


def _by_name(found: Found) -> dict[str, tuple[Item, Header]]:
    """The files by their names without an ending; of several that share one, the first."""
    result: dict[str, tuple[Item, Header]] = {}
    for item, header in zip(found.items, found.headers, strict=True):
        key = str(Path(item.name).with_suffix(""))
        if key in result:
            found.account.skip(item.name, "of the name of another")
        else:
            result[key] = item, header
    return result


def _times(image: Header, source: Header) -> Fraction | None:
    """How much larger a source is, None if it is not equally so in both directions."""
    wide, high = Fraction(source.width, image.width), Fraction(source.height, image.height)
    return wide if wide == high else None


def _usual(times: Iterable[Fraction | None]) -> Fraction | None:
    """The most frequent that is none, the smallest of several."""
    counts = Counter(one for one in times if one is not None)
    return min(counts, key=lambda one: (-counts[one], one), default=None)


def _classes(folder: Path) -> tuple[str, ...]:
    """The classes of all maps in a folder, of any split: as its table names them, else called by
    number from 0 to the highest that is in one.
    """
    table = class_table(folder)
    if table is not None:
        return table
    paths, top = [path for path in files(folder) if path.suffix.lower() in SUFFIXES], 0

    def look_into(path: Path) -> int:
        found = attempt(lambda: highest(path))
        return 0 if isinstance(found, Unusable) else found

    with progress(f"looking for classes in {folder.name}", len(paths)) as advance:
        for group, results in in_threads(look_into, paths, HEADERS):
            top = max(top, *results)
            if top >= MOST:
                raise UserError(
                    f"{group[results.index(top)]} has the class {top}, and maps have {MOST:,} at "
                    f"most. If it marks what is of no class, name the classes in {folder / TABLE}, "
                    "one in each line: maps with other numbers are left out then."
                )
            advance(len(group))
    return tuple(map(str, range(top + 1)))
