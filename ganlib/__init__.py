"""ganlib: train, compare and understand generative adversarial networks.

`ganlib.train(algorithm="sngan")` trains, `ganlib.load("snapshot.pt").sample(64, seed=0)` samples.
A method's folder is made of Algorithm, AlgorithmConfig, Generator and Updater; an extension of
Extension and every(). Here every folder is a method, but for the rooms of the machine: commands,
runs, sampling, speed, training.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from common.net import Generator
    from ganlib.config import AlgorithmConfig
    from ganlib.registry import Algorithm
    from ganlib.runs.run import train
    from ganlib.sampling.model import Model, load
    from ganlib.training import updater
    from ganlib.training.trainer import Extension, every
    from ganlib.training.updater import Updater

__version__ = "0.1.0"
__all__ = [
    "Algorithm",
    "AlgorithmConfig",
    "Extension",
    "Generator",
    "Model",
    "Updater",
    "every",
    "load",
    "train",
    "updater",
]

_HOME = {
    "Algorithm": "ganlib.registry",
    "AlgorithmConfig": "ganlib.config",
    "Extension": "ganlib.training.trainer",
    "Generator": "common.net",
    "Model": "ganlib.sampling.model",
    "Updater": "ganlib.training.updater",
    "every": "ganlib.training.trainer",
    "load": "ganlib.sampling.model",
    "train": "ganlib.runs.run",
}


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
    if name == "updater":  # a method writes `class Updater(updater.Updater)`
        from importlib import import_module

        return import_module("ganlib.training.updater")
    raise AttributeError(f"module 'ganlib' has no attribute '{name}'")
