"""Data sets by name or by path."""

import os
import re
from collections.abc import Callable
from dataclasses import replace
from inspect import getmodule, signature
from pathlib import Path
from typing import cast

from torch import Tensor

from ganlib.common.data import DataSet
from ganlib.common.data.crops import cropped
from ganlib.common.errors import UserError
from ganlib.common.formats import arrays, folders, hdf5
from ganlib.common.formats.arrays import ARRAYS
from ganlib.common.formats.resize import CROPPED, Sizing, resized
from ganlib.common.formats.stream import Stream, as_stream, check_split, collect
from ganlib.common.io.files import expand, reading
from ganlib.common.registry import Registry, modules
from ganlib.common.sources.derived import Derivation, stream_derived, with_derived
from ganlib.common.sources.pairs import Beside, SideBySide, lazy_pairs, stream_pairs
from ganlib.common.sources.parse import AskedSource, Unpaired, asked_source
from ganlib.common.sources.past import Past, stream_past
from ganlib.common.sources.unpaired import stream_unpaired, with_unpaired

Load = Callable[..., DataSet]
"""Of (place, split, size), of a folder hold_out too."""
HDF5 = (".h5", ".hdf5")
FILES = "an .h5, .npz or .npy file"
MAX_SIZE = 8192  # pixels; one RGB image of this side takes 192 MiB
LONGEST = 120  # bytes of a label, as part of the name of a folder

datasets: Registry[Load] = Registry(
    "data set", "ganlib.common.datasets", "load", modules, "ganlib.datasets"
)
for _name, _module in (("folder", folders), ("hdf5", hdf5), ("arrays", arrays)):
    datasets.add_module(_name, _module)


def default_root() -> Path:
    """The folder of the data sets: the environment variable GANLIB_DATA, or one in ~/.cache."""
    return expand(os.environ.get("GANLIB_DATA") or "~/.cache/ganlib/data")


def open_dataset(
    name: str,
    root: Path | None = None,
    split: str = "train",
    size: int | None = None,
    crop: int | None = None,
    source: str | None = None,
    hold_out: float = 0.0,
) -> DataSet:
    """One split ("train" or "test") of a registered data set, an image folder or a file.

    root: where a registered data set's files lie, there or in a subfolder of its name. size: side
    of square images, None for the data's own; of a data set with ASPECT, the height. Of what is too
    large for memory only an HDF5 file's images are given, each read when asked for. crop: side of
    square crops out of such images, None for whole ones; with no size, a folder's files are cropped
    as they are and read when asked for. source: what translations start from, see asked_source.py;
    None: what the data set has itself. hold_out: of a folder without test images, the part of its
    files, or from 1 on the number, that is the test split. UserError if there is no such thing.
    """
    asked = None if source is None else asked_source(source)
    load, place = _find(name, root, split, size)
    if isinstance(asked, Unpaired):
        images, other = (
            open_dataset(one, root, split, size, crop, None, hold_out) for one in (name, asked.name)
        )
        return with_unpaired(images, other)
    if isinstance(asked, SideBySide | Beside):
        _check_folder(name, load, source)
        if size is None and crop is not None:
            return lazy_pairs(place, asked, split, crop, hold_out)
        pairs = stream_pairs(place, asked, split, size, hold_out=hold_out)
        return brought_to(collect(pairs), size, crop)
    if isinstance(asked, Past):
        data = _with_past(asked, source, name, load, place, split, size, hold_out)
        return brought_to(data, size, crop)
    lazy = getattr(getmodule(load), "lazy", None)
    more = (hold_out,) if load is datasets["folder"] else ()
    if lazy is not None and size is None and crop is not None:
        data = cast(DataSet, lazy(place, split, crop, *more))
        return data if asked is None else with_derived(data, asked)
    data = load(place, split, size, *more)
    return _sized(data, None if _aspect(load) != 1 else size, crop, asked)


def brought_to(
    data: DataSet, size: int | None, crop: int | None = None, source: str | None = None
) -> DataSet:
    """`data` with images of this side, None for their own, then cropped, with sources made of them
    or unpaired if `source` says so; what is in memory stays there.
    """
    asked = None if source is None else asked_source(source)
    if isinstance(asked, SideBySide | Beside | Past):
        raise UserError(f"'{data.name}' is no folder of files, of which a source '{source}' is.")
    if isinstance(asked, Unpaired):
        other = open_dataset(asked.name, None, "train", size, crop)
        return with_unpaired(_sized(data, size, crop, None), other)
    return _sized(data, size, crop, asked)


def _sized(data: DataSet, size: int | None, crop: int | None, by: Derivation | None) -> DataSet:
    wanted = resized(data if by is None else replace(data, source=None), size)
    if isinstance(data.x, Tensor) and not isinstance(wanted.x, Tensor):
        wanted = collect(as_stream(wanted))
    return cropped(wanted if by is None else with_derived(wanted, by), crop)


def license_of(name: str) -> str | None:
    """What a registered data set says of its licence as LICENSE, None if nothing is known."""
    if name not in datasets.names():
        return None
    return cast(str | None, getattr(getmodule(datasets[name]), "LICENSE", None))


def check_dataset(name: str) -> None:
    """UserError, with the nearest name, if there is no data set, folder or file called so."""
    _find(name, None, "train", None)


def open_stream(
    name: str,
    root: Path | None = None,
    split: str = "train",
    size: int | None = None,
    sizing: Sizing = CROPPED,
    source: str | None = None,
) -> Stream:
    """What open_dataset gives, block by block and of any length. sizing: what becomes of images
    that are not square or, among files of any sizes, smaller than `size`.
    """
    if source is not None and (asked := asked_source(source)) is not None:
        return _stream_with(asked, source, name, root, split, size, sizing)
    load, place = _find(name, root, split, size)
    stream = getattr(getmodule(load), "stream", None)
    if stream is None:
        data = load(place, split, size)
        return as_stream(data if _aspect(load) != 1 else resized(data, size, sizing))
    if "sizing" in signature(stream).parameters:
        return cast(Stream, stream(place, split, size, sizing))
    if sizing.fit != CROPPED.fit:
        raise UserError(f"{name} has no other way to make its images square: leave --fit out.")
    return cast(Stream, stream(place, split, size))


def _stream_with(
    asked: AskedSource,
    source: str,
    name: str,
    root: Path | None,
    split: str,
    size: int | None,
    sizing: Sizing,
) -> Stream:
    if isinstance(asked, SideBySide | Beside):
        load, place = _find(name, root, split, size)
        _check_folder(name, load, source)
        return stream_pairs(place, asked, split, size, sizing)
    if isinstance(asked, Past):
        load, place = _find(name, root, split, size)
        if load is datasets["folder"]:
            return stream_past(place, asked, split, size, sizing)
        return as_stream(_with_past(asked, source, name, load, place, split, size, 0.0))
    own = open_stream(name, root, split, size, sizing)
    if isinstance(asked, Unpaired):
        return stream_unpaired(own, open_stream(asked.name, root, split, size, sizing))
    return stream_derived(own, asked)


def _with_past(
    asked: Past,
    source: str | None,
    name: str,
    load: Load,
    place: Path,
    split: str,
    size: int | None,
    hold_out: float,
) -> DataSet:
    """The pairs of past and next frames of a folder of videos, or of made sequences."""
    if load is datasets["folder"]:
        return collect(stream_past(place, asked, split, size, hold_out=hold_out))
    past = getattr(getmodule(load), "past", None)
    if past is None:
        raise UserError(
            f"The source '{source}' is for a folder of videos or for sequences like those of "
            f"moving, and {name} is none: give another source."
        )
    return cast(DataSet, past(split, size, *asked))


def holds_out(name: str, source: str | None) -> bool:
    """Whether open_dataset() can hold files out: of a folder without test images, or of one whose
    images are unpaired sources.
    """
    try:
        asked = None if source is None else asked_source(source)
    except UserError:  # it is told when the source is opened
        return False
    if isinstance(asked, Unpaired):
        return _is_undivided(name) or _is_undivided(asked.name)
    beside = not isinstance(asked, Beside) or _is_undivided(str(asked.folder))
    return _is_undivided(name) and beside


def _is_undivided(name: str) -> bool:
    path = expand(name)
    with reading(path):
        if name in datasets.names() or not path.is_dir():
            return False
    return folders.split_folder(path, "test", 1.0) == path


def _check_folder(name: str, load: Load, source: str | None) -> None:
    """UserError unless sources that belong to files belong to a folder of files."""
    if load is not datasets["folder"]:
        raise UserError(
            f"The source '{source}' is for a folder of image files, and {name} is none: give "
            "such a folder as --dataset, or another source."
        )


def dataset_label(name: str, source: str | None = None) -> str:
    """A short name, for files and folders, of a data set and of what translations start from."""
    if source is not None:
        return f"{dataset_label(name)}_from_{_label(source)}"
    return name if name in datasets.names() else _label(name)


def _label(name: str) -> str:
    path = Path(os.path.realpath(expand(name.replace("\0", "_"))))
    label = path.stem if path.suffix.lower() in (*HDF5, *ARRAYS) else path.name
    label = re.sub(r"[^\w.-]+", "_", label).strip("._-")
    return label.encode()[:LONGEST].decode(errors="ignore") or "data"


def _find(name: str, root: Path | None, split: str, size: int | None) -> tuple[Load, Path]:
    """How to load the data set `name`, and from where."""
    check_split(split)
    if size is not None and not 1 <= size <= MAX_SIZE:
        raise UserError(f"The size of the images is {size} and must lie in 1..{MAX_SIZE}.")
    if name in datasets.names():
        return datasets[name], _place(name, root)
    path = expand(name)
    with reading(path):
        if name and path.is_dir():
            return datasets["folder"], path
        if path.suffix.lower() in HDF5:
            return datasets["hdf5"], path
        if path.suffix.lower() in ARRAYS:
            return datasets["arrays"], path
        if path.is_file():
            raise UserError(f"{path} is neither a folder of images nor {FILES}.")
    try:
        datasets.check(name)
    except UserError as error:
        raise UserError(
            f"{error} The path of a folder of images or of {FILES} is possible too."
        ) from None
    raise AssertionError(f"{name} is registered")


def _aspect(load: Load) -> int:
    """How many times wider than high images are that a data set gives for a size."""
    return cast(int, getattr(getmodule(load), "ASPECT", 1))


def _place(name: str, root: Path | None) -> Path:
    """The folder of the files of the registered data set `name`."""
    if root is None:
        return default_root() / name
    root = expand(root)
    with reading(root):
        return root / name if (root / name).is_dir() else root
