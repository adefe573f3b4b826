"""What a grid of a translator shows: held-out sources, what is made of them, and the truth."""

import torch
from torch import Tensor

from ganlib.common.data import DataSet
from ganlib.common.layers.noise import has_noise
from ganlib.common.pictures.colours import coloured_maps
from ganlib.training.scores.translations import several
from ganlib.training.updater import Updater

SHOWN = 24
"""Sources where no number is asked for."""
EACH = 3
"""Outputs for one source, of a generator that makes different ones."""


def shows_translations(updater: Updater) -> bool:
    """Whether it translates single pictures; sequences are shown as such."""
    spec = updater.spec
    single = spec.frames == spec.source_frames == 1
    return updater.config.condition in ("images", "unpaired") and single


def translations(
    updater: Updater,
    seed: int,
    n: int = SHOWN,
    truncation: float | None = None,
    statistics: str | None = None,
) -> dict[str, Tensor]:
    """Of at most n held-out sources of a seed, which are each shown once: by their titles columns
    of images (m, C, H, W), all of one shape, or (m, k, C, H, W), in [-1, 1] on the CPU.

    truncation, statistics: see Series.
    """
    held_out = updater.held_out
    series = updater.series(seed, truncation, statistics=statistics)
    n = min(n, n if held_out is None else held_out.n_sources)
    index = series.held(range(n)).cpu()
    assert held_out is not None
    data, columns = held_out.data, dict[str, Tensor]()
    columns["source"] = _pictures(data, index) / 127.5 - 1
    if has_noise(updater.shown):
        columns["outputs"] = several(updater, seed, n, EACH, truncation, statistics).cpu()
    else:
        columns["output"] = series.images(range(n)).cpu()
    if data.paired:
        columns["truth"] = data.x[index] / 127.5 - 1
    channels = max(x.shape[-3] for x in columns.values())
    size = columns["output" if "output" in columns else "outputs"].shape[-2:]
    return {name: _fitted(x, channels, size) for name, x in columns.items()}


def _pictures(data: DataSet, index: Tensor) -> Tensor:
    """Sources as they are, uint8 (n, 1 or 3, H', W'); of maps the classes in colours."""
    assert data.source is not None
    y = data.source[index]
    return y if data.source_kind == "image" else coloured_maps(y[:, 0])


def _fitted(x: Tensor, channels: int, size: torch.Size) -> Tensor:
    """Grey in all channels; smaller pictures with their pixels as squares."""
    if x.shape[-3] == 1:
        x = x.expand(*x.shape[:-3], channels, *x.shape[-2:])
    if x.shape[-2:] == size:
        return x
    return torch.nn.functional.interpolate(x, size, mode="nearest-exact")
