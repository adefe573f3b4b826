"""What tells whether two data sets are the same, wherever they lie."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import torch
from torch import Tensor

from ganlib.common.data.crops import Uncut, read, readable
from ganlib.common.data.spec import DataSet, Images

SPREAD = 256  # images that are looked at, evenly from the first to the last
SIZES = ("count", "shape")


def fingerprint(data: DataSet) -> dict[str, Any]:
    """Count, shape, labels, names of classes and SPREAD images of a data set, as plain types for a
    snapshot.

    Contents are SHA-256, hexadecimal, None where there are none; pairing is whether source i
    belongs to image i. Sources are those of the same SPREAD images; of an unpaired set, SPREAD of
    its own. Of crops the middles are looked at, and around them all of what they are cut out of.
    """
    images, uncut_images = _looked(data.x, len(data))
    sources, uncut_sources = _looked(data.source, len(data))
    return {
        "count": len(data),
        "shape": list(data.shape),
        "images": images,
        "images around the crops": uncut_images,
        "labels": None if data.y is None else _digest(data.y),
        "class names": sha256("\0".join(data.classes).encode()).hexdigest(),
        "sources": sources,
        "sources around the crops": uncut_sources,
        "pairing": data.paired,
    }


def changes(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What differs between two fingerprints, in words; "" if nothing does. What an older ganlib did
    not look at is taken to be the same.
    """
    other = [name for name, value in now.items() if then.get(name, value) != value]
    sizes = [f"{n} was {then[n]} and is now {now[n]}" for n in SIZES if n in other]
    # of data of other sizes, the contents differ in any case
    return ", ".join(sizes or (f"other {name}" for name in other))


def _looked(images: Images | None, count: int) -> tuple[str | None, str | None]:
    """The digests of SPREAD images or sources, whose number is in it if it is not the images'
    `count`, and of what they are cut out of.
    """
    if images is None:
        return None, None
    n = len(images)
    index = torch.linspace(0, n - 1, min(SPREAD, n), dtype=torch.float64).long()
    more = "" if n == count else f" of {n}"
    if not isinstance(images, Uncut):
        return _digest(read(images, index), more), None
    with readable():
        crops, whole = images.uncut(index, _digest)
    return _digest(crops, more), sha256("".join(whole).encode()).hexdigest()


def _digest(values: Tensor, more: str = "") -> str:
    digest = sha256(f"{values.dtype} {tuple(values.shape)}{more}".encode())
    digest.update(values.cpu().contiguous().numpy().data)
    return digest.hexdigest()
