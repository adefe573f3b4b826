"""What the rows of a grid of samples are: a class each, or a held-out source each."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from ganlib.common.data import POINTS, DataSet
from ganlib.common.generator import has_noise
from ganlib.common.pictures.colours import coloured_maps
from ganlib.training.samples.sample_stream import BLOCK, Sampler, SampleStream
from ganlib.training.scores.pairs import several
from ganlib.training.updater import Updater

CLASSES = 16
"""Of more classes the first so many are shown where none are asked for."""
EACH = 8
"""Samples of each class where no number is asked for."""
SOURCES = 24
"""Sources where no number is asked for."""
OUTPUTS = 3
"""Outputs for one source, of a generator that makes different ones."""


def shown_classes(sampler: Sampler) -> list[int]:
    """The classes that a grid of samples has rows for; none if there are none to ask for, or of
    points, or of sequences, each of which is a row already.
    """
    spec = sampler.spec
    if spec.native == POINTS or spec.frames > 1:
        return []
    return list(range(min(CLASSES, len(sampler.classes))))


def parts(n: int | None, classes: int) -> list[int]:
    """How many of n samples each of so many classes has: equally many, and one more the first ones
    where they do not divide. None: EACH of each.
    """
    if n is None:
        return classes * [EACH]
    few, more = divmod(n, classes)
    return [few + (k < more) for k in range(classes)]


def class_rows(
    stream: SampleStream, classes: Sequence[int], n: int | None = None
) -> Iterator[tuple[str, Tensor]]:
    """Of each class its name and its share of n samples, float (m, C, H, W) in [-1, 1] on the CPU:
    samples 0, 1, ... of the stream, of this class. A class without a share is left out.
    """
    names = stream.networks.classes
    for k, m in zip(classes, parts(n, len(classes)), strict=True):
        of_class = stream.with_condition(k)
        blocks = [range(start, min(start + BLOCK, m)) for start in range(0, m, BLOCK)]
        if blocks:
            yield names[k], torch.cat([of_class.images(block).cpu() for block in blocks])


def shows_translations(updater: Updater) -> bool:
    """Whether it translates single pictures; sequences are shown as such."""
    spec = updater.spec
    single = spec.frames == spec.source_frames == 1
    return updater.config.condition in ("images", "unpaired") and single


def translations(
    updater: Updater,
    seed: int,
    n: int = SOURCES,
    truncation: float | None = None,
    statistics: str | None = None,
) -> dict[str, Tensor]:
    """Of at most n held-out sources of a seed, which are each shown once: by their titles columns
    of images (m, C, H, W), all of one shape, or (m, k, C, H, W), in [-1, 1] on the CPU.

    truncation, statistics: see SampleStream.
    """
    held_out = updater.held_out
    stream = updater.sample_stream(seed, truncation, statistics=statistics)
    n = min(n, n if held_out is None else held_out.n_sources)
    index = stream.held(range(n)).cpu()
    assert held_out is not None
    data, columns = held_out.data, dict[str, Tensor]()
    columns["source"] = _pictures(data, index) / 127.5 - 1
    if has_noise(updater.sampling_gen):
        columns["outputs"] = several(updater, seed, n, OUTPUTS, truncation, statistics).cpu()
    else:
        columns["output"] = stream.images(range(n)).cpu()
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
