"""The central registry: every folder of ganlib/ that holds an updater.py is an algorithm."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.registry import Registry, modules, packages

if TYPE_CHECKING:
    from torch import nn

    from common.data import DataSpec
    from ganlib.config import AlgorithmConfig
    from ganlib.trainer import Extension
    from ganlib.updater import Updater


@dataclass(frozen=True)
class Algorithm:
    """What a folder declares as ALGORITHM.

    config: its settings. build(config, spec): its networks by name, "gen" among them. updater: its
    training. unmoved: parameters that no update can move, as {"dis.l4.bias": "the reason"}, for the
    contract test.
    """

    config: "type[AlgorithmConfig]"
    build: "Callable[[Any, DataSpec], dict[str, nn.Module]]"
    updater: "type[Updater]"
    unmoved: "Callable[[Any], dict[str, str]]" = lambda config: {}


algorithms: Registry[Algorithm] = Registry(
    "algorithm", "ganlib", "ALGORITHM", packages("updater.py"), "ganlib.algorithms"
)
extensions: "Registry[Callable[[dict[str, Any]], Extension]]" = Registry(
    "extension", "ganlib.extensions", "make", modules, "ganlib.extensions"
)


def add_plugins(folder: Path) -> None:
    """Register a folder laid out as ganlib is: algorithms in folders, more in datasets/ and
    extensions/.
    """
    from common.sources import datasets

    from common.errors import UserError

    folder = folder.resolve()
    if not folder.is_dir():
        raise UserError(f"There is no plugin folder {folder}.")
    algorithms.add_folder(folder)
    if (folder / "datasets").is_dir():
        datasets.add_folder(folder / "datasets")
    if (folder / "extensions").is_dir():
        extensions.add_folder(folder / "extensions")
