"""Import paths of before, by which methods and plugins were written: they work, and warn."""

import sys
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, TypeVar

T = TypeVar("T")

MOVED = {
    "commands.export": "commands.sampling.export",
    "commands.interpolate": "commands.sampling.interpolate",
    "commands.sample": "commands.sampling.sample",
    "commands.translate": "commands.sampling.translate",
    "common.attention": "common.layers.attention",
    "common.class_input": "common.layers.conditional",
    "common.class_norm": "common.layers.conditional",
    "common.condition": "common.data.condition",
    "common.encoders": "common.networks.dcgan",
    "common.equalized": "common.layers.progressive",
    "common.futures": "common.sources.futures",
    "common.hdf5": "common.formats.hdf5 common.formats.hdf5_writing",
    "common.init": "common.layers.init",
    "common.label_maps": "common.layers.label_maps",
    "common.labels": "common.layers.basic",
    "common.minibatch_deviation": "common.layers.progressive",
    "common.mlp": "common.networks.mlp",
    "common.net": "common.generator common.networks.dcgan",
    "common.noise": "common.layers.basic",
    "common.open_dataset": "common.query",
    "common.patchgan": "common.networks.patchgan",
    "common.pixel_norm": "common.layers.progressive",
    "common.pool": "common.data.pool",
    "common.projection": "common.layers.conditional",
    "common.quick": "common.networks.quick",
    "common.resnet": "common.networks.resnet",
    "common.salimans": "common.networks.salimans",
    "common.spec": "common.data.spec",
    "common.spectral_norm": "common.layers.spectral_norm",
    "common.translator": "common.networks.translator",
    "common.vgg": "common.networks.vgg",
    "common.weight_norm": "common.layers.weight_norm",
    "evaluation.features": "evaluation.extractors.base",
    "evaluation.metric": "evaluation.metrics.base",
    "runs.watching.server": "common.io.server",
    "sampling.export": "sampling.exports.export",
    "sampling.interpolation.segments": "sampling.interpolation",
    "speed.precision": "speed.accelerate",
    "training.extensions.announce": "training.extensions.reports",
    "training.extensions.evaluate": "training.extensions.checks",
    "training.extensions.finite_guard": "training.extensions.checks",
    "training.extensions.log_report": "training.extensions.reports",
    "training.extensions.named_score": "training.extensions.checks",
    "training.extensions.notebook": "training.extensions.reports",
    "training.extensions.progress_bar": "training.extensions.reports",
    "training.extensions.snapshot": "training.snapshot",
    "training.extensions.unmoved": "training.extensions.checks",
    "training.prediction": "training.bases.predicting",
    "training.ranks": "training.device.ranks",
    "training.reconstruction": "training.bases.reconstructing",
    "training.scoring": "training.scores.scorer",
    "training.stages": "training.update.streams",
}
"""Where what a module of ganlib held is now, in one module or in several."""


class Moved(MetaPathFinder, Loader):
    """Finds modules by their old names, if it comes last: once nothing has the name."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package, _, name = fullname.partition(".")
        return ModuleSpec(fullname, self) if package == "ganlib" and name in MOVED else None

    def exec_module(self, module: ModuleType) -> None:
        homes = [f"ganlib.{home}" for home in MOVED[module.__name__.partition(".")[2]].split()]

        def find(name: str) -> Any:
            with warnings.catch_warnings():  # that it is called otherwise now, too
                warnings.simplefilter("ignore", FutureWarning)
                for home in map(import_module, homes):
                    if hasattr(home, name):
                        return getattr(home, name)
            raise AttributeError(f"module '{module.__name__}' has no attribute '{name}'")

        vars(module)["__getattr__"] = find
        words = f"{module.__name__} has moved: import from {' or '.join(homes)}"
        warnings.warn(words, FutureWarning, stacklevel=2)


class Renamed:
    """An attribute by the name that it had before: it works, and warns."""

    def __init__(self, new: str) -> None:
        self.new = new

    def __set_name__(self, owner: type, name: str) -> None:
        self.old = name

    def __get__(self, one: Any, owner: type) -> Any:
        return now_called(self.old, self.new, getattr(owner if one is None else one, self.new))


def renamed(module: str, **names: str) -> Callable[[str], Any]:
    """A module's __getattr__ that finds what it held by other names: old="new"."""

    def find(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module '{module}' has no attribute '{name}'")
        return now_called(name, names[name], getattr(sys.modules[module], names[name]))

    return find


def now_called(old: str, new: str, value: T) -> T:
    """`value`, which was asked for by a name of before; warns."""
    warnings.warn(f"'{old}' is called '{new}' now", FutureWarning, stacklevel=3)
    return value
