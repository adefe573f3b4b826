"""ganlib: train, compare and understand generative adversarial networks.

`ganlib.train(algorithm="sngan")` trains, `ganlib.load("snapshot.pt").sample(64, seed=0)` samples.
Files in this folder are the machine, folders are the algorithms.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganlib.model import Model, load
    from ganlib.run import train

__version__ = "0.1.0"
__all__ = ["Model", "load", "train"]

_HOME = {"train": "ganlib.run", "load": "ganlib.model", "Model": "ganlib.model"}


def _refuse_foreign(name: str) -> None:
    """`common` and `evaluation` are plain names: say so at once if another package of that name
    comes first.
    """
    from importlib import import_module
    from pathlib import Path

    home = Path(__file__).parent.parent / name
    found = getattr(import_module(name), "__file__", None)
    if found is None or Path(found).parent.resolve() != home.resolve():
        raise ImportError(
            f"ganlib needs its own package '{name}' in {home}, but Python found {found} first."
        )


for _name in ("common", "evaluation"):
    _refuse_foreign(_name)


def __getattr__(name: str) -> Any:
    # torch takes seconds to import, and `--list` needs none of it
    if name in _HOME:
        from importlib import import_module

        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'ganlib' has no attribute '{name}'")
