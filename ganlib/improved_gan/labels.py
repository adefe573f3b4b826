"""The few images whose labels are known."""

import torch

from ganlib.common.data import DataSet
from ganlib.common.data.condition import check_labels
from ganlib.common.errors import UserError
from ganlib.common.seeds import generator


def labelled_subset(data: DataSet, n_labels: int, seed: int) -> DataSet:
    """`n_labels` images of `data` with their labels, evenly by class; which ones follows from the
    seed.

    The first classes get one more where the number does not divide; a class with too few images
    gives all. UserError if `data` has no labels, or more classes than `n_labels`.
    """
    check_labels(data)
    assert data.y is not None
    n_classes = len(data.classes)
    if n_labels < n_classes:
        raise UserError(
            f"n_labels is {n_labels}, but '{data.name}' has {n_classes} classes and each needs a "
            "label."
        )
    order = torch.randperm(len(data), generator=generator(seed, "labels"))
    y = data.y[order]
    few, more = divmod(n_labels, n_classes)
    index = torch.cat([order[y == c][: few + (c < more)] for c in range(n_classes)])
    return DataSet(data.name, data.x[index], data.y[index], classes=data.classes)
