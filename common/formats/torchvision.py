"""torchvision's data sets: read quietly, downloaded if need be, with one sentence if that fails."""

import re
import socket
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlparse

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganlib.common.data import DataSet
from ganlib.common.errors import UserError, one_line

TIMEOUT = 20.0  # seconds without an answer; torchvision itself would wait for ever


@dataclass(frozen=True)
class Origin:
    """What a data set is called, where its files are on the net, and where they belong here.

    host: from where torchvision downloads them, if that is not the host of `url`.
    """

    name: str
    url: str
    files: tuple[str, ...]
    folder: Path
    host: str = ""


def read(make: Callable[[], Any], origin: Origin) -> Any:
    """make(), a data set of torchvision that downloads what is missing; UserError if it fails."""
    timeout = socket.getdefaulttimeout()
    try:
        socket.setdefaulttimeout(TIMEOUT)
        origin.folder.mkdir(parents=True, exist_ok=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of numpy, about how these old files were written
            return make()
    except Exception as error:  # damaged files raise whatever comes up in reading them
        raise UserError(_sentence(origin, error)) from error
    finally:
        socket.setdefaulttimeout(timeout)


def to_tensor(images: NDArray[np.uint8]) -> Tensor:
    """uint8 (N, C, H, W) in any memory layout as a tensor that is laid out in that order."""
    return torch.from_numpy(np.ascontiguousarray(images))


def _sentence(origin: Origin, error: Exception) -> str:
    text = f"{type(error).__name__}: {one_line(error)}"
    by_hand = (
        f"put {', '.join(origin.files)} from {origin.url} into {origin.folder} by hand, or use the "
        "data set fashion_mnist, which needs no download."
    )
    if (
        isinstance(error, OSError)
        and not isinstance(error, URLError)
        and error.filename is not None
    ):
        return (
            f"{origin.name} cannot use its folder ({text}): make {origin.folder} writable, "
            "or give another folder by --data-root or the environment variable GANLIB_DATA."
        )
    # what fails to be downloaded, rather than read, is one of these
    words = isinstance(error, RuntimeError) and re.search(
        "download|not found or corrupted|gdown", str(error)
    )
    if isinstance(error, OSError) or words:
        absent = [file for file in origin.files if not (origin.folder / file).exists()]
        return (
            f"{origin.name} is not in {origin.folder} and {(absent or origin.files)[0]} could not "
            f"be downloaded from {origin.host or urlparse(origin.url).netloc} ({text}): {by_hand}"
        )
    return (
        f"The files of {origin.name} in {origin.folder} are damaged ({text}): remove them to "
        f"download them again, or {by_hand}"
    )


def load_cifar(kind: Any, name: str, root: Path, split: str) -> DataSet:
    """One split of torchvision's class `kind` at 32x32."""
    origin = Origin(name, kind.url, (kind.filename,), root)
    data = read(lambda: kind(root, train=split == "train", download=True), origin)
    return DataSet(
        name,
        to_tensor(data.data.transpose(0, 3, 1, 2)),
        torch.tensor(data.targets),
        None,
        tuple(data.classes),
        {"source": kind.url},
    )
