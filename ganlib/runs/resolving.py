"""Networks that fit the data, and arithmetic that fits the device and the networks."""

from dataclasses import replace
from math import ceil
from typing import get_args

import torch

from ganlib.common.data import POINTS, DataSpec, Shape
from ganlib.common.errors import UserError
from ganlib.common.generator import Generator
from ganlib.registry import algorithms
from ganlib.runs.settings import Settings
from ganlib.speed.precision import automatic

FOR_POINTS = "mlp"
"""The architecture for them, wherever a method has it."""


def fitted(settings: Settings, shape: Shape, n: int, device: torch.device) -> Settings:
    """The settings for n images of this shape (C, H, W) on this device.

    Points take their own architecture, unless another one was asked for, and images of three
    channels what a preset has for them; the precision auto and epochs become what they come to.
    """
    settings = _counted(_for_points(_in_colour(settings, shape), shape), n)
    return _precise(settings, device)


def _counted(settings: Settings, n: int) -> Settings:
    config, epochs = settings.algorithm, settings.run.epochs
    if epochs is None:
        return settings
    batch = config.batch_size * getattr(config, "n_dis", 1)
    last = {"max_iter": max(1, ceil(epochs * n / batch))}
    run = settings.run.model_copy(update={"epochs": None})
    return replace(settings, run=run, algorithm=config.model_copy(update=last))


def _in_colour(settings: Settings, shape: Shape) -> Settings:
    if shape[0] != 3 or settings.in_colour is None:
        return settings
    return replace(settings, algorithm=settings.in_colour)


def _precise(settings: Settings, device: torch.device) -> Settings:
    if settings.run.precision != "auto":
        return settings
    precision = automatic(device, settings.algorithm)
    return replace(settings, run=settings.run.model_copy(update={"precision": precision}))


def _for_points(settings: Settings, shape: Shape) -> Settings:
    config = settings.algorithm
    if shape != POINTS or "architecture" in config.model_fields_set or not _has_choice(settings):
        return settings
    return replace(settings, algorithm=config.model_copy(update={"architecture": FOR_POINTS}))


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
            what = f"points: {own if _has_choice(settings) else 'choose another method'}"
        raise UserError(
            f"The architecture '{config.architecture}' of {settings.run.algorithm} is for images, "
            f"and {settings.run.dataset} holds {what}."
        ) from None


def _has_choice(settings: Settings) -> bool:
    """Whether the algorithm has an architecture for points."""
    field = type(settings.algorithm).model_fields["architecture"]
    return FOR_POINTS in get_args(field.annotation)
