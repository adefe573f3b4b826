"""What `ganlib evaluate` can score: a generator's samples, or images of any program."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganlib.commands.scores.options import Options
from ganlib.common.data import POINTS
from ganlib.common.errors import UserError
from ganlib.common.formats.arrays import ARRAYS
from ganlib.common.io.files import expand, reading
from ganlib.common.query import HDF5
from ganlib.evaluation import Origin
from ganlib.evaluation.formats import Batch, Pictures, Range, as_block, open_images
from ganlib.sampling.loading import is_export, load
from ganlib.sampling.model import Model
from ganlib.training.device.devices import require
from ganlib.training.scores.drawing import Drawing, origin_of
from ganlib.training.snapshot import list_snapshots, newest_snapshot, runs_in, snapshot_at
from ganlib.training.updater import Updater

KINDS = "a snapshot, a run's folder, an export, a folder of images, or an .npz, .npy or .h5 file"


@dataclass(frozen=True)
class Target:
    """What is scored.

    path: of the file or folder. pick(numbers): the images with these numbers, in that order, NCHW,
    uint8 or float in [-1, 1]. origin: of all of them; own: of those that the run itself scores.
    model: what draws them; pictures: they themselves, where nothing is drawn.
    """

    path: Path
    pick: Callable[[Sequence[int]], Tensor]
    origin: Origin
    own: Origin = Origin()
    model: Model | None = None
    pictures: Pictures | None = None

    @property
    def updater(self) -> Updater | None:
        """What draws the images, if there is anything."""
        return None if self.model is None else self.model.updater

    @property
    def settings(self) -> Mapping[str, Any]:
        """Those of the run; {} if there was none."""
        return {} if self.model is None else self.model.settings


def open_target(path: Path, options: Options) -> Target:
    """What lies at `path`; of a run's folder the snapshot that is asked for."""
    drawing, real, exported = options.drawing, options.real, is_export(path)
    with reading(path):
        folder, run = path.is_dir(), exported or is_run(path) or bool(runs_in(path))
        if not path.exists() and not exported:
            raise UserError(f"There is no {path}: give {KINDS}.")
    snapshot = path if options.at == "last" else snapshot_at(path, options.at)
    if options.value_range is not None and (folder or path.suffix.lower() not in ARRAYS):
        raise UserError(f"--range is for {' and '.join(ARRAYS)} files, and {path} is none.")
    if not run and (folder or path.suffix.lower() in (*ARRAYS, *HDF5)):
        for name in ("truncation", "statistics", "weights", "back"):
            if getattr(drawing, name) not in (None, False):
                raise UserError(f"--{name} is for a generator, and {path} holds images.")
        if options.ema_length is not None:
            raise UserError(f"--ema-length is for a generator, and {path} holds images.")
        return files(path, options.value_range)
    if not run and path.suffix.lower() != ".pt":
        raise UserError(f"{path} cannot be scored: give {KINDS}.")
    snapshot = snapshot if exported else newest_snapshot(snapshot)
    model = load(snapshot, options.device, back=drawing.back, ema_length=options.ema_length)
    if model.updater.config.translates:
        model.give_sources(real)
    return samples(Path(model.place) if exported else snapshot, model, drawing)


def samples(path: Path, model: Model, drawing: Drawing) -> Target:
    """Of a generator; UserError if they are points, which no extractor takes, and for weights that
    it has not.
    """
    updater = model.updater
    own = origin_of(updater, model.settings.get("seed", 0))
    if updater.ema_length is not None:  # which no run scores itself by
        own = replace(own, weights="ema")
    if drawing.weights == "ema" and updater.average is None:
        raise UserError(f"{path} holds no moving average: leave --weights out.")
    if drawing.weights == "raw":
        if model.card and updater.average is not None:
            raise UserError(
                f"{path} is an export of the moving average alone: leave --weights out."
            )
        updater.average = None
    pixels = 4 * min(drawing.n, drawing.batch_size) * prod(updater.spec.image)
    require(pixels, "Batches", "give a smaller --batch-size", updater.clock.device)
    if updater.spec.native == POINTS:
        raise UserError(
            f"{path} makes points, whose modes are counted while it trains: see the lines of "
            "scores.jsonl, and --evaluation-interval."
        )
    return Target(path, drawing.stream(updater).images, drawing.origin(updater), own, model)


def files(path: Path, value_range: Range | None = None) -> Target:
    """The images in a folder or a file; value_range: see open_images."""
    place = expand(path).absolute()  # a folder called as a data set is would be taken for that

    def read() -> Pictures:
        with reading(path):
            pictures = open_images(place, value_range=value_range)
        return pictures._replace(batches=_read(path, pictures.batches))

    def pick(numbers: Sequence[int]) -> Tensor:
        images = chain.from_iterable(as_block(batch)[0] for batch in read().batches)
        wanted, first = set(numbers), islice(images, max(numbers) + 1)
        found = {number: image for number, image in enumerate(first) if number in wanted}
        return torch.stack([found[number] for number in numbers])

    pictures = read()
    return Target(path, pick, Origin(classes=pictures.classes), pictures=pictures)


def _read(path: Path, batches: Iterator[Batch]) -> Iterator[Batch]:
    with reading(path):
        yield from batches


def is_run(path: Path) -> bool:
    """Whether `path` is the folder of a run."""
    return (path / "config.yaml").is_file() or bool(list_snapshots(path / "snapshots"))
