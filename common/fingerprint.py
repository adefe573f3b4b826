"""What tells whether two data sets are the same, wherever they lie."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import torch
from torch import Tensor

from ganlib.common.ahead import read
from ganlib.common.spec import DataSet, Images

SPREAD = 256  # images that are looked at, evenly from the first to the last
SIZES = ("count", "shape")
CONTENTS = ("images", "labels", "sources")


def fingerprint(data: DataSet) -> dict[str, Any]:
    """Count, shape, labels and SPREAD images of a data set, as plain types for a snapshot.

    images, labels and sources (those of the same SPREAD images; of an unpaired set, SPREAD of its
    own) are SHA-256, hexadecimal; None where there are none.
    """
    return {
        "count": len(data),
        "shape": list(data.shape),
        "images": _pixels(data.x, len(data)),
        "labels": None if data.y is None else _digest(data.y),
        "sources": None if data.source is None else _pixels(data.source, len(data)),
    }


def changes(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What differs between two fingerprints, in words; "" if nothing does."""
    sizes = [f"{n} was {then.get(n)} and is now {now[n]}" for n in SIZES if then.get(n) != now[n]]
    # of data of other sizes, the contents differ in any case
    contents = [f"other {n}" for n in CONTENTS if then.get(n) != now[n]]
    return ", ".join(sizes or contents)


def _pixels(images: Images, count: int) -> str:
    """Of images or sources, whose number is in the digest if it is not the images' `count`."""
    n = len(images)
    index = torch.linspace(0, n - 1, min(SPREAD, n), dtype=torch.float64).long()
    return _digest(read(images, index), "" if n == count else f" of {n}")


def _digest(values: Tensor, more: str = "") -> str:
    digest = sha256(f"{values.dtype} {tuple(values.shape)}{more}".encode())
    digest.update(values.cpu().contiguous().numpy().data)
    return digest.hexdigest()
