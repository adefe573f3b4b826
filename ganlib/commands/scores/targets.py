"""What `ganlib evaluate` can score: a generator's samples, or images of any program."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from ganlib.commands.options import shared as _common_options
from ganlib.common.data import POINTS
from ganlib.common.errors import UserError
from ganlib.common.formats.arrays import ARRAYS
from ganlib.common.io.files import expand, reading
from ganlib.common.open_dataset import HDF5
from ganlib.evaluation import Origin
from ganlib.evaluation.formats.blocks import Batch, Range, as_block
from ganlib.evaluation.formats.images import open_images
from ganlib.sampling.model import Model, load
from ganlib.sampling.translation.held_out import give_sources, translates
from ganlib.training.device.devices import require
from ganlib.training.scores.real_images import RealImages
from ganlib.training.scores.scorer import origin_of, samples_to_score
from ganlib.training.scores.translations import scored
from ganlib.training.snapshot import list_snapshots, snapshot_at
from ganlib.training.updater import Updater

Weights = Literal["ema", "raw"]
ANY = RealImages()
KINDS = "a snapshot, a run's folder, a folder of images, or an .npz, .npy or .h5 file"


@dataclass(frozen=True)
class Target:
    """A stream of images, and what is known of it.

    path: of the file or folder. batches(): all images from the first one, NCHW, uint8 or float in
    [-1, 1], with their labels if they were asked for any. pick(numbers): the images with these
    numbers, in that order. own: the origin of the images that the run itself scores. settings: of
    the run, {} if there was none. iteration, images: how far training had come. updater: of
    samples, what makes them.
    """

    path: Path
    batches: Callable[[], Iterator[Batch]]
    pick: Callable[[Sequence[int]], Tensor]
    origin: Origin = Origin()
    own: Origin = Origin()
    settings: Mapping[str, Any] = field(default_factory=dict)
    iteration: int | None = None
    images: int | None = None
    updater: Updater | None = None


@dataclass(frozen=True)
class Drawing:
    """How a generator's samples are drawn: as of Model.sample(), and by which weights, by default
    the moving average if there is one.
    """

    n: int
    seed: int = 0
    batch_size: int = 256
    truncation: float | None = None
    statistics: str | None = None
    weights: Weights | None = None


def samples(path: Path, model: Model, how: Drawing) -> Target:
    """Of a generator so many, of a translator one for each held-out source at most; UserError if
    they are points, which no extractor takes, and for weights that it has not.
    """
    updater = model.updater
    own = origin_of(updater, model.settings.get("seed", 0))
    if how.weights == "ema" and updater.average is None:
        raise UserError(f"{path} holds no moving average: leave --weights out.")
    if how.weights == "raw":
        updater.average = None
    pixels = 4 * min(how.n, how.batch_size) * prod(updater.spec.image)
    require(pixels, "Batches", "give a smaller --batch-size", updater.clock.device)
    if updater.spec.native == POINTS:
        raise UserError(
            f"{path} makes points, whose modes are counted while it trains: see the lines of "
            "scores.jsonl, and --evaluation-interval."
        )

    which = (how.truncation, how.statistics)
    most = scored(updater, how.n)
    return Target(
        path,
        lambda: samples_to_score(updater, most, how.seed, how.batch_size, *which),
        updater.sample_stream(how.seed, how.truncation, statistics=how.statistics).images,
        origin_of(updater, how.seed, *which),
        own,
        model.settings,
        updater.iteration,
        model.images,
        updater,
    )


def files(path: Path, value_range: Range | None = None) -> Target:
    """The images in a folder or a file; value_range: see open_images."""
    place = expand(path).absolute()  # a folder called as a data set is would be taken for that
    with reading(path):
        opened = [open_images(place, value_range=value_range)]
    classes = opened[0].classes

    def batches() -> Iterator[Batch]:
        return (opened.pop() if opened else open_images(place, value_range=value_range)).batches

    def pick(numbers: Sequence[int]) -> Tensor:
        wanted, found, start = set(numbers), dict[int, Tensor](), 0
        for images, _ in map(as_block, batches()):
            here = wanted.intersection(range(start, start + len(images)))
            found |= {number: images[number - start] for number in here}
            start += len(images)
            if len(found) == len(wanted):
                break
        return torch.stack([found[number] for number in numbers])

    return Target(path, batches, pick, Origin(classes=classes))


def open_target(
    path: Path,
    device: str,
    how: Drawing,
    real: RealImages = ANY,
    best: bool = False,
    value_range: Range | None = None,
) -> Target:
    """What lies at `path`; of a run's folder the newest snapshot, or best.pt. real: where the
    images are that a translator starts from, by default its run's, and of one that goes both ways
    whether it goes back.
    """
    with reading(path):
        folder, run = path.is_dir(), is_run(path)
    chosen = _common_options.best_of(_existing(path), best)
    if value_range is not None and (folder or path.suffix.lower() not in ARRAYS):
        raise UserError(f"--range is for {' and '.join(ARRAYS)} files, and {path} is none.")
    if not run and (folder or path.suffix.lower() in (*ARRAYS, *HDF5)):
        for option, value in (
            ("--truncation", how.truncation),
            ("--statistics", how.statistics),
            ("--weights", how.weights),
            ("--back", real.back or None),
        ):
            if value is not None:
                raise UserError(f"{option} is for a generator, and {path} holds images.")
        return files(path, value_range)
    if not run and path.suffix.lower() != ".pt":
        raise UserError(f"{path} cannot be scored: give {KINDS}.")
    snapshot = snapshot_at(chosen)
    model = load(snapshot, device, back=real.back)
    if translates(model.updater):
        give_sources(model.updater, model.settings, real.dataset, real.data_root, real.source)
    return samples(snapshot, model, how)


def is_run(path: Path) -> bool:
    """Whether `path` is the folder of a run."""
    return (path / "config.yaml").is_file() or bool(list_snapshots(path / "snapshots"))


def _existing(path: Path) -> Path:
    with reading(path):
        if not path.exists():
            raise UserError(f"There is no {path}: give {KINDS}.")
    return path
