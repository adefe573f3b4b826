"""Square crops out of image files of any sizes, decoded when they are asked for."""

import warnings
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from ganlib.common.crops import centres, corners
from ganlib.common.datasets._blocks import Item, in_threads
from ganlib.common.datasets._decode import Pixels, Unusable, crop, whole
from ganlib.common.errors import UserError

T = TypeVar("T")


class FileCrops:
    """uint8 crops (N, channels, size, size) of the files, each as large as it is."""

    def __init__(self, items: Sequence[Item], channels: int, size: int) -> None:
        self.items, self.channels, self.size = items, channels, size

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, channels, size, size)."""
        return len(self.items), self.channels, self.size, self.size

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: Tensor) -> Tensor:
        return self.crops(index, centres(len(index)))

    def crops(self, index: Tensor, places: Tensor) -> Tensor:
        """uint8 (n, channels, size, size) at the places (n, 2); UserError if a file is damaged."""
        result = np.empty((len(index), *self.shape[1:]), dtype=np.uint8)
        with warnings.catch_warnings():  # of PIL, about files that it reads all the same
            warnings.simplefilter("ignore")
            for i, number in enumerate(index.tolist()):
                result[i] = self._crop(self.items[number], places[i])
        return torch.from_numpy(result)

    def uncut(self, index: Tensor, look: Callable[[Tensor], T]) -> tuple[Tensor, list[T]]:
        """See Uncut; a file is decoded once."""

        def both(number: int) -> tuple[Tensor, T]:
            image = self._whole(self.items[number])
            free = image.shape[1] - self.size, image.shape[2] - self.size
            top, left = map(int, corners(centres(1), free))
            crop = image[:, top : top + self.size, left : left + self.size].clone()
            return crop, look(image)

        ((_, found),) = in_threads(both, index.tolist(), len(index))
        return torch.stack([crop for crop, _ in found]), [seen for _, seen in found]

    def _whole(self, item: Item) -> Tensor:
        try:
            return torch.from_numpy(whole(item.source, self.channels))
        except Unusable as error:
            raise _useless(item, error) from None

    def _crop(self, item: Item, place: Tensor) -> Pixels:
        try:
            return crop(item.source, self.channels, self.size, place)
        except Unusable as error:
            raise _useless(item, error) from None


def _useless(item: Item, error: Unusable) -> UserError:
    return UserError(
        f"{item.name} cannot be used, it is {error}: mend it to go on, or start anew without it."
    )
