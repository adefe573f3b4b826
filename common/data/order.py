"""In which order the images of an epoch come, which are mirrored, and where they are cut."""

from typing import NamedTuple

import torch
from torch import Tensor

from ganlib.common.data.transfer import upload
from ganlib.common.seeds import generator


class Rows(NamedTuple):
    """Which images. here: int64 (n,) on the CPU; there: the same on the loader's device; flips:
    bool (n,) on the device, which of them are mirrored; crops, jitter: (n, 2) on the CPU, at which
    places they are cut: see common/data/crops.py.
    """

    here: Tensor
    there: Tensor
    flips: Tensor
    crops: Tensor
    jitter: Tensor


class Order:
    """Epoch after epoch of `length` images, each once, in an order (and with flips and places)
    that follows from `seed` and the number of the epoch.
    """

    def __init__(self, length: int, *seed: int | str) -> None:
        self.length, self.seed = length, seed
        self._epoch: tuple[int, torch.device] | None = None  # what _rows is of
        self._rows = Rows(*5 * [torch.empty(0)])

    def rows(self, start: int, n: int, device: torch.device) -> Rows:
        """Those of n images from number `start` on, counted from the first epoch's first."""
        parts = []
        while n:
            epoch, offset = divmod(start, self.length)
            self._shuffle(epoch, device)
            parts.append(Rows(*(values[offset : offset + n] for values in self._rows)))
            taken = len(parts[-1].here)
            start, n = start + taken, n - taken
        return parts[0] if len(parts) == 1 else Rows(*map(torch.cat, zip(*parts, strict=True)))

    def _shuffle(self, epoch: int, device: torch.device) -> None:
        """Draw an epoch on the CPU, where it is the same for every device."""
        if self._epoch != (epoch, device):
            random = generator(*self.seed, epoch)
            order = torch.randperm(self.length, generator=random)
            flips = torch.rand(self.length, generator=random) < 0.5
            places = torch.rand(2, self.length, 2, generator=random)
            self._rows = Rows(order, upload(order, device), upload(flips, device), *places)
            self._epoch = epoch, device
