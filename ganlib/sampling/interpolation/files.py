"""Walks through what a generator is given, as a strip of pictures or as a film."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

import torch
from torch import Tensor

from ganlib.common.io.console import progress
from ganlib.common.io.files import output
from ganlib.common.pictures import frames as films
from ganlib.common.pictures import grid, save, save_animation
from ganlib.sampling.interpolation.segments import Legs, Space, between_classes, between_samples
from ganlib.sampling.model import Model
from ganlib.training.device.memory import require
from ganlib.training.samples.sample_stream import Series

AT_ONCE = 256  # images


@dataclass(frozen=True)
class Walk:
    """Between the samples with the numbers `stops` of a seed, told one class if `told` is given; or
    with `classes` from one to the next of these at each of the stops. frames: of each leg, both
    ends included.
    """

    stops: Sequence[int]
    seed: int
    frames: int
    space: Space = "z"
    classes: Sequence[int] = ()
    told: int | None = None

    @property
    def legs(self) -> int:
        """How many there are."""
        return (len(self.classes) - 1) * len(self.stops) if self.classes else len(self.stops) - 1

    def closed(self) -> "Walk":
        """The same back to where it began."""
        if self.classes:
            return replace(self, classes=_closed(self.classes))
        return replace(self, stops=_closed(self.stops))


def write_walk(model: Model, walk: Walk, out: Path) -> None:
    """A .png with a row for each leg; or a film of all legs that ends where it began."""
    if out.suffix.lower() == ".png":
        strip = grid(images(model, walk).flatten(0, 1), walk.frames)
        with output(out):
            save(strip, out)
        return
    # Without the last picture of each leg, which is the first one of the next.
    film = films(images(model, walk.closed())[:, :-1].flatten(0, 1))
    with output(out):
        save_animation(film, out)


def images(model: Model, walk: Walk) -> Tensor:
    """Of the whole walk, (legs, frames, C, H, W)."""
    numbers = prod(model.spec.image) + model.updater.shown.n_hidden
    require(4 * walk.legs * walk.frames * numbers, "Frames", "give a smaller --frames")
    series, how = model.updater.series(walk.seed, y=walk.told), (walk.frames, walk.space)
    if not walk.classes:
        return _shown(series, between_samples(series, walk.stops, *how), walk.space)
    parts = [between_classes(series, number, walk.classes, *how) for number in walk.stops]
    return torch.cat([_shown(series, legs, walk.space) for legs in parts])


def _shown(series: Series, legs: Legs, space: Space) -> Tensor:
    path, y = legs.path.flatten(0, 1), None if legs.y is None else legs.y.flatten(0, 1)
    show, shown = series.draw if space == "code" else series.decode, []
    with progress("decoding", len(path)) as advance:
        for start in range(0, len(path), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            shown.append(show(path[part], None if y is None else y[part]).cpu())
            advance(len(shown[-1]))
    x = torch.cat(shown)
    return x.reshape(*legs.path.shape[:2], *x.shape[1:])


def _closed(stops: Sequence[int]) -> Sequence[int]:
    return stops if stops[0] == stops[-1] else [*stops, stops[0]]
