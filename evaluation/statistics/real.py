"""The real images that samples are compared with, and what is known of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeAlias

import torch
from torch import Tensor

from ganlib.common.data import DataSet, Images
from ganlib.common.errors import UserError
from ganlib.evaluation.extractors.base import Extractor
from ganlib.evaluation.protocol import Origin

Real: TypeAlias = Images | DataSet | tuple[Images, Tensor]
"""Images; a data set, which may have labels; or images and their labels, int64 (N,)."""


def real_set(name: str, reference: Real) -> DataSet:
    """As a data set; classes without names are called by number."""
    if isinstance(reference, DataSet):
        return reference
    if not isinstance(reference, tuple):
        return DataSet(name, reference)
    x, y = reference
    if y.dtype != torch.int64 or y.shape != (len(x),) or not len(y) or int(y.min()) < 0:
        raise UserError(
            f"The labels of the reference '{name}' are {y.dtype} {tuple(y.shape)}: give {len(x)} "
            "int64 from 0 on, one for each image."
        )
    return DataSet(name, x, y, classes=tuple(map(str, range(int(y.max()) + 1))))


TO_COME = torch.empty(0, dtype=torch.int64)
"""The labels of images that will have some and are not there yet."""


@dataclass(frozen=True)
class Inputs:
    """What there is before anything is computed.

    real: the real images by the name of their split. main: the split that single images are
    compared with. origin: of the images that are scored. labels: int64 (n,) of the first of them,
    as far as they are known; None if they have none.
    """

    extractor: Extractor
    real: Mapping[str, DataSet]
    main: str
    origin: Origin = Origin()
    labels: Tensor | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """What the real images' classes are called; () if they have no labels."""
        main = self.real[self.main]
        return () if main.y is None else main.classes

    @property
    def test(self) -> DataSet | None:
        """The test images, if there are some with labels of these classes."""
        data = self.real.get("test")
        if data is None or data.y is None or not self.classes:
            return None
        # of classes without names those that no image has may be missing at the end
        alike = all(a == b for a, b in zip(data.classes, self.classes, strict=False))
        return data if alike else None

    @property
    def strangers(self) -> tuple[str, ...]:
        """Those classes of the images that the real ones do not have."""
        return tuple(name for name in self.origin.classes if name not in self.classes)

    def renumbering(self) -> Tensor | None:
        """The real images' number of each of the images' classes, int64 (K,); None where the
        numbers are the same, or where some class has none.
        """
        names = self.origin.classes
        if not names or self.strangers or names == self.classes[: len(names)]:
            return None
        return torch.tensor([self.classes.index(name) for name in names])


def labels_digest(data: DataSet) -> str:
    """12 hexadecimal digits of the labels and what they are called."""
    assert data.y is not None
    digest = sha256(repr(data.classes).encode())
    digest.update(data.y.cpu().contiguous().numpy().data)
    return digest.hexdigest()[:12]
