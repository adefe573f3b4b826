"""Where data are found by the name of a data set, or by a path."""

import os
import re
from collections.abc import Callable
from inspect import getmodule
from pathlib import Path
from typing import Any, NamedTuple

from ganlib.common.data import DataSet
from ganlib.common.errors import UserError
from ganlib.common.formats import arrays, folders, hdf5
from ganlib.common.formats.arrays import ARRAYS
from ganlib.common.io.files import expand, reading
from ganlib.common.registry import Registry, modules

Load = Callable[..., DataSet]
"""Of (place, split, size), of a folder hold_out too."""
HDF5 = (".h5", ".hdf5")
FILES = "an .h5, .npz or .npy file"
LONGEST = 120  # bytes of a label, as part of the name of a folder

datasets: Registry[Load] = Registry(
    "data set", "ganlib.common.datasets", "load", modules, "ganlib.datasets"
)
for _name, _module in (("folder", folders), ("hdf5", hdf5), ("arrays", arrays)):
    datasets.add_module(_name, _module)


def default_root() -> Path:
    """The folder of the data sets: the environment variable GANLIB_DATA, or one in ~/.cache."""
    return expand(os.environ.get("GANLIB_DATA") or "~/.cache/ganlib/data")


class Found(NamedTuple):
    """How data are loaded, and from where."""

    load: Load
    place: Path
    is_folder: bool

    @property
    def aspect(self) -> int:
        """How many times wider than high the images are that it gives for a size."""
        return int(self.also("ASPECT") or 1)

    def also(self, name: str) -> Any:
        """What else the data set's module has, see common/datasets; None if it has not."""
        return getattr(getmodule(self.load), name, None)


def find(name: str, root: Path | None = None) -> Found:
    """What is called `name`, which lies in `root` if it is a registered data set. UserError, with
    the nearest name, if there is no data set, folder or file called so.
    """
    if name in datasets.names():
        return Found(datasets[name], _place(name, root), name == "folder")
    path = expand(name)
    with reading(path):
        for kind, here in (
            ("folder", name != "" and path.is_dir()),
            ("hdf5", path.suffix.lower() in HDF5),
            ("arrays", path.suffix.lower() in ARRAYS),
        ):
            if here:
                return Found(datasets[kind], path, kind == "folder")
        if path.is_file():
            raise UserError(f"{path} is neither a folder of images nor {FILES}.")
    try:
        datasets.check(name)
    except UserError as error:
        raise UserError(
            f"{error} The path of a folder of images or of {FILES} is possible too."
        ) from None
    raise AssertionError(f"{name} is registered")


def undivided(name: str) -> bool:
    """Whether `name` is a folder without test images."""
    path = expand(name)
    with reading(path):
        if name in datasets.names() or not path.is_dir():
            return False
    return folders.split_folder(path, "test", 1.0) == path


def label(name: str) -> str:
    """A short name for what is called so, for files and folders."""
    if name in datasets.names():
        return name
    path = Path(os.path.realpath(expand(name.replace("\0", "_"))))
    short = path.stem if path.suffix.lower() in (*HDF5, *ARRAYS) else path.name
    short = re.sub(r"[^\w.-]+", "_", short).strip("._-")
    return short.encode()[:LONGEST].decode(errors="ignore") or "data"


def _place(name: str, root: Path | None) -> Path:
    """The folder of the files of the registered data set `name`."""
    if root is None:
        return default_root() / name
    root = expand(root)
    with reading(root):
        return root / name if (root / name).is_dir() else root
