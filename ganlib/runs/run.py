"""From settings to a trained generator: the story of a run, and what it trains: its data, settings
that fit them and the device, and its updater.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from math import ceil, prod
from pathlib import Path
from typing import Any, get_args

import torch
import yaml
from rich.console import Console

from ganlib.common.data import POINTS, DataSet, DataSpec, Shape, Size, fit_spec
from ganlib.common.data.fingerprint import fingerprint
from ganlib.common.data.in_memory import GIVEN
from ganlib.common.data.loader import readers
from ganlib.common.data.spec import w_by_h
from ganlib.common.errors import StoppedError, UserError
from ganlib.common.generator import Generator
from ganlib.common.io.console import say, stderr_console
from ganlib.common.io.files import MARK, as_user_error, write_text, writing
from ganlib.common.seeds import mix
from ganlib.config import AlgorithmConfig
from ganlib.evaluation.comparison.reading import read_environment
from ganlib.registry import algorithms
from ganlib.runs.default_extensions import check_names, list_extensions
from ganlib.runs.folders import HELD_OUT, RunFolder, recorded, waited_for
from ganlib.runs.resuming import REVISION, Resumption, freeze_nearest, settings_to_resume
from ganlib.runs.settings import Settings, layered, read_config
from ganlib.sampling.model import Model
from ganlib.speed.accelerate import accelerate, automatic, release
from ganlib.training.device import devices, ranks
from ganlib.training.extensions.doctor import ROLLBACK
from ganlib.training.trainer import Trainer
from ganlib.training.update.streams import loader_of
from ganlib.training.updater import Updater

SMALL, MOST_TIMES = 32, 2
"""To so many pixels any image is brought if the networks want that, and a larger one to so many
times its sides: most pixels would be made up.
"""
FOR_POINTS = "mlp"
"""The architecture for points, wherever a method has it."""


def gather(values: Mapping[str, Any]) -> Settings:
    """Checked settings from what was given: a snapshot's to resume < the preset's < `config` (a
    file or a mapping) < the rest.
    """
    file = read_config(values)
    given = {name: value for name, value in values.items() if name != "config"}
    old = settings_to_resume(given["resume"]) if given.get("resume") else {}
    return _holding(layered(old, file, given))


def _holding(settings: Settings) -> Settings:
    """With hold_out as it comes to: 0 where no method asks for it, or test images are there."""
    s = settings.run
    if not s.hold_out or (settings.algorithm.translates and s.query.holds_out):
        return settings
    if "hold_out" in s.model_fields_set and not settings.algorithm.translates:
        raise UserError(
            f"{s.algorithm} trains on all images: leave --hold-out out, which is for methods that "
            "translate."
        )
    return replace(settings, run=s.model_copy(update={"hold_out": 0.0}))


def run(settings: Settings) -> Model:
    """Train with checked settings, from the start or from a snapshot.

    Raises UserError for what keeps a run from beginning, StoppedError for what ends one.
    """
    with waited_for(settings.run.out):
        device = devices.pick_device(settings.run.gpu, settings.run.device)
        if device.type == "cuda":
            devices.free(device)  # of a run before this one
        with ranks.joined(device):
            devices.use_cores()
            devices.keep_memory()
            if settings.run.deterministic:
                devices.make_deterministic()
            return _train(settings, device, stderr_console(quiet=ranks.rank() > 0))


def _train(settings: Settings, device: torch.device, console: Console) -> Model:
    tell = partial(say, console)
    check_names(settings)
    images, test = open_data(settings)
    settings = fitted(settings, images.shape, len(images), device)
    s, updater = settings.run, build(settings, images, test, device)
    data = fingerprint(images)
    extensions = list_extensions(settings, updater, data, test, device, console)
    resumption, held_out = Resumption(settings, data), () if test is None else test.held_out
    folder = RunFolder(s, resumption.find, resumption.remark, tell)
    with folder.held() as (out, snapshot, finished):
        trainer = Trainer(updater, out, updater.length(), s.max_images, s.max_hours)
        trainer.extend(*extensions)
        if snapshot is not None:
            resumption.go_on(trainer, snapshot, tell)
        elif s.init_from is not None:
            resumption.take_weights(updater, s.init_from, tell)
        elif s.freeze_d:
            raise UserError("freeze_d keeps what a discriminator has learnt: give init_from too.")
        if s.freeze_d:
            freeze_nearest(updater, s.freeze_d)
        if finished and trainer.is_over:
            updater.streams.close()
            tell(f"{out} has finished with these settings, and nothing is left to train.")
            return Model(updater, settings.flat(), out)
        accelerate(updater, s, updater.length() - updater.iteration, tell)
        if ranks.rank() == 0:
            with writing(out):
                now = devices.environment(device)
                write_start(out, settings, now, updater.iteration, held_out)
        for line in [_start(settings, updater, out, device), *updater.remarks()]:
            tell(line)
        if held_out:
            tell(
                f"Held out of training, by their names: {len(held_out):,} files, listed in "
                f"{out / HELD_OUT}; --hold-out 0 trains on all."
            )
        with recorded(trainer) if ranks.rank() == 0 else nullcontext():
            _run(trainer, settings.algorithm.batch_size)
    if trainer.stopped == ROLLBACK:
        hours = settings.run.max_hours
        hours = hours and max(1e-3, hours - trainer.elapsed / 3600)
        again = {"resume": str(out), "init_from": None, "force": False, "max_hours": hours}
        return _train(replace(settings, run=settings.run.model_copy(update=again)), device, console)
    if trainer.stopped != "done":
        tell(
            f"Stopped at iteration {trainer.iteration}: {trainer.stopped}. --resume auto continues."
        )
    tell(f"Samples: {out / 'samples' / f'{trainer.iteration:07d}.png'}")
    return Model(updater, settings.flat(), out)


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
    _check_several(settings, data)
    check_architecture(settings, spec)
    # not even the images of a batch, at four bytes a number, may fit the memory
    share = settings.algorithm.batch_size // (s.accumulate * ranks.count())
    pixels = prod(spec.image) + prod(spec.source or (0,))
    devices.require(4 * share * pixels, "Batches", "give a smaller --batch-size", device)
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
        raise UserError(
            f"{settings.run.algorithm} brings images of {w_by_h(own)} to {w_by_h(size)} with "
            "these settings: choose networks of smaller images, or have these enlarged by --size."
        )
    return size


def _check_several(settings: Settings, data: DataSet) -> None:
    """UserError for a single image, unless one is made of another."""
    if len(data) == 1 and not settings.algorithm.translates:
        raise UserError(
            f"'{data.name}' is one image, which a GAN learns no more than to repeat: give some "
            "hundred."
        )


def check_architecture(settings: Settings, spec: DataSpec) -> None:
    """UserError for networks of images that cannot be made for single pixels, which points are."""
    config = settings.algorithm
    if spec.image[1:] != (1, 1):
        return
    what = "single pixels: give --size, such as 32"
    if spec.native == POINTS:
        own = f"leave --architecture out, or give --architecture {FOR_POINTS}"
        what = f"points: {own if _is_for_points(config) else 'choose another method'}"
    words = (
        f"The architecture '{config.architecture}' of {settings.run.algorithm} is for images, and "
        f"{settings.run.dataset} holds {what}."
    )
    # what networks of images make of a single pixel is no fixed set
    with as_user_error(lambda _: words), torch.device("meta"):
        networks = algorithms[settings.run.algorithm].networks(config, spec)
        gen = networks["gen"]
        assert isinstance(gen, Generator)
        y = torch.zeros(2, dtype=torch.int64) if config.condition == "labels" else None
        y = y if spec.source is None else torch.zeros(2, *spec.source)
        x = gen(gen.make_hidden(2), y)
        if "dis" in networks:
            networks["dis"](x, y)


def _is_for_points(config: AlgorithmConfig) -> bool:
    """Whether the algorithm has an architecture for them."""
    return FOR_POINTS in get_args(type(config).model_fields["architecture"].annotation)


def write_start(
    run: Path,
    settings: Settings,
    environment: dict[str, Any],
    iteration: int,
    held_out: Sequence[str] = (),
) -> None:
    """config.yaml, with which --config repeats the run; environment.json, which tells how it was
    begun, by which revision of its recipe, and each time gone on with; and the list of the files
    held out, if there are any.
    """
    (run / "DONE").unlink(missing_ok=True)
    path = run / "environment.json"
    environment = {REVISION: len(settings.algorithm.revisions()), **environment}
    first = read_environment(path) if iteration else {}
    if first:
        again = {"iteration": iteration, **environment}
        environment = {**first, "continued": [*first.get("continued", []), again]}
    # before the file by which a run is known, and marked: if it is alone, nobody's work is lost
    write_text(path, json.dumps({"software": MARK, **environment}, indent=2) + "\n")
    flat = {**settings.flat(), "resume": None, "force": False}
    write_text(run / "config.yaml", yaml.safe_dump(flat, sort_keys=False))
    if held_out:
        write_text(run / HELD_OUT, "\n".join([*held_out, ""]), "replace")


def _run(trainer: Trainer, batch_size: int) -> None:
    """Train. UserError for a memory that does not suffice, and for a disk that takes no more, or
    StoppedError once there was an iteration.
    """
    try:
        try:
            trainer.run()
            ranks.wait()
            if trainer.stopped == "done" and ranks.rank() == 0:
                (trainer.out / "DONE").touch()
        finally:
            trainer.updater.streams.close()
            # the end of a process group would wait for graphs that send its messages
            release(trainer.updater)
    except OSError as error:  # the images are read elsewhere, so the folder was written to
        words = f"{trainer.out} cannot be written to: {error.strerror or error}."
        if trainer.iteration == trainer.first_iteration:
            raise UserError(words) from None
        raise StoppedError(
            f"{words} Training ended after iteration {trainer.iteration}; --resume auto goes on "
            "from the last snapshot."
        ) from None
    except RuntimeError as error:
        if not devices.is_out_of_memory(error):
            raise
        smaller = f"--accumulate 2 or --batch-size {batch_size // 2}"
        advice = smaller if batch_size > 1 else "smaller networks (--width 0.5)"
        raise UserError(
            f"Out of memory with batches of {batch_size} images: try {advice}."
        ) from None


def _start(settings: Settings, updater: Updater, out: Path, device: torch.device) -> str:
    """What a run says first."""
    counts = ", ".join(
        f"{name} {sum(p.numel() for p in network.parameters()):,}"
        for name, network in updater.trained.items()
    )
    verb = f"Continuing at iteration {updater.iteration}" if updater.iteration else "Training"
    shape = "x".join(map(str, updater.spec.image))
    data, precision = settings.run.query.label, settings.run.precision
    if precision == "tf32" and device.type != "cuda":
        precision = "fp32"  # what it is elsewhere
    return (
        f"{verb} {settings.run.algorithm} on {data} "
        f"({len(updater.data.data):,} images, {shape} for the networks), {device}, {precision}; "
        f"parameters: {counts}. Results: {out}"
    )
