"""What update_core() returns, checked without a look at any value."""

from torch import Tensor

from ganlib.common.errors import UserError


def checked(values: object) -> dict[str, Tensor]:
    """The values as they are; UserError for what is no dict of 0-dim tensors."""
    if not isinstance(values, dict):
        raise UserError(
            f"update_core() returned {_words(values)}: return a dict of the 0-dim tensors to log, "
            'as {"loss_gen": loss_gen}, or {} for none.'
        )
    for name, value in values.items():
        if not isinstance(value, Tensor):
            raise UserError(
                f"update_core() returned {_words(value)} as '{name}': return the tensor itself, "
                "without .item()."
            )
        if value.dim():
            raise UserError(
                f"update_core() returned a tensor {tuple(value.shape)} as '{name}': return its "
                "mean, which is 0-dim, without .item()."
            )
    return values


def _words(value: object) -> str:
    return "None" if value is None else f"something of the type {type(value).__name__}"
