"""Square crops out of image files of any sizes, decoded when they are asked for."""

import warnings
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ganlib.common.crops import centres
from ganlib.common.datasets._blocks import Item
from ganlib.common.datasets._decode import Pixels, Unusable, crop
from ganlib.common.errors import UserError


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

    def _crop(self, item: Item, place: Tensor) -> Pixels:
        try:
            return crop(item.source, self.channels, self.size, place)
        except Unusable as error:
            raise UserError(
                f"{item.name} cannot be used, it is {error}: mend it to go on, or start anew "
                "without it."
            ) from None
