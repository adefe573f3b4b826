"""A folder of images; its subfolders are the classes.

Subfolders `train` and `test` (or `val`, `valid`), if there is nothing else, are the splits. Images
that all have one and the same square size keep it; others become 64x64 unless a size is asked for,
or crops of them as they are.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from ganlib.common.data import DataSet
from ganlib.common.errors import UserError
from ganlib.common.formats.blocks import DEFAULT_SIZE, Account, Item, attempt, decoded, in_threads
from ganlib.common.formats.decode import (
    SUFFIXES,
    Header,
    Source,
    Unusable,
    header,
    smaller,
    whole_header,
)
from ganlib.common.formats.file_crops import FileCrops
from ganlib.common.formats.files import files, subfolders
from ganlib.common.formats.hold_out import of_split
from ganlib.common.formats.resize import CROPPED, Sizing
from ganlib.common.formats.stream import NoSuchSplit, Stream, check_split, collect
from ganlib.common.io.console import progress
from ganlib.common.io.files import reading

TESTS = ("test", "val", "valid")
WAYS = {"crop": "cropped square", "pad": "padded square", "stretch": "stretched square"}
Inspect = Callable[[Source], Header]
HEADERS = 4096  # looked at between two updates of the progress bar


def load(root: Path, split: str, size: int | None, hold_out: float = 0.0) -> DataSet:
    """The images of one split in memory, and one line on stderr of what was and was not used.
    hold_out: see look().
    """
    return collect(stream(root, split, size, hold_out=hold_out))


def stream(
    root: Path, split: str, size: int | None, sizing: Sizing = CROPPED, hold_out: float = 0.0
) -> Stream:
    """The images of one split, decoded block by block."""
    found = look(root, split, hold_out)
    items = found.of_split(found.items)
    side = size or common_side(found.headers)
    shape = (found.channels, side, side)
    kept = all((h.width, h.height) == (side, side) for h in found.headers)
    return Stream(
        found.name,
        shape,
        len(items),
        decoded(items, shape, found.classes, found.account, sizing),
        found.classes,
        provenance={
            "folder": str(found.folder.resolve()),
            "size": "as in the files" if kept else f"{WAYS[sizing.fit]}, resized to {side}x{side}",
        },
        held_out=found.held_out(items),
        resized=not kept,
    )


def lazy(root: Path, split: str, crop: int, hold_out: float = 0.0) -> DataSet:
    """Crops of the images of one split at their own sizes, decoded when they are asked for.

    Images that are smaller or not whole are left out, and the line on stderr says how many.
    """
    found, items = look(root, split, hold_out, whole_header), []
    for item, (width, height, _) in zip(found.items, found.headers, strict=True):
        if min(width, height) < crop:
            found.account.skip(item.name, smaller(crop))
        else:
            items.append(item)
    items = found.of_split(items)
    found.account.used = len(items)
    found.account.close((found.channels, crop, crop), found.classes, "crops of ")
    y = [item.label for item in items if item.label is not None]
    return DataSet(
        found.name,
        FileCrops(items, found.channels, crop),
        torch.tensor(y) if y else None,
        classes=found.classes,
        provenance={
            "folder": str(found.folder.resolve()),
            "crops": f"{crop}x{crop} out of images of any size, the middle where none is drawn",
        },
        held_out=found.held_out(items),
    )


class Found(NamedTuple):
    """What there is of a split, or of both where they are files of one folder: usable files, with a
    header for each.
    """

    name: str
    folder: Path
    classes: tuple[str, ...]
    account: Account
    split: str
    hold_out: float
    items: list[Item]
    headers: list[Header]

    @property
    def channels(self) -> int:
        return 1 if all(header.grey for header in self.headers) else 3

    def of_split(self, items: Sequence[Item]) -> list[Item]:
        """Those of the items that are of the split."""
        return of_split(items, self.split, self.hold_out)

    def held_out(self, items: Sequence[Item]) -> tuple[str, ...]:
        """The names of the split's items, if they are held out of training."""
        if self.split == "train" or not self.hold_out:
            return ()
        return tuple(f"{self.folder.resolve().name}/{item.name}" for item in items)


def look(root: Path, split: str, hold_out: float = 0.0, inspect: Inspect = header) -> Found:
    """What there is of a split of the folder `root`; UserError if nothing of it is usable.

    hold_out: of a folder without test images, the part of its files, or from 1 on the number, that
    is the test split; see _hold_out.py. inspect: the header of a file, Unusable for one that is of
    no use.
    """
    check_split(split)
    with reading(root):
        if not root.is_dir():
            raise UserError(f"There is no folder {root}: give the path of a folder of images.")
    name, folder = root.resolve().name, split_folder(root, split, hold_out)
    classes = _shared_classes(root, folder)
    account = Account(name if split == "train" else f"{name} ({split})", folder)
    items = list(_items(folder, classes, account))
    shared = hold_out if folder == root else 0.0
    return Found(name, folder, classes, account, split, shared, *_inspect(items, account, inspect))


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
    return path.suffix.lower() in SUFFIXES


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


def _inspect(
    items: list[Item], account: Account, inspect: Inspect
) -> tuple[list[Item], list[Header]]:
    """Those of `items` whose headers can be read, with the headers; UserError if there is none."""

    def look(item: Item) -> Header | Unusable:
        return attempt(lambda: inspect(item.source))

    usable: list[Item] = []
    headers: list[Header] = []
    with progress(f"looking at {account.name}", len(items)) as advance:
        for group, results in in_threads(look, items, HEADERS):
            for item, result in zip(group, results, strict=True):
                if isinstance(result, Unusable):
                    account.skip(item.name, str(result))
                else:
                    usable.append(item)
                    headers.append(result)
            advance(len(group))
    if not usable:
        account.refuse()
    return usable, headers


def common_side(headers: list[Header]) -> int:
    """The side of the images if all are squares of one size, else DEFAULT_SIZE."""
    sizes = {(h.width, h.height) for h in headers}
    width, height = sizes.pop()
    return width if not sizes and width == height else DEFAULT_SIZE
