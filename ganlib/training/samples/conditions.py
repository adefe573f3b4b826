"""What samples may be asked to be of: classes in any form that a person has them, or sources."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ganlib.common.data import Condition, DataSpec
from ganlib.common.data.classes import find_class
from ganlib.common.errors import UserError

Conditions = int | str | Sequence[int | str] | Tensor
"""A class by number or name (see find_class) for all samples; a list of them, or int64 (n,), one
for each; float (n, n_classes), how much of each class; or (n, C', H', W'), source images.
"""


def as_condition(
    y: Conditions, condition: Condition, spec: DataSpec, names: Sequence[str]
) -> int | Tensor:
    """y with names of classes as numbers and lists as tensors; UserError if the generator does not
    take it.
    """
    if names:
        return _classes(y, names)
    if condition is None:
        raise UserError("This generator is told nothing but its latents: leave y out.")
    channels = None if spec.source is None else spec.source[0]
    if not isinstance(y, Tensor) or y.dim() != 4 or y.shape[1] != channels:
        raise UserError(f"This generator translates images: give y as (n, {channels}, H, W).")
    return y


def _classes(y: Conditions, names: Sequence[str]) -> int | Tensor:
    if isinstance(y, str):
        return find_class(y, names)
    if isinstance(y, list | tuple):
        return torch.tensor([find_class(word, names) for word in y], dtype=torch.int64)
    n_classes = len(names)
    if isinstance(y, Tensor) and y.is_floating_point():
        if y.dim() != 2 or y.shape[1] != n_classes:
            raise UserError(f"y is {tuple(y.shape)}: give (n, {n_classes}), a column for a class.")
        return y
    classes = torch.as_tensor(y)
    if classes.dtype != torch.int64 or classes.dim() != int(isinstance(y, Tensor)):
        raise UserError(
            "y is no class: give a name or a number, a list of them, int64 (n,), or float "
            "(n, n_classes)."
        )
    if classes.numel() and not 0 <= int(classes.min()) <= int(classes.max()) < n_classes:
        raise UserError(f"y is {y}: there are classes 0 to {n_classes - 1}.")
    return y if isinstance(y, Tensor) else int(classes)
