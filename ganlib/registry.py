"""The central registry: every folder of ganlib/ that declares an ALGORITHM is one."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from ganlib.common.errors import UserError
from ganlib.common.registry import Registry, having, packages

if TYPE_CHECKING:  # torch takes seconds to import, and a list of methods needs none of it
    import torch
    from torch import nn

    from ganlib.common.data import DataSet, DataSpec, Loader
    from ganlib.config import AlgorithmConfig
    from ganlib.training.trainer import Extension
    from ganlib.training.updater import Updater


@dataclass(frozen=True)
class Algorithm:
    """What a folder declares as ALGORITHM.

    config: its settings. build(config, spec): its networks by name, "gen" among them. updater: its
    training. unmoved: parameters that no update can move, as {"dis.l4.bias": "the reason"}, for the
    contract test. example: (channels, side) to a small data set to test and measure it on, where
    images with labels are not what it is for. small: settings with which a test of it is short.
    """

    config: "type[AlgorithmConfig]"
    build: "Callable[[Any, DataSpec], dict[str, nn.Module]]"
    updater: "type[Updater]"
    unmoved: "Callable[[Any], dict[str, str]]" = lambda config: {}
    example: "Callable[[int, int], DataSet] | None" = None
    small: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def networks(self, config: "AlgorithmConfig", spec: "DataSpec") -> "dict[str, nn.Module]":
        """build()'s networks, the discriminators' input augmented if the settings say so: of "dis"
        and of what is called "dis_...".

        Raises UserError where there is nothing to augment.
        """
        networks = self.build(config, spec)
        if config.augments:
            import torch

            from ganlib.common.augment import POLICIES, augment_input, augment_inputs

            wish = "ada" if config.ada else "diffaugment" if config.diffaugment else "ada_target"
            if config.ada and config.diffaugment:
                raise UserError("ada and diffaugment are two pipelines: leave one of them out.")
            if "dis" not in networks:
                raise UserError(f"This algorithm has no discriminator that {wish} could serve.")
            if spec.image[1:] == (1, 1):
                raise UserError(f"{wish} is for images, and these data are points.")
            wrap = augment_inputs if config.condition == "images" else augment_input
            policies, fixed = config.diffaugment or [*POLICIES], config.ada_p if config.ada else 1.0
            p = torch.zeros(()) if config.ada_target else fixed
            for name in [n for n in networks if n.partition("_")[0] == "dis"]:
                networks[name] = wrap(networks[name], policies, p, config.ada)
        return networks

    def assemble(
        self,
        config: "AlgorithmConfig",
        data: "Loader | None",
        spec: "DataSpec",
        device: "torch.device",
    ) -> "Updater":
        """The updater and its networks on a device, with weights from PyTorch's own generator.

        Raises UserError if the device has no memory for them.
        """
        from ganlib.training.device import devices

        nbytes = devices.size_of(lambda: self.networks(config, spec))
        devices.require(nbytes, "Networks", "give a smaller --width", device)
        networks = self.networks(config, spec)
        placed = {name: devices.place(network, device) for name, network in networks.items()}
        return self.updater(config, data, spec, placed).to(device)


ROOMS = ("commands", "common", "contract", "evaluation", "runs", "sampling", "speed", "training")
"""Folders of ganlib/ that are no algorithms, whose names none may have."""


class Algorithms(Registry[Algorithm]):
    """All algorithms, and a word for a folder that was meant as one."""

    def lack(self, home: Path, name: str) -> str:
        """The same of a folder of this name too, which was meant as an algorithm."""
        if name.isidentifier() and name not in ROOMS and (home / name).is_dir():
            return f"{home / name} has no __init__.py that assigns {self.attribute}"
        return super().lack(home, name)


algorithms = Algorithms(
    "algorithm",
    "ganlib",
    "ALGORITHM",
    having("ALGORITHM", packages),
    "ganlib.algorithms",
    Algorithm,
)
extensions: "Registry[Callable[[dict[str, Any]], Extension]]" = Registry(
    "extension", "ganlib.training.extensions", "make", having("make"), "ganlib.extensions"
)


def check_registered(path: Path, name: str) -> None:
    """UserError where what made the file is no algorithm here."""
    if name not in algorithms.names():
        raise UserError(
            f"{path} was made by '{name}', which is not registered here; "
            "give --plugin-dir with its folder."
        )


PLUGINS = {
    "datasets": "ganlib.common.query",
    "extensions": "ganlib.registry",
    "extractors": "ganlib.evaluation.extractors.base",
    "metrics": "ganlib.evaluation.metrics.base",
    "sources": "ganlib.common.sources.parse",
}
"""Folders of a plugin folder, with a file for each of theirs, and the module that has their
registry under the same name; some are slow to import.
"""


def add_plugins(*folders: Path) -> None:
    """Register folders of algorithms, and what is in the folders of PLUGINS in them."""
    for folder in map(Path.resolve, folders):
        if not folder.is_dir():
            raise UserError(f"There is no plugin folder {folder}.")
        for name, source in algorithms.find(folder):
            if name in ROOMS:
                raise UserError(f"{source.parent} is called as a room of ganlib is: rename it.")
        algorithms.add_folder(folder)
        for name, home in PLUGINS.items():
            if (folder / name).is_dir():
                getattr(import_module(home), name).add_folder(folder / name)


def in_a_method(file: str | Path | None) -> Path | None:
    """The folder of the algorithm that a file belongs to, if it belongs to one."""
    homes = {entry.source.parent for entry in algorithms.entries.values() if entry.source}
    return next((home for home in Path(file or "").parents if home in homes), None)


def own_line(frames: Iterable[tuple[FrameType, int]]) -> str:
    """The innermost of these frames, outermost first, that is an algorithm's own code, as
    "my_gan/updater.py:23"; "" if none is.
    """
    found = ""
    for frame, line in frames:
        file = frame.f_code.co_filename
        if (home := in_a_method(file)) is not None:
            found = f"{Path(file).relative_to(home.parent)}:{line}"
    return found
