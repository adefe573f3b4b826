"""Images that are each made of their number when they are asked for."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganlib.common.data.spec import Lazy


class Made(Lazy):
    """Images or ids of this shape (N, C, H, W); make: of a number, (C, H, W)."""

    def __init__(self, make: Callable[[int], NDArray[Any]], *shape: int) -> None:
        self.make, self.shape = make, shape

    def __getitem__(self, index: Tensor) -> Tensor:
        return torch.from_numpy(np.stack([self.make(number) for number in index.tolist()]))
