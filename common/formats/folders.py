"""A folder of images; its subfolders are the classes.

Subfolders `train` and `test` (or `val`, `valid`), if there is nothing else, are the splits. Images
that all have one and the same square size keep it; others become 64x64 unless a size is asked for,
or crops of them as they are.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from hashlib import sha256
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

import torch
from numpy.typing import NDArray

from ganlib.common.data import DataSet
from ganlib.common.data.spec import NoSuchSplit, SourceKind
from ganlib.common.errors import UserError
from ganlib.common.formats import decode
from ganlib.common.formats.blocks import DEFAULT_SIZE, Account, Item, N, decoded, looked
from ganlib.common.formats.decode import Header, Source
from ganlib.common.formats.file_crops import FileCrops
from ganlib.common.formats.resize import CROPPED, Sizing
from ganlib.common.formats.stream import Stream, collected
from ganlib.common.io.files import MIB, as_user_error, reading, regular

TABLE = "classes.txt"
FILES = ("",)
"""Below the folder: all of it. See common/datasets."""
HINT = "give a name in each line, that of class 0 first."
MOST = 4096
"""Classes of maps: networks are shown a plane for each."""
TESTS = ("test", "val", "valid")
WAYS = {"crop": "cropped square", "pad": "padded square", "stretch": "stretched square"}
Inspect = Callable[[Source], Header]
HEADERS = 4096  # looked at between two updates of the progress bar


class Starts(NamedTuple):
    """What translations to the images of a folder start from, as decode.py reads it.

    times: how much larger it is than its image. words: what it is.
    """

    channels: int
    words: str
    times: Fraction = Fraction(1)
    kind: SourceKind = "image"


class Found(NamedTuple):
    """What there is of a split, or of both where they are files of one folder: usable files, with a
    header for each. starts: of files that all have a start.
    """

    name: str
    folder: Path
    classes: tuple[str, ...]
    account: Account
    split: str
    hold_out: float
    items: list[Item]
    headers: list[Header]
    channels: int
    starts: Starts | None = None

    def of_split(self, items: list[Item]) -> tuple[list[Item], tuple[str, ...]]:
        """Those of the items that are of the split, and their names if they are held out."""
        mine = of_split(items, self.split, self.hold_out)
        if self.split == "train" or not self.hold_out:
            return mine, ()
        return mine, tuple(f"{self.folder.resolve().name}/{item.name}" for item in mine)

    def provenance(self, **how: str) -> dict[str, str]:
        """Where the images come from, and what was done to them."""
        sources = {} if self.starts is None else {"sources": self.starts.words}
        return {"folder": str(self.folder.resolve()), **how, **sources}

    def stream(self, size: int | None, sizing: Sizing = CROPPED) -> Stream:
        """The images of the split, decoded block by block, and their sources in proportion."""
        items, held_out = self.of_split(self.items)
        side = size or common_side(self.headers)
        shape, starts = (self.channels, side, side), self.starts
        own = all((h.width, h.height) == (side, side) for h in self.headers)
        whole = 0 if starts is None else max(1, round(side * starts.times))

        def start(source: Source) -> NDArray[Any]:
            assert starts is not None
            if starts.kind == "image":
                return decode.pixels(source, starts.channels, whole, sizing)
            numbers = decode.ids(source, whole, sizing)
            decode.check_numbers(numbers[0], len(self.classes) - 1, "classes")
            return numbers

        return Stream(
            self.name,
            shape,
            len(items),
            decoded(items, shape, self.classes, self.account, sizing, start),
            self.classes,
            None if starts is None else (starts.channels, whole, whole),
            self.provenance(size=told_size(own, side, sizing)),
            source_kind="image" if starts is None else starts.kind,
            instances=False,
            resized=not own,
            held_out=held_out,
        )

    def crops(self, size: int) -> DataSet:
        """Crops of the images of the split, and of their sources, at their own sizes, decoded when
        they are asked for. Images that are smaller are left out.
        """
        items = []
        for item, (width, height, _) in zip(self.items, self.headers, strict=True):
            if min(width, height) < size:
                self.account.skip(item.name, decode.smaller(size))
            else:
                items.append(item)
        items, held_out = self.of_split(items)
        self.account.used = len(items)
        self.account.close((self.channels, size, size), self.classes, "crops of ")
        x = FileCrops(items, self.channels, size)
        y = [item.label for item in items if item.label is not None]
        how = f"{size}x{size} out of images of any size, the middle where none is drawn"
        return DataSet(
            self.name,
            x,
            torch.tensor(y) if y else None,
            None if self.starts is None else x.starts(self.starts.channels),
            self.classes,
            self.provenance(crops=how),
            held_out=held_out,
        )


def stream(
    root: Path, split: str, size: int | None, sizing: Sizing = CROPPED, hold_out: float = 0.0
) -> Stream:
    """The images of one split, decoded block by block, and then one line on stderr of what was and
    was not used. hold_out: see look().
    """
    return look(root, split, hold_out).stream(size, sizing)


load = collected(stream)


def lazy(root: Path, split: str, crop: int, hold_out: float = 0.0) -> DataSet:
    """Crops of the images of one split at their own sizes; files that are not whole are left out,
    too, and the line on stderr says how many.
    """
    return look(root, split, hold_out, decode.whole_header).crops(crop)


def look(root: Path, split: str, hold_out: float = 0.0, inspect: Inspect = decode.header) -> Found:
    """What there is of a split of the folder `root`; UserError if nothing of it is usable.

    hold_out: of a folder without test images, the part of its files, or from 1 on the number, that
    is the test split; see of_split(). inspect: the header of a file, Unusable for one that is
    of no use.
    """
    account = open_account(root, split, hold_out, "images")
    name, folder = root.resolve().name, account.place
    classes = _shared_classes(root, folder)
    candidates = list(_items(folder, classes, account))
    usable = list(looked(account, candidates, lambda item: inspect(item.source), HEADERS))
    if not usable:
        account.refuse()
    items, headers = [item for item, _ in usable], [header for _, header in usable]
    shared = hold_out if folder == root else 0.0
    channels = 1 if all(header.grey for header in headers) else 3
    return Found(name, folder, classes, account, split, shared, items, headers, channels)


def open_account(root: Path, split: str, hold_out: float, kind: str) -> Account:
    """That of one split of a folder of such files; UserError if there is none."""
    with reading(root):
        if not root.is_dir():
            raise UserError(f"There is no folder {root}: give the path of a folder of {kind}.")
    name, folder = root.resolve().name, split_folder(root, split, hold_out)
    return Account(name if split == "train" else f"{name} ({split})", folder)


def split_folder(root: Path, split: str, hold_out: float = 0.0) -> Path:
    """Where the images of `split` lie; with `hold_out` those of both may lie in `root`."""
    found = {path.name.lower(): path for path in subfolders(root)}
    tests = [found[name] for name in TESTS if name in found]
    if tests and "train" in found and len(found) == len(tests) + 1:
        return found["train"] if split == "train" else tests[0]
    if split == "test" and not hold_out:
        raise NoSuchSplit(
            f"The folder {root} has no test images: to split it, give it the two subfolders "
            "'train' and 'test' and nothing else."
        )
    return root


def _shared_classes(root: Path, folder: Path) -> tuple[str, ...]:
    """The classes of `folder` as the training images have them: a label means one thing."""
    classes, own = _classes(split_folder(root, "train")), _classes(folder)
    strange = sorted(set(own) - set(classes))
    if strange:
        raise UserError(
            f"{folder} has the class {strange[0]!r} and the training images beside it have not: "
            "give both splits the same subfolders."
        )
    return classes if own else ()


def _classes(folder: Path) -> tuple[str, ...]:
    """The subfolders with image files in them."""
    return tuple(path.name for path in subfolders(folder) if any(map(_is_image, files(path))))


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in decode.SUFFIXES


def _items(folder: Path, classes: tuple[str, ...], account: Account) -> Iterator[Item]:
    """The image files of `folder`; what else lies there goes to the account."""
    labels = {name: label for label, name in enumerate(classes)}
    for path in files(folder):
        place = path.relative_to(folder)
        if not _is_image(path):
            account.skip(str(place), "not images" if os.path.isfile(path) else "unreadable")
        elif classes and len(place.parts) == 1:
            account.skip(str(place), "outside the class folders")
        else:
            yield Item(str(place), path, labels[place.parts[0]] if classes else None)


def told_size(own: bool, side: int, sizing: Sizing) -> str:
    """What became of the images: kept as they are, or brought to squares of this side."""
    return "as in the files" if own else f"{WAYS[sizing.fit]}, resized to {side}x{side}"


def common_side(headers: list[Header]) -> int:
    """The side of the images if all are squares of one size, else DEFAULT_SIZE."""
    sizes = {(h.width, h.height) for h in headers}
    width, height = sizes.pop() if len(sizes) == 1 else (DEFAULT_SIZE, DEFAULT_SIZE)
    return width if width == height else DEFAULT_SIZE


def class_table(folder: Path) -> tuple[str, ...] | None:
    """The names in the folder's table, None without one; UserError for one of no use."""
    path = folder / TABLE
    with reading(path):
        if not path.is_file():
            return None
        with as_user_error(lambda _: f"{path} is no text in UTF-8: {HINT}", UnicodeDecodeError):
            text = regular(path, MIB).read_text("utf-8-sig")
    names = tuple(line.strip() for line in text.rstrip().splitlines())
    if not names or "" in names:
        raise UserError(f"{path} has an empty line: {HINT}")
    if len(names) > MOST:
        raise UserError(f"{path} names {len(names):,} classes, and {MOST:,} are the most: {HINT}")
    if len(set(names)) < len(names):
        twice = next(name for k, name in enumerate(names) if name in names[:k])
        raise UserError(f"{path} names '{twice}' twice: {HINT}")
    return names


def files(folder: Path, above: frozenset[tuple[int, int]] = frozenset()) -> Iterator[Path]:
    """Every regular file below `folder`, sorted by path; links are followed, hidden names left out.

    What cannot be looked at (a broken link, a folder without permission) is given like a file, so
    that whoever opens it learns why. above: the folders on the way here, none of which is entered
    again by a link.
    """
    try:
        place, paths = folder.stat(), _visible(folder)
    except OSError:
        yield folder
        return
    here = (place.st_dev, place.st_ino)
    if here in above:
        return
    for path in paths:
        if os.path.isfile(path) or not os.path.exists(path):
            yield path
        elif os.path.isdir(path):
            yield from files(path, above | {here})


def subfolders(folder: Path) -> list[Path]:
    """The folders directly inside `folder`, sorted, without hidden ones or those that cannot be
    looked at; UserError if `folder` itself cannot.
    """
    with reading(folder):
        return [path for path in _visible(folder) if os.path.isdir(path)]


def of_split(items: Sequence[N], split: str, hold_out: float) -> list[N]:
    """Those of all items that are of one split. hold_out: the part of them that is for tests, from
    1 on how many are, at least one less than all; 0: all are of either split.

    The digests of their names choose, so that of a folder to which files are added most of what was
    held out stays so. NoSuchSplit if there are no two items.
    """
    if not hold_out:
        return list(items)
    n = int(hold_out) if hold_out >= 1 else ceil(hold_out * len(items))
    names = sorted((item.name for item in items), key=lambda n: sha256(os.fsencode(n)).digest())
    held = set(names[: min(n, len(names) - 1)])
    if split == "test" and not held:
        raise NoSuchSplit("Of one file nothing can be held out.")
    return [item for item in items if (item.name in held) == (split == "test")]


def _visible(folder: Path) -> list[Path]:
    return [folder / name for name in sorted(os.listdir(folder)) if name[0] != "."]
