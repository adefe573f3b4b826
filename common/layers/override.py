"""Other methods for one module."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn


def override(module: nn.Module, methods: Mapping[str, Callable[..., Any]]) -> None:
    """Give `module` these methods in place of its class's, by a subclass of its class.

    Not by attributes of the object, so that its parameters keep their names, and a copy of it is a
    copy: a bound method would go on with the original's weights.
    """
    kind = type(module)
    module.__class__ = type(kind.__name__, (kind,), {"__doc__": kind.__doc__, **methods})
