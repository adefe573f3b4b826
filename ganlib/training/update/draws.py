"""The random numbers of a batch, the same however the batch is shared."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ganlib.common.errors import UserError
from ganlib.training.update.accumulation import Passes


class Draws:
    """Draws for whole batches, of which the pass that runs is given the rows of its share.

    All shares ask for the same draws in the same order. The first pass to ask makes one; other
    ranks make the same, as their generators have the same seed. like: the tensor whose device and
    dtype are those of the draws.
    """

    def __init__(self, passes: Passes, like: Callable[[], Tensor]) -> None:
        self._passes, self._like = passes, like
        self._generator = torch.Generator()
        self._bounds: Tensor | None = None  # between the classes' parts of [0, 1)
        self._whole: list[Tensor] = []  # in order
        self._taken: list[int] = []  # how many of them each pass has had rows of

    @property
    def generator(self) -> torch.Generator:
        """What all draws are made with, on their device."""
        device = self._like().device
        if self._generator.device != device:
            self._generator = torch.Generator(device)
        return self._generator

    def restart(self) -> None:
        """Before the passes of an iteration: none has drawn."""
        self._whole, self._taken = [], [0] * self._passes.count

    def filled(self, fill: Callable[..., Tensor], n: int, *shape: int) -> Tensor:
        """(n, *shape), filled by `fill`, as Tensor.normal_; n counts rows."""
        return self.rows(
            n, lambda m, random: fill(self._like().new_empty(m, *shape), generator=random)
        )

    def labels(self, n: int, marginal: Sequence[float]) -> Tensor:
        """int64 (n,): class k with the probability marginal[k]; UserError if there is none."""
        bounds, device = self.place_bounds(marginal), self._like().device
        if bounds is None:
            raise UserError("This algorithm draws labels and the data set has none.")
        return self.rows(
            n, lambda m, random: torch.bucketize(_uniform(m, device, random), bounds, right=True)
        )

    def place_bounds(self, marginal: Sequence[float]) -> Tensor | None:
        """What labels() looks up, on the device: made before an iteration, whose own memory may be
        that of a graph. None if there are no classes.
        """
        device = self._like().device
        if marginal and (self._bounds is None or self._bounds.device != device):
            # the last class takes what is left, so that rounding leaves no gap above it
            bounds = torch.tensor(marginal, dtype=torch.float64).cumsum(0)[:-1]
            self._bounds = bounds.float().to(device)
        return self._bounds

    def rows(self, n: int, draw: Callable[[int, torch.Generator], Tensor]) -> Tensor:
        """n rows of draw(m, generator), m the rows that all shares have together."""
        of, current = self._passes.shares, self._passes.current
        if of == 1:
            return draw(n, self.generator)
        k = self._taken[current]
        self._taken[current] += 1
        if k == len(self._whole):
            self._whole.append(draw(n * of, self.generator))
        first = n * self._passes.share(current)
        return self._whole[k][first : first + n]


def _uniform(n: int, device: torch.device, random: torch.Generator) -> Tensor:
    return torch.rand(n, device=device, dtype=torch.float32, generator=random)
