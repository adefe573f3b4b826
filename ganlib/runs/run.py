"""From settings to a trained generator: the story of a run."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
import yaml
from rich.console import Console

from ganlib.common.data.fingerprint import fingerprint
from ganlib.common.errors import StoppedError, UserError
from ganlib.common.io.console import say, stderr_console
from ganlib.common.io.files import MARK, write_text, writing
from ganlib.evaluation.comparison.reading import read_environment
from ganlib.runs.assembly import build, fitted, open_data
from ganlib.runs.default_extensions import check_names, list_extensions
from ganlib.runs.folders import HELD_OUT, RunFolder
from ganlib.runs.resuming import REVISION, Resumption, settings_to_resume
from ganlib.runs.settings import Settings, layered, read_config
from ganlib.sampling.model import Model
from ganlib.speed.accelerate import accelerate, release
from ganlib.training.device import devices, ranks
from ganlib.training.trainer import Trainer
from ganlib.training.updater import Updater


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


def run(settings: Settings, console: Console | None = None) -> Model:
    """Train with checked settings, from the start or from a snapshot.

    Raises UserError for what keeps a run from beginning, StoppedError for what ends one.
    """
    device = devices.pick_device(settings.run.gpu, settings.run.device)
    if device.type == "cuda":
        devices.free(device)  # of a run before this one
    with ranks.joined(device):
        devices.use_cores()
        if settings.run.deterministic:
            devices.make_deterministic()
        return _train(settings, device, console or stderr_console(quiet=ranks.rank() > 0))


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
        _run(trainer, settings.algorithm.batch_size)
    if trainer.stopped != "done":
        tell(
            f"Stopped at iteration {trainer.iteration}: {trainer.stopped}. --resume auto continues."
        )
    tell(f"Samples: {out / 'samples' / f'{trainer.iteration:07d}.png'}")
    return Model(updater, settings.flat(), out)


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
    data = settings.run.query.label
    return (
        f"{verb} {settings.run.algorithm} on {data} "
        f"({len(updater.data.data):,} images, {shape} for the networks), {device}; "
        f"parameters: {counts}. Results: {out}"
    )
