"""A trained generator, from a snapshot file alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from ganlib.common.data import DataSpec
from ganlib.common.errors import UserError
from ganlib.common.pictures import grid
from ganlib.config import RunConfig
from ganlib.registry import algorithms
from ganlib.training import assembly, devices
from ganlib.training.snapshot import read_snapshot, snapshot_at
from ganlib.training.updater import Updater


class Model:
    """What a run leaves behind: sample(), grid(), latents() and decode().

    settings: every setting of the run by name. out: the run's folder. images: how many real images
    training saw, None if that is not known.
    """

    def __init__(
        self,
        updater: Updater,
        settings: Mapping[str, Any],
        out: Path,
        images: int | None = None,
    ) -> None:
        self.updater, self.settings, self.out, self.images = updater, settings, out, images

    @property
    def spec(self) -> DataSpec:
        """The shapes of the images."""
        return self.updater.spec

    def sample(
        self, n: int, seed: int = 0, batch_size: int = 256, truncation: float | None = None
    ) -> Tensor:
        """n images, float (n, C, H, W) in [-1, 1] on the CPU; image i depends on (seed, i)."""
        batches = self.updater.sample(n, seed, batch_size, truncation)
        return torch.cat([batch.cpu() for batch in batches])

    def grid(self, n: int = 64, seed: int = 0, truncation: float | None = None) -> Image.Image:
        """n images in one picture; a notebook shows it."""
        return grid(self.sample(n, seed, truncation=truncation))

    def latents(self, numbers: list[int], seed: int = 0) -> tuple[Tensor, Tensor | None]:
        """Latents and conditions of the samples with these numbers in sample(..., seed)."""
        return self.updater.latents(numbers, seed)

    def decode(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Images for latents, float (n, C, H, W) in [-1, 1] on the CPU."""
        return self.updater.decode(z, y).cpu()


def load(path: str | Path, device: str | None = None) -> Model:
    """The model in a snapshot file (or the newest in a run's folder), on the CPU unless told
    otherwise.

    Raises UserError if the file is damaged, from another version, or of an algorithm that is not
    registered.
    """
    path = snapshot_at(Path(path))
    content = read_snapshot(path)
    settings, state = content["settings"], content["updater"]
    if settings["algorithm"] not in algorithms.names():
        raise UserError(
            f"{path} was made by '{settings['algorithm']}', which is not registered here; "
            "give --plugin-dir with its folder."
        )
    try:
        updater = assemble(settings, content["spec"], device)
        updater.load_state_dict(state["modules"])
    except (ValueError, RuntimeError) as error:
        raise UserError(
            f"{path} does not fit '{settings['algorithm']}' as it is here: "
            "its settings or its networks have changed since."
        ) from error
    updater.iteration = state["iteration"]
    return Model(updater, settings, path.parent.parent, state["positions"].get(""))


def assemble(settings: Mapping[str, Any], spec: DataSpec, device: str | None = None) -> Updater:
    """An updater without data, its weights still random, on the CPU unless told otherwise.

    Raises pydantic.ValidationError, a ValueError, for settings that the algorithm does not have.
    """
    algorithm = algorithms[settings["algorithm"]]
    config = algorithm.config(
        **{k: v for k, v in settings.items() if k not in RunConfig.model_fields}
    )
    place = devices.pick_device(None, device or "cpu")
    return assembly.assemble(algorithm, config, None, spec, place)
