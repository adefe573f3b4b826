"""A run that goes on from a snapshot, or starts from the weights of another."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from ganlib.common.data import DataSpec
from ganlib.common.errors import UserError, one_line
from ganlib.runs.earlier import difference, revised_since
from ganlib.runs.settings import Settings
from ganlib.training.networks import AVERAGES
from ganlib.training.snapshot import read_snapshot, snapshot_at
from ganlib.training.trainer import Trainer
from ganlib.training.update.adaptation import is_of_adaptation
from ganlib.training.updater import Updater

SHOWN = 6


def go_on(
    trainer: Trainer,
    path: Path,
    settings: Settings,
    data: Mapping[str, Any],
    tell: Callable[[str], None],
) -> None:
    """Take over a snapshot's state; UserError if it is not of this run."""
    content, updater = read_snapshot(path), trainer.updater
    old, words = content["settings"], difference(content["settings"], content, settings, data)
    if words:
        raise UserError(f"{path} cannot be continued: {words}.")
    if _shapes(content["spec"]) != _shapes(updater.spec):
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
    if content.get("data") is None:
        tell(f"{path} does not say on what data it was trained: they are taken to be these.")


def _shapes(spec: DataSpec) -> DataSpec:
    """Without what is said of the labels and instances, which older snapshots lack."""
    return replace(spec, classes=(), marginal=(), instances=None)


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


def take_weights(
    updater: Updater, path: Path, settings: Settings, tell: Callable[[str], None]
) -> None:
    """What fits by name and shape of the weights and buffers in another run's snapshot, or the
    newest one in its folder; what does not is told in a line, and UserError if nothing does. So is
    what the same algorithm trained otherwise then.

    An average that the snapshot lacks starts from its network. Optimizers and positions stay fresh,
    and so does what adapts the augmentation.
    """
    path = snapshot_at(path)
    content = read_snapshot(path)
    old, new = content["updater"]["modules"], updater.state_dict()
    averaged = dict(zip(AVERAGES, (updater.averaged, updater.backward), strict=True))
    given = {name: _source(name, old, averaged) for name in new}
    wanted = [name for name in new if not is_of_adaptation(name)]
    taken = {n: t for n in wanted if (t := given[n]) is not None and t.shape == new[n].shape}
    if not any(name in taken for name, p in updater.named_parameters() if p.dim() > 1):
        raise UserError(f"The networks of {path} are not these: none of its weights fits.")
    updater.load_state_dict({**new, **taken})
    left = [n for n in wanted if n not in taken and n.partition(".")[0] not in AVERAGES]
    if left:
        more = f" and {len(left) - SHOWN} more" if len(left) > SHOWN else ""
        tell(
            f"Not in {path}, or of another shape there, and left as they start: "
            f"{', '.join(left[:SHOWN])}{more}."
        )
    same = content["settings"]["algorithm"] == settings.run.algorithm
    if same and (revised := revised_since(content, settings)):
        tell(f"{path} was trained by the recipe before it was revised: {revised}.")


def _source(
    name: str, old: Mapping[str, Tensor], averaged: Mapping[str, str | None]
) -> Tensor | None:
    """What a tensor of this name starts from; one of the average from its network, where the
    snapshot has no average.
    """
    network, _, rest = name.partition(".")
    return old.get(name, old.get(f"{averaged.get(network)}.{rest}"))
