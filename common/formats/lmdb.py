"""LSUN's databases, read without torchvision, whose class leaves a pickle in the current folder."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from typing import Any

from ganlib.common.data.spec import NoSuchSplit
from ganlib.common.errors import UserError
from ganlib.common.formats.blocks import DEFAULT_SIZE, Account, Item, decoded
from ganlib.common.formats.resize import CROPPED, Sizing
from ganlib.common.formats.stream import Stream
from ganlib.common.io.files import as_user_error, reading

URL = "http://dl.yf.io/lsun/scenes"


def stream_lsun(
    category: str, root: Path, split: str, size: int | None, sizing: Sizing = CROPPED
) -> Stream:
    """One split of a category, decoded block by block; its test split is LSUN's `val`."""
    name = f"{category}_{'train' if split == 'train' else 'val'}_lmdb"
    place = root / name
    with reading(root):
        if not (place / "data.mdb").is_file():
            raise (NoSuchSplit if split == "test" else UserError)(
                f"There is no {place / 'data.mdb'}: download {URL}/{name}.zip and unpack it in "
                f"{root}, or use the data set fashion_mnist, which needs no download."
            )
    missing = "LSUN is read by the package lmdb: run `pip install lmdb`."
    with as_user_error(lambda _: missing, ImportError):
        lmdb = import_module("lmdb")
    with _sentence(lmdb, place):
        options = {"readonly": True, "lock": False, "readahead": False, "meminit": False}
        database = lmdb.open(str(place), **options)
        total = database.stat()["entries"]
    shape = (3, size or DEFAULT_SIZE, size or DEFAULT_SIZE)
    account = Account(f"lsun_{category}", place)
    blocks = decoded(_items(lmdb, database, place), shape, (), account, sizing)
    return Stream(account.name, shape, total, blocks, provenance={"source": f"{URL}/{name}.zip"})


def _sentence(lmdb: Any, place: Path) -> AbstractContextManager[None]:
    words = "is not an LMDB database or is damaged"
    return as_user_error(lambda e: f"{place} {words} ({e}): unpack it anew.", lmdb.Error)


def _items(lmdb: Any, database: Any, place: Path) -> Iterator[Item]:
    with _sentence(lmdb, place), database, database.begin() as transaction:
        for key, value in transaction.cursor():
            yield Item(key.decode("ascii", "replace"), value)
