"""What a run trains: its data, settings that fit them and the device, and its updater."""

from dataclasses import replace
from math import ceil, prod
from typing import get_args

import torch

from ganlib.common.data import POINTS, DataSet, DataSpec, Shape, Size, fit_spec
from ganlib.common.data.in_memory import GIVEN
from ganlib.common.data.loader import readers
from ganlib.common.errors import UserError
from ganlib.common.generator import Generator
from ganlib.common.seeds import mix
from ganlib.config import AlgorithmConfig
from ganlib.registry import algorithms
from ganlib.runs.settings import Settings
from ganlib.speed.accelerate import automatic
from ganlib.training.device import devices, ranks
from ganlib.training.update.streams import loader_of
from ganlib.training.updater import Updater

SMALL, MOST_TIMES = 256, 4
"""To so many pixels any image is brought if the networks want that, and a larger one to so many
times its sides.
"""
FOR_POINTS = "mlp"
"""The architecture for points, wherever a method has it."""


def open_data(settings: Settings) -> tuple[DataSet, DataSet | None]:
    """The training set, and the test set if there is one and it is needed."""
    if settings.run.source is not None and not settings.algorithm.translates:
        raise UserError(
            f"{settings.run.algorithm} starts from no images: leave --source out, or choose a "
            "method that translates."
        )
    with ranks.first_alone():  # it downloads what is to be downloaded
        query = replace(settings.run.query, memory=settings.data)
        if query.memory is None and query.dataset == GIVEN:
            raise UserError(
                "This run was trained on data given in Python: give them again, dataset=."
            )
        wanted = settings.evaluates or settings.algorithm.translates
        return query.open(), query.of_split("test") if wanted else None


def fitted(settings: Settings, shape: Shape, n: int, device: torch.device) -> Settings:
    """The settings for n images of this shape (C, H, W) on this device.

    Points take their own architecture, unless another one was asked for, and images of three
    channels what a preset has for them; the precision auto and epochs become what they come to.
    """
    run, config = settings.run, settings.algorithm
    if shape[0] == 3 and settings.in_colour is not None:
        config = settings.in_colour
    if shape == POINTS and "architecture" not in config.model_fields_set and _is_for_points(config):
        config = config.model_copy(update={"architecture": FOR_POINTS})
    if run.epochs is not None:
        batch = config.batch_size * getattr(config, "n_dis", 1)
        config = config.model_copy(update={"max_iter": max(1, ceil(run.epochs * n / batch))})
        run = run.model_copy(update={"epochs": None})
    if run.precision == "auto":
        run = run.model_copy(update={"precision": automatic(device, config)})
    return replace(settings, run=run, algorithm=config)


def build(settings: Settings, data: DataSet, test: DataSet | None, device: torch.device) -> Updater:
    """The updater on its device with its data; a translator is held against the test set."""
    algorithm, s = algorithms[settings.run.algorithm], settings.run
    spec = fit_spec(data, _size(settings, data))
    check_architecture(settings, spec)
    _check_batch(settings, spec, device)
    loaders = ranks.local_count() * s.accumulate  # each of a batch's passes has one
    loader = loader_of(
        settings.algorithm,
        data,
        spec,
        s.seed,
        device=device,
        flip=s.flip,
        dequantize=settings.algorithm.dequantize,
        workers=readers(s.workers, max(1, devices.cores() // loaders)),
    )
    torch.manual_seed(mix(s.seed, "weights"))
    updater = algorithm.assemble(settings.algorithm, loader, spec, device)
    if settings.algorithm.translates:
        updater.held_out = loader.over(data)
        if test is not None and test.source is not None:
            updater.held_out, updater.held_out_split = loader.over(test), "test"
    return updater


def _size(settings: Settings, data: DataSet) -> Size:
    """Of the images that the networks see; UserError if out of all proportion to the data's own."""
    own, size = data.shape[1:], settings.algorithm.image_size(*data.shape[1:])
    if any(side > max(SMALL, MOST_TIMES * n) for side, n in zip(size, own, strict=True)):
        (high, wide), (height, width) = own, size
        raise UserError(
            f"{settings.run.algorithm} brings images of {wide}x{high} to {width}x{height} with "
            "these settings: give larger images by --size, or halve them less often by --downs."
        )
    return size


def _check_batch(settings: Settings, spec: DataSpec, device: torch.device) -> None:
    """UserError if not even the images of a batch, at four bytes a number, fit the memory."""
    share = settings.algorithm.batch_size // (settings.run.accumulate * ranks.count())
    pixels = prod(spec.image) + prod(spec.source or (0,))
    devices.require(4 * share * pixels, "Batches", "give a smaller --batch-size", device)


def check_architecture(settings: Settings, spec: DataSpec) -> None:
    """UserError for networks of images that cannot be made for single pixels, which points are."""
    config = settings.algorithm
    if spec.image[1:] != (1, 1):
        return
    try:
        with torch.device("meta"):
            networks = algorithms[settings.run.algorithm].networks(config, spec)
            gen = networks["gen"]
            assert isinstance(gen, Generator)
            y = torch.zeros(2, dtype=torch.int64) if config.condition == "labels" else None
            y = y if spec.source is None else torch.zeros(2, *spec.source)
            x = gen(gen.make_hidden(2), y)
            if "dis" in networks:
                networks["dis"](x, y)
    except UserError:
        raise
    except Exception:  # what networks of images make of a single pixel is no fixed set
        what = "single pixels: give --size, such as 32"
        if spec.native == POINTS:
            own = f"leave --architecture out, or give --architecture {FOR_POINTS}"
            what = f"points: {own if _is_for_points(config) else 'choose another method'}"
        raise UserError(
            f"The architecture '{config.architecture}' of {settings.run.algorithm} is for images, "
            f"and {settings.run.dataset} holds {what}."
        ) from None


def _is_for_points(config: AlgorithmConfig) -> bool:
    """Whether the algorithm has an architecture for them."""
    return FOR_POINTS in get_args(type(config).model_fields["architecture"].annotation)
