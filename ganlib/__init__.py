"""ganlib: train, compare and understand generative adversarial networks.

`ganlib.train(algorithm="sngan")` trains, `ganlib.load("snapshot.pt").sample(64, seed=0)` samples.
A method's folder is made of Algorithm, AlgorithmConfig, Generator, perhaps of several Parts, and
Updater; an extension of Extension and every(). Here every folder is a method, but for the rooms of
the machine: commands, runs, sampling, speed, training, and for common and evaluation, which lie at
the top of the repository.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganlib.moved import Moved

if TYPE_CHECKING:
    from ganlib.common.errors import UserError as UserError
    from ganlib.common.generator import Generator as Generator
    from ganlib.common.generator import Part as Part
    from ganlib.config import AlgorithmConfig as AlgorithmConfig
    from ganlib.registry import Algorithm as Algorithm
    from ganlib.runs.from_python import train as train
    from ganlib.runs.from_python import train_grid as train_grid
    from ganlib.sampling.loading import load as load
    from ganlib.sampling.model import Model as Model
    from ganlib.training.trainer import Extension as Extension
    from ganlib.training.trainer import every as every
    from ganlib.training.updater import Updater as Updater

__version__ = "0.2.0"

_HOME = {
    "Algorithm": "ganlib.registry",
    "AlgorithmConfig": "ganlib.config",
    "Extension": "ganlib.training.trainer",
    "Generator": "ganlib.common.generator",
    "Model": "ganlib.sampling.model",
    "Part": "ganlib.common.generator",
    "Updater": "ganlib.training.updater",
    "UserError": "ganlib.common.errors",
    "every": "ganlib.training.trainer",
    "load": "ganlib.sampling.loading",
    "train": "ganlib.runs.from_python",
    "train_grid": "ganlib.runs.from_python",
}
__all__ = [*_HOME, "updater"]


_HERE = Path(__file__).parent
if not (_HERE / "common").is_dir():
    # a checkout without links (Windows): common/ and evaluation/ lie beside this folder
    __path__.append(str(_HERE.parent))
sys.meta_path.append(Moved())


def __getattr__(name: str) -> Any:
    # torch takes seconds to import, and `--list` needs none of it
    from importlib import import_module

    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    if name in __all__:
        return import_module(f"ganlib.{name}")
    raise AttributeError(f"module 'ganlib' has no attribute '{name}'")


def __dir__() -> list[str]:
    # what is for users: completion and help() show it
    return [*__all__, "__version__"]
