"""Which data: where they are found by the name of a data set, or by a path; a query that opens
itself; and what translations on them start from.
"""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from inspect import getmodule, signature
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from torch import Tensor

from ganlib.common.data import DataSet, Shape
from ganlib.common.data.crops import cropped
from ganlib.common.data.spec import SPLITS, NoSuchSplit
from ganlib.common.errors import UserError
from ganlib.common.formats import arrays, folders, hdf5
from ganlib.common.formats.arrays import ARRAYS
from ganlib.common.formats.decode import Half
from ganlib.common.formats.resize import CROPPED, Sizing, resized
from ganlib.common.formats.shared import shared_data
from ganlib.common.formats.stream import Stream, as_stream, collect
from ganlib.common.io.files import expand, reading
from ganlib.common.io.remote import place_of
from ganlib.common.registry import Registry, modules
from ganlib.common.sources.parse import parse_source

Q = TypeVar("Q", bound="DataQuery")
T = TypeVar("T", DataSet, Stream)
OF_A_RUN = ("dataset", "size", "crop", "source", "hold_out", "subset")
"""Settings that say which data."""
MAX_SIZE = 8192  # pixels; one RGB image of this side takes 192 MiB
Load = Callable[..., DataSet]
"""Of (place, split, size), of a folder hold_out too."""
HDF5 = (".h5", ".hdf5")
KINDS = dict.fromkeys(HDF5, "hdf5") | dict.fromkeys(ARRAYS, "arrays")
"""Which data set reads files that end so."""
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

    def shared(
        self, query: "DataQuery", load: Callable[[], DataSet], folders: Sequence[Path] = ()
    ) -> DataSet:
        """load(), of this query, once for all processes of the machine, if the data set's module
        names the files that it reads beside those in `folders`: see common/formats/shared.py.
        """
        if (names := self.also("FILES")) is None:
            return load()
        facts = {name: getattr(query, name) for name in ("split", "size", "source", "hold_out")}
        own = Path(self.also("__file__"))  # which may be somebody's who changes it
        places = [*(self.place / name for name in names), *folders, own]
        return shared_data({"load": self.load.__module__, **facts}, places, load)

    def also(self, name: str) -> Any:
        """What else the data set's module has, see common/datasets; None if it has not."""
        return getattr(getmodule(self.load), name, None)


def find(name: str, root: Path | None = None) -> Found:
    """What is called `name`, which lies in `root` if it is a registered data set. UserError, with
    the nearest name, if there is no data set, folder or file called so.
    """
    if name in datasets.names():
        return Found(datasets[name], _place(name, root), name == "folder")
    path = place_of(name)
    with reading(path):
        kind = "folder" if name and path.is_dir() else KINDS.get(path.suffix.lower())
        if kind is not None:
            return Found(datasets[kind], path, kind == "folder")
        if path.is_file():
            raise UserError(f"{name} is neither a folder of images nor {FILES}.")
    try:
        datasets.check(name)
    except UserError as error:
        raise UserError(
            f"{error} The path of a folder of images or of {FILES} is possible too."
        ) from None
    raise AssertionError(f"{name} is registered")


def undivided(name: str) -> bool:
    """Whether `name` is a folder without test images."""
    if name in datasets.names():
        return False
    path = place_of(name)
    with reading(path):
        if not path.is_dir():
            return False
    return folders.split_folder(path, "test", 1.0) == path


def label(name: str) -> str:
    """A short name for what is called so, for files and folders."""
    if name in datasets.names():
        return name
    path = Path(os.path.realpath(expand(name.replace("\0", "_"))))
    short = path.stem if path.suffix.lower() in KINDS else path.name
    short = re.sub(r"[^\w.-]+", "_", short).strip("._-")
    return short.encode()[:LONGEST].decode(errors="ignore") or "data"


def _place(name: str, root: Path | None) -> Path:
    """The folder of the files of the registered data set `name`."""
    if root is None:
        return default_root() / name
    root = expand(root)
    with reading(root):
        return root / name if (root / name).is_dir() else root


@dataclass(frozen=True)
class DataQuery:
    """One split ("train" or "test") of a registered data set, an image folder or a file.

    dataset: its name, or a path; None where nothing is said. data_root: where a registered data
    set's files lie, there or in a subfolder of its name. size: side of square images, None for the
    data's own; of a data set with ASPECT, the height. Of what is too large for memory only an HDF5
    file's images are given, each read when asked for. crop: side of square crops out of such
    images, None for whole ones; with no size, a folder's files are cropped as they are and read
    when asked for. source: what translations start from, see common/sources; None: what the data
    set has itself. hold_out: of a folder without test images, the part of its files, or from 1 on
    the number, that is the test split. subset: so many of the training images alone. memory: images
    that are in Python already, which are all for training, in place of those of `dataset`.
    """

    dataset: str | None = None
    data_root: Path | None = None
    split: str = "train"
    size: int | None = None
    crop: int | None = None
    source: str | None = None
    hold_out: float = 0.0
    subset: int | None = None
    memory: DataSet | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of_run(cls, settings: Mapping[str, Any]) -> "DataQuery":
        """What a run with these settings is trained on; settings that are missing say nothing."""
        said = {name: settings[name] for name in OF_A_RUN if name in settings}
        root = settings.get("data_root")
        return cls(data_root=Path(root) if root else None, **said)

    def completed(self: Q, run: "DataQuery") -> Q:
        """With what is not said as a run has it; where its data lie, and which of them it trains on
        and holds out, is said of its own data set alone.
        """
        own = run if self.dataset is None else DataQuery(self.dataset)
        return replace(
            self,
            dataset=own.dataset,
            data_root=self.data_root or own.data_root,
            size=run.size if self.size is None else self.size,
            crop=run.crop if self.crop is None else self.crop,
            source=self.source or run.source,
            hold_out=own.hold_out,
            subset=own.subset,
        )

    def open(self) -> DataSet:
        """The data; UserError if there is no such thing."""
        if self.memory is None:
            data = self._addressed(self.starts.open(self))
        elif self.split == "train":
            data = self.starts.fit(self.memory, self)
        else:
            raise NoSuchSplit("Images that were given in Python are all for training.")
        return data if self.subset is None or self.split != "train" else data.subset(self.subset)

    def of_split(self, split: str) -> DataSet | None:
        """The data of another split, None if there is no such one."""
        try:
            return replace(self, split=split).open()
        except NoSuchSplit:
            return None

    def stream(self, sizing: Sizing = CROPPED) -> Stream:
        """What open() gives before it is cropped, block by block and of any length. sizing: see
        Source.
        """
        return self._addressed(self.starts.stream(self, sizing))

    def _addressed(self, data: T) -> T:
        """With the addresses in their provenance that they were fetched from."""
        said = {"fetched": self.dataset, "sources fetched": self.source}
        addresses = {key: text for key, text in said.items() if text and "://" in text}
        return replace(data, provenance={**data.provenance, **addresses}) if addresses else data

    @property
    def starts(self) -> "Source":
        """What translations start from."""
        found: Source = OWN if self.source is None else parse_source(self.source)
        return found

    @property
    def holds_out(self) -> bool:
        """Whether files can be held out: of a folder without test images, or of one whose images
        are unpaired sources.
        """
        try:
            starts = self.starts
        except UserError:  # it is told when the source is opened
            return False
        return starts.holds_out(self)

    @property
    def label(self) -> str:
        """A short name, for files and folders, of the data set and of what translations start
        from.
        """
        own = label(self.dataset or "") + ("" if self.subset is None else f"_{self.subset}")
        return own if self.source is None else f"{own}_from_{label(self.source)}"

    @property
    def license(self) -> str | None:
        """What a registered data set says of its licence, None if nothing is known."""
        return self.find().also("LICENSE") if self.dataset in datasets.names() else None

    def find(self) -> Found:
        """How the data are loaded, with nothing read yet; UserError if there is no such thing."""
        if self.split not in SPLITS:
            raise UserError(f"There is no split '{self.split}'; the splits are 'train' and 'test'.")
        if self.size is not None and not 1 <= self.size <= MAX_SIZE:
            raise UserError(f"The size of the images is {self.size} and must lie in 1..{MAX_SIZE}.")
        return find(self.dataset or "", self.data_root)


def open_dataset(
    name: str,
    root: Path | None = None,
    split: str = "train",
    size: int | None = None,
    crop: int | None = None,
    source: str | None = None,
    hold_out: float = 0.0,
) -> DataSet:
    """One split ("train" or "test") of a registered data set, an image folder or a file; see
    DataQuery. UserError if there is no such thing.
    """
    return DataQuery(name, root, split, size, crop, source, hold_out).open()


class Source:
    """What translations start from: what the data set has itself, and the base of other kinds.

    of_file: whether an image file has its source in itself. makes: whether it is made of the image,
    by of(); multiple: how many times smaller it is then, of which the image's sides are multiples.
    """

    of_file = True
    makes = False
    multiple = 1

    def open(self, query: "DataQuery") -> DataSet:
        """The data of a query, with these sources."""
        found = query.find()
        lazy, how = found.also("lazy"), {"hold_out": query.hold_out} if found.is_folder else {}
        if lazy is not None and query.size is None and query.crop is not None:
            crops: DataSet = lazy(found.place, query.split, query.crop, **how)
            return self.add(crops)
        own = replace(query, source=None)
        data = found.shared(own, lambda: found.load(found.place, query.split, query.size, **how))
        return self.fit(data, query if found.aspect == 1 else replace(query, size=None))

    def stream(self, query: "DataQuery", sizing: Sizing = CROPPED) -> Stream:
        """The same block by block, before crops. sizing: what becomes of images that are not square
        or, among files of any sizes, smaller than the query's size.
        """
        found = query.find()
        stream = found.also("stream")
        if stream is None:
            data = found.load(found.place, query.split, query.size)
            return as_stream(data if found.aspect != 1 else resized(data, query.size, sizing))
        how: dict[str, Any] = {"hold_out": query.hold_out} if found.is_folder else {}
        if "sizing" in signature(stream).parameters:
            how["sizing"] = sizing
        elif sizing.fit != CROPPED.fit:
            raise UserError(
                f"{query.dataset} has no other way to make its images square: leave --fit out."
            )
        result: Stream = stream(found.place, query.split, query.size, **how)
        return result

    def fit(self, data: DataSet, query: "DataQuery") -> DataSet:
        """`data` with images of the query's size, then cropped, with these sources; what is in
        memory stays there.
        """
        wanted = data if query.size is None else resized(data, query.size)
        if isinstance(data.x, Tensor) and not isinstance(wanted.x, Tensor):
            wanted = collect(as_stream(wanted))
        found = self.add(wanted)
        return found if query.crop is None else cropped(found, query.crop)

    def add(self, data: DataSet) -> DataSet:
        """`data`, of the size that is wanted, with these sources."""
        return data

    def holds_out(self, query: "DataQuery") -> bool:
        """Whether files can be held out, of a folder without test images."""
        return undivided(query.dataset or "")

    def part(self, file: Path) -> Path | Half:
        """What of an image file the source is made of, or is; Unusable if it has no such part."""
        return file

    def of(self, x: Tensor, index: Tensor, frames: int = 1) -> Tensor:
        """What is made of uint8 images (n, frames * C, H, W) with these numbers (n,)."""
        return x

    def shape(self, image: Shape, frames: int = 1) -> Shape:
        """(C', H', W') of the same; UserError for images that it cannot be made of."""
        return image


OWN = Source()


class FileSource(Source):
    """Sources that lie in files beside those of the images, or in these."""

    of_file = False

    def open(self, query: "DataQuery") -> DataSet:
        found, load = query.find(), lambda: collect(self.stream(query))
        return OWN.fit(found.shared(query, load, self.folders), query)

    def fit(self, data: DataSet, query: "DataQuery") -> DataSet:
        raise UserError(
            f"'{data.name}' is no folder of files, of which a source '{query.source}' is."
        )

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where such files lie that are not among the images."""
        return ()
