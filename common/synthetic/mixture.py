"""Points from a mixture of Gaussians of equal weight, whose modes can be counted in samples."""

import torch

from ganlib.common.data import DataSet, Mixture
from ganlib.common.errors import UserError
from ganlib.common.pictures import to_uint8
from ganlib.common.seeds import generator

LENGTH = {"train": 50_000, "test": 10_000}
STD = 0.025  # three of the 256 levels, which are 1 / 127.5 apart


def load_mixture(name: str, centres: torch.Tensor, split: str, size: int | None) -> DataSet:
    """One split of points around `centres` (K, 2) as images (2, 1, 1), labelled by mode.

    Every mode has the same number of points if K divides LENGTH. Always the same ones: a seed
    follows from the name and the split. UserError if a size is asked for.
    """
    if size is not None:
        raise UserError(f"{name} holds points, which have no size: leave --size out.")
    n, k = LENGTH[split], len(centres)
    y = torch.arange(n) % k
    noise = torch.randn(n, 2, generator=generator(name, split), dtype=torch.float64)
    x = to_uint8(centres.double()[y] + STD * noise)
    classes = tuple(f"mode {i}" for i in range(k))
    provenance = {"source": f"made: {k} Gaussians of standard deviation {STD} in [-1, 1]^2"}
    mixture = Mixture(centres, STD)
    return DataSet(name, x[..., None, None], y, None, classes, provenance, mixture)
