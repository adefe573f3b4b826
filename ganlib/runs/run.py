"""From settings to a trained generator: the story of a run."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from ganlib.common.console import say, stderr_console
from ganlib.common.data import DataSet, DataSpec, Loader, fit_spec
from ganlib.common.datasets._stream import NoSuchSplit
from ganlib.common.errors import StoppedError, UserError, one_line
from ganlib.common.fingerprint import fingerprint
from ganlib.common.paths import writing
from ganlib.common.seeds import mix
from ganlib.common.sources import dataset_label, open_dataset
from ganlib.evaluation import Evaluator
from ganlib.evaluation.evaluate import check_metrics
from ganlib.evaluation.features import Options, default_extractor, make_extractor
from ganlib.evaluation.report import label
from ganlib.registry import add_plugins, algorithms, extensions
from ganlib.runs import folders
from ganlib.runs.settings import Settings, plugin_folders, read_yaml, resolve
from ganlib.sampling.model import Model
from ganlib.speed.accelerate import accelerate
from ganlib.training import devices, environment, memory, ranks
from ganlib.training.assembly import assemble
from ganlib.training.extensions.announce import Announce
from ganlib.training.extensions.evaluate import Evaluate
from ganlib.training.extensions.finite_guard import FiniteGuard
from ganlib.training.extensions.log_report import LogReport
from ganlib.training.extensions.progress_bar import ProgressBar
from ganlib.training.extensions.sample_grid import SampleGrid
from ganlib.training.extensions.snapshot import Snapshot
from ganlib.training.scoring import check_weights
from ganlib.training.snapshot import peek_snapshot, read_snapshot
from ganlib.training.trainer import Extension, Trainer, every
from ganlib.training.updater import Updater

Say = Callable[[str], None]


def train(**settings: Any) -> Model:
    """Train as `python train.py` does, in Python: train(algorithm="sngan", max_iter=1000, gpu=-1).

    Every flag is an argument (`config` too: a YAML file or a mapping). Returns the trained model;
    its files are in `.out`. Raises ganlib.UserError where the command line exits with status 2.
    """
    return run(gather(settings))


def gather(values: Mapping[str, Any]) -> Settings:
    """Checked settings from what was given: a snapshot's to resume < `config` (a file or a mapping)
    < the rest.
    """
    given = {name: value for name, value in values.items() if name != "config"}
    config = values.get("config") or {}
    file = dict(config) if isinstance(config, Mapping) else read_yaml(Path(config))
    for folder in plugin_folders(given.get("plugin_dir") or file.get("plugin_dir")):
        add_plugins(folder)
    return resolve(settings_to_resume(given.get("resume")), file, given)


def settings_to_resume(resume: str | None) -> dict[str, Any]:
    """The settings of the run to continue, less what belongs to this machine and this process."""
    if resume is None or resume == "auto":
        return {}
    here = ("out", "resume", "gpu", "device", "max_hours")
    settings = peek_snapshot(folders.snapshot_at(Path(resume)))["settings"]
    return {name: value for name, value in settings.items() if name not in here}


def run(settings: Settings, console: Console | None = None) -> Model:
    """Train with checked settings, from the start or from a snapshot.

    Raises UserError for what keeps a run from beginning, StoppedError for what ends one.
    """
    device = devices.pick_device(settings.run.gpu, settings.run.device)
    with ranks.joined(device):
        devices.use_cores()
        if settings.run.deterministic:
            devices.make_deterministic()
        return _train(settings, device, console or stderr_console(quiet=ranks.rank() > 0))


def _train(settings: Settings, device: torch.device, console: Console) -> Model:
    tell = partial(say, console)
    updater, test = build(settings, device)
    data = fingerprint(updater.data.data)
    listed = _extensions(settings, updater.data.data, data, test, device, console)
    with _place(settings, data) as (out, snapshot):
        s, max_iter = settings.run, settings.algorithm.max_iter
        trainer = Trainer(updater, out, max_iter, s.max_images, s.max_hours)
        trainer.extend(*listed)
        if snapshot is not None:
            _go_on(trainer, snapshot, settings, data, tell)
        elif s.init_from is not None:
            _take_weights(updater, s.init_from)
        accelerate(updater, s, max_iter - updater.iteration, tell)
        if ranks.rank() == 0:
            with writing(out):
                now = environment.describe(device)
                folders.write_start(out, settings, now, updater.iteration)
        tell(_start(settings, updater, out, device))
        _run(trainer, settings)
    if trainer.stopped != "done":
        tell(
            f"Stopped at iteration {trainer.iteration}: {trainer.stopped}. --resume auto continues."
        )
    tell(f"Samples: {out / 'samples' / f'{trainer.iteration:07d}.png'}")
    return Model(updater, settings.flat(), out)


@contextmanager
def _place(settings: Settings, data: Mapping[str, Any]) -> Iterator[folders.Place]:
    """What the first rank finds for all."""
    if ranks.rank() > 0:
        yield ranks.from_first(folders.Place(Path(), None))
        return
    with folders.held(settings, data) as place:
        yield ranks.from_first(place)


def build(settings: Settings, device: torch.device) -> tuple[Updater, DataSet | None]:
    """The updater on its device with its data, and the test set if there is one."""
    algorithm, s = algorithms[settings.run.algorithm], settings.run
    condition = settings.algorithm.condition
    with ranks.first_alone():  # it downloads what is to be downloaded
        data = open_dataset(s.dataset, s.data_root, "train", s.size)
        test = _test_set(settings) if _evaluates(settings) or condition == "images" else None
    spec = fit_spec(data, settings.algorithm.image_size(*data.shape[1:]))
    _check_batch(settings, spec, device)
    loader = Loader(
        data,
        spec,
        settings.algorithm.batch_size,
        s.seed,
        condition=condition,
        device=device,
        flip=s.flip,
        dequantize=settings.algorithm.dequantize,
    )
    torch.manual_seed(mix(s.seed, "weights"))
    updater = assemble(algorithm, settings.algorithm, loader, spec, device)
    if condition == "images":
        updater.held_out = loader.over(test or data)
    return updater, test


def _extensions(
    settings: Settings,
    data: DataSet,
    print_of_data: Mapping[str, Any],
    test: DataSet | None,
    device: torch.device,
    console: Console,
) -> list[Extension]:
    """Everything around the updates, in the order in which it happens; of several ranks the first
    writes, the others take part in what needs them all.
    """
    s, flat = settings.run, settings.flat()
    interval = min(s.display_interval, settings.algorithm.max_iter)
    evaluator = _evaluator(settings, data, test, device, console)
    shared: list[Extension] = [
        FiniteGuard(every(interval)),
        Evaluate(
            every(s.evaluation_interval),
            evaluator,
            test,
            console,
            _metrics(settings),
            s.evaluation_images,
            s.seed,
            at_end=_evaluates(settings),
        ),
    ]
    if ranks.rank() > 0:
        return shared
    listed: list[Extension] = [
        *shared,
        *(extensions[name](flat) for name in s.extension),
        SampleGrid(every(s.sample_interval), seed=s.seed),
        LogReport(interval),
        Announce(console),
        ProgressBar(console),
        Snapshot(
            every(s.snapshot_interval),
            flat,
            print_of_data,
            s.keep_snapshots,
            _best_by(settings, evaluator),
        ),
    ]
    if s.tensorboard:
        from ganlib.training.extensions.tensorboard import (
            TensorBoard,
        )  # a slow import that not everybody wants

        listed.insert(-1, TensorBoard(every(interval)))
    return listed


def _check_batch(settings: Settings, spec: DataSpec, device: torch.device) -> None:
    """UserError if not even the images of a batch fit the memory."""
    share = settings.algorithm.batch_size // (settings.run.accumulate * ranks.count())
    pixels = prod(spec.image) + prod(spec.source or (0,))
    memory.require(4 * share * pixels, "Batches", "give a smaller --batch-size", device)


def _evaluates(settings: Settings) -> bool:
    return 0 < settings.run.evaluation_interval <= settings.algorithm.max_iter


def _metrics(settings: Settings) -> list[str]:
    metrics = [name.strip() for name in settings.run.metrics.split(",")]
    check_metrics(metrics)
    return metrics


def _evaluator(
    settings: Settings, data: DataSet, test: DataSet | None, device: torch.device, console: Console
) -> Evaluator | None:
    """What scores this run's images; None where it asks for none, where they are points of a known
    mixture, or where its extractor cannot be had.
    """
    s = settings.run
    if not _evaluates(settings) or data.mixture is not None:
        return None
    references = {"train": data.x} if test is None else {"train": data.x, "test": test.x}
    name = s.extractor or default_extractor(s.dataset)
    options = Options(weights=s.inception_weights)
    check_weights(name, options)
    try:
        return Evaluator(make_extractor(name, device, options), references)
    except UserError as error:
        if {"evaluation_interval", "extractor", "inception_weights"} & s.model_fields_set:
            raise
        # nobody asked for scores by name, so the lack of a download stops nothing
        say(console, f"This run is not evaluated. {error}", "yellow")
        return None


def _best_by(settings: Settings, evaluator: Evaluator | None) -> str | None:
    """The score that marks the best snapshot: the one asked for, else the Frechet distance."""
    s = settings.run
    if s.best_by is not None or evaluator is None or "fid" not in _metrics(settings):
        return s.best_by
    n = label(s.evaluation_images)
    return f"min:{evaluator.extractor.score_name}{n}-train"


def _run(trainer: Trainer, settings: Settings) -> None:
    try:
        trainer.run()
        ranks.wait()
        if trainer.stopped == "done" and ranks.rank() == 0:
            (trainer.out / "DONE").touch()
    except OSError as error:
        # the images are read elsewhere, so it was written to
        words = f"{trainer.out} cannot be written to: {error.strerror or error}."
        if trainer.iteration == trainer.first_iteration:
            raise UserError(words) from None
        raise StoppedError(
            f"{words} Training ended after iteration {trainer.iteration}; --resume auto goes on "
            "from the last snapshot."
        ) from None
    except RuntimeError as error:
        if "DataLoader worker" in str(error):
            raise UserError(f"A process that reads the images has died: {error}") from None
        if not devices.is_out_of_memory(error):
            raise
        size = settings.algorithm.batch_size
        advice = (
            f"try --accumulate 2 or --batch-size {size // 2}"
            if size > 1
            else "try smaller networks (--width 0.5)"
        )
        raise UserError(f"Out of memory with batches of {size} images: {advice}.") from None
    finally:
        trainer.updater.streams.close()


def _test_set(settings: Settings) -> DataSet | None:
    try:
        return open_dataset(settings.run.dataset, settings.run.data_root, "test", settings.run.size)
    except NoSuchSplit:
        return None


def _go_on(
    trainer: Trainer, path: Path, settings: Settings, data: Mapping[str, Any], tell: Say
) -> None:
    """Take over a snapshot's state; UserError if it is not of this run."""
    content, updater = read_snapshot(path), trainer.updater
    recorded, old = content.get("data"), content["settings"]
    words = folders.difference(old, recorded, settings, data)
    if words:
        raise UserError(f"{path} cannot be continued with other settings or data: {words}.")
    if content["spec"] != updater.spec:
        raise UserError(
            f"The data have changed since the snapshot: {content['spec']} then, {updater.spec} now."
        )
    try:
        trainer.load_state(content)
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} does not fit '{settings.run.algorithm}' as it is here: {one_line(error, 300)}"
        ) from None
    _check_not_past(trainer, path, old)
    if recorded is None:
        tell(f"{path} does not say on what data it was trained: they are taken to be these.")


def _check_not_past(trainer: Trainer, path: Path, old: Mapping[str, Any]) -> None:
    """UserError if the run is asked to end where it has been already."""
    done, end = trainer.iteration, trainer.max_iter
    images, last = trainer.updater.images, trainer.max_images
    if done > end:
        raise UserError(
            f"{path} is at iteration {done} already, past --max-iter {end}: give a larger one."
        )
    # an iteration may pass the last image by a few
    if last is not None and images > last and last != old.get("max_images"):
        raise UserError(
            f"{path} has seen {images} images already, more than --max-images {last}: give a "
            "larger number."
        )


def _take_weights(updater: Updater, path: Path) -> None:
    """Weights and buffers from another run's snapshot; optimizers and positions stay fresh."""
    try:
        updater.load_state_dict(read_snapshot(path)["updater"]["modules"])
    except RuntimeError as error:
        reason = one_line(error, 300)
        raise UserError(f"The networks of {path} are not these: {reason}") from None


def _start(settings: Settings, updater: Updater, out: Path, device: torch.device) -> str:
    """What a run says first."""
    counts = ", ".join(
        f"{name} {sum(p.numel() for p in network.parameters()):,}"
        for name, network in updater.named_children()
        if name != "average"
    )
    verb = f"Continuing at iteration {updater.iteration}" if updater.iteration else "Training"
    shape = "x".join(map(str, updater.spec.image))
    return (
        f"{verb} {settings.run.algorithm} on {dataset_label(settings.run.dataset)} "
        f"({len(updater.data.data):,} images, {shape} for the networks), {device}; "
        f"parameters: {counts}. Results: {out}"
    )
