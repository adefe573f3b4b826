"""A run that goes on: which one of those that are there, what keeps it from that, and how its state
is taken over; or that starts from the weights of another.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from ganlib.common.augment import is_of_adaptation
from ganlib.common.data import DataSpec
from ganlib.common.data.fingerprint import changes
from ganlib.common.errors import UserError, few, one_line
from ganlib.registry import check_registered
from ganlib.runs.folders import ROOT, candidates, holds_run
from ganlib.runs.settings import BEFORE, Settings, read_yaml
from ganlib.training.networks import AVERAGES
from ganlib.training.snapshot import (
    list_snapshots,
    newest_snapshot,
    peek_snapshot,
    read_snapshot,
)
from ganlib.training.trainer import Trainer
from ganlib.training.updater import Updater

REVISION = "revision"
"""Under this name a snapshot and environment.json have how many revisions there were."""
HERE = ("out", "force", "resume", "gpu", "device", "workers", "max_hours")
"""What belongs to a machine and a process, and is not resumed."""
SHOWN = 6


def settings_to_resume(resume: str) -> dict[str, Any]:
    """The settings of the run that `--resume RUN` names, less those of HERE."""
    if resume == "auto":
        return {}
    settings = peek_snapshot(path := newest_snapshot(Path(resume)))["settings"]
    check_registered(path, settings["algorithm"])
    return {**BEFORE, **{n: value for n, value in settings.items() if n not in HERE}}


@dataclass(frozen=True)
class Resumption:
    """What a run of these settings, on data of this fingerprint, may go on from."""

    settings: Settings
    data: Mapping[str, Any]

    def find(self) -> Path | None:
        """The snapshot that --resume goes on from, None where a run begins.

        Of `auto`, the newest run with the same settings on the same data that is unfinished or has
        finished at the same length. Raises UserError if such a run has finished at another
        length, or with the differences if every unfinished run has other settings or data.
        """
        resume = self.settings.run.resume
        if resume != "auto":
            assert resume is not None
            return newest_snapshot(Path(resume))
        other, longer = "", None
        for run in self._started():
            words, finished = self._differs(run), (run / "DONE").exists()
            length = read_yaml(run / "config.yaml").get("max_iter")
            if not words and (not finished or length == self.settings.algorithm.max_iter):
                return newest_snapshot(run)
            if not words:
                longer = longer or run
            elif not finished:
                other = other or words
        if longer is not None:
            raise UserError(
                f"{longer} has finished at its --max-iter: --resume={longer} takes it on to this "
                "one."
            )
        if other:
            raise UserError(
                f"No unfinished run has these settings. {other}. Change them, or leave --resume "
                "out."
            )
        return None

    def remark(self, out: Path) -> str:
        """What whoever begins a run in `out`, which is no --out of theirs, and may have meant to go
        on with another one, should know of those that are there; "" if there is nothing.
        """
        s = self.settings.run
        with suppress(UserError):  # of a damaged one, which is in nobody's way
            if s.resume == "auto":
                others = ROOT.glob(f"{s.algorithm}_*/seed{s.seed}")
                for run in [*self._started(), *_newest_first(others)]:
                    if read_yaml(run / "config.yaml")["algorithm"] == s.algorithm:
                        equal = f"{run} has these settings and data: --resume={run} goes on with it"
                        words = self._differs(run) or equal
                        return f"There is no run to go on with in {out.parent}. {words}."
            for run in [] if s.resume else self._started():
                if not self._differs(run):
                    if (run / "DONE").exists():
                        return f"{run} has finished with these settings; this one repeats it."
                    return f"{run} has these settings, unfinished: --resume auto goes on with it."
        return ""

    def go_on(self, trainer: Trainer, path: Path, tell: Callable[[str], None]) -> None:
        """Take over a snapshot's state; UserError if it is not of this run."""
        content, spec = read_snapshot(path), trainer.updater.spec
        if words := self.difference(content["settings"], content):
            falls = f" Rates fall until then: --init-from={path} begins anew with its weights."
            end = self.settings.trajectory().get("max_iter")  # there where the numbers depend on it
            more = "" if end in (None, content["settings"].get("max_iter")) else falls
            raise UserError(f"{path} cannot be continued: {words}.{more}")
        if _shapes(content["spec"]) != _shapes(spec):
            raise UserError(
                f"The data have changed since the snapshot: {content['spec']} then, {spec} now."
            )
        try:
            trainer.load_state(content)
        except (RuntimeError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{path} does not fit '{self.settings.run.algorithm}' as it is here: "
                f"{one_line(error, 300)}"
            ) from None
        _check_not_past(trainer, path, content["settings"].get("max_images"))
        if content.get("data") is None:
            tell(f"{path} does not say on what data it was trained: they are taken to be these.")

    def take_weights(self, updater: Updater, path: Path, tell: Callable[[str], None]) -> None:
        """Of the weights and buffers in another run's snapshot, or the newest one in its folder,
        what fits by name and shape; what does not is told in a line, and UserError if nothing does.
        So is what the same algorithm trained otherwise then.

        An average that the snapshot lacks starts from its network. Optimizers and positions stay
        fresh, and so does what adapts the augmentation.
        """
        path = newest_snapshot(path)
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
            tell(
                f"Not in {path}, or of another shape there, and left as they start: "
                f"{few(left, SHOWN)}."
            )
        same = content["settings"]["algorithm"] == self.settings.run.algorithm
        if same and (revised := self._revised(content)):
            tell(f"{path} was trained by the recipe before it was revised: {revised}.")

    def difference(self, old: Mapping[str, Any], snapshot: Mapping[str, Any]) -> str:
        """Why a run with the settings `old` is not gone on with from the content of a snapshot, as
        words; "" if it is.

        The same data and sources may have moved. Where no fingerprint was recorded, their names
        must be the same. What a run of an older ganlib had no setting for was done as it is by
        default.
        """
        wanted, recorded, others = self.settings.trajectory(), snapshot.get("data"), ""
        if recorded is not None:
            del wanted["dataset"]
            others = changes(recorded, self.data)
            if not others:  # it says where the same sources lie
                del wanted["source"]
        words = [compare_settings({**self.settings.defaults(), **old}, wanted)]
        words += [f"the data differ ({others})" if others else ""]
        if revised := self._revised(snapshot):
            words += [
                f"the recipe was revised since ({revised}): train it anew, or resume with the "
                "ganlib that wrote it; its samples and scores are as they were"
            ]
        return ", ".join(filter(None, words))

    def _revised(self, snapshot: Mapping[str, Any]) -> str:
        """What these settings train otherwise than a snapshot was trained, as words."""
        seen, revisions = snapshot["updater"].get(REVISION, 0), self.settings.algorithm.revisions()
        newer = ["it is of a newer ganlib"] if seen > len(revisions) else []
        return ", ".join([*revisions[seen:], *newer])

    def _differs(self, run: Path) -> str:
        """Why a run is not gone on with, as a sentence without its full stop; "" if it is."""
        old = read_yaml(run / "config.yaml")
        words = self.difference(old, peek_snapshot(newest_snapshot(run)))
        preset = old.get("preset")
        begun = f", which had --preset {preset},"
        begun = "" if preset in (None, self.settings.run.preset) else begun
        return words and f"{run}{begun} differs: {words}"

    def _started(self) -> list[Path]:
        """Folders that hold a run with a snapshot, the newest first."""
        if self.settings.run.out is not None:
            return _newest_first([self.settings.run.out])
        first = next(candidates(self.settings.run))
        return _newest_first([first, *first.parent.glob(f"{first.name}-*")])


def freeze_nearest(updater: Updater, count: int) -> None:
    """Let the `count` layers nearest to the image of each discriminator keep their weights: FreezeD
    (Mo, Cho, Shin 2020, https://arxiv.org/abs/2002.10964). A layer is what has a matrix or a
    filter, with all that follows up to the next one; they come in the order in which the network
    defines them. UserError where that is not from the image on, or no layer is left to train.
    """
    if updater.stage(0).size != updater.stage(max(0, updater.length() - 1)).size:
        raise UserError("freeze_d: this discriminator grows, and with it what is nearest.")
    networks = [n for name, n in updater.trained.items() if name.partition("_")[0] == "dis"]
    if not networks:
        raise UserError("freeze_d: this algorithm has no discriminator.")
    for network in networks:
        parameters = list(network.parameters())
        layers = [k for k, p in enumerate(parameters) if p.dim() > 1 and p.numel() > len(p)]
        if count >= len(layers):
            raise UserError(f"freeze_d: a discriminator has {len(layers)} layers; freeze fewer.")
        for parameter in parameters[: layers[count]]:
            parameter.requires_grad_(False)


def compare_settings(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """The settings of `new` that are not the same in `old`, as words; "" if none."""
    missing = object()
    different = [name for name in new if old.get(name, missing) != new[name]]
    return ", ".join(f"{name} was {old.get(name)!r} and is now {new[name]!r}" for name in different)


def _newest_first(runs: Iterable[Path]) -> list[Path]:
    started = [run for run in runs if holds_run(run) and list_snapshots(run / "snapshots")]
    return sorted(started, key=lambda run: (run / "config.yaml").stat().st_mtime, reverse=True)


def _shapes(spec: DataSpec) -> DataSpec:
    """Without what is said of the labels and instances, which older snapshots lack."""
    return replace(spec, classes=(), marginal=(), instances=None)


def _check_not_past(trainer: Trainer, path: Path, last_before: int | None) -> None:
    """UserError if the run would end where it has been; last_before: its --max-images of then."""
    done, end = trainer.iteration, trainer.max_iter
    images, last = trainer.updater.images, trainer.max_images
    if done > end:
        raise UserError(
            f"{path} is at iteration {done} already, past --max-iter {end}: give a larger one."
        )
    # an iteration may pass the last image by a few
    if last is not None and images > last and last != last_before:
        raise UserError(
            f"{path} has seen {images} images already, more than --max-images {last}: give a "
            "larger number."
        )


def _source(
    name: str, old: Mapping[str, Tensor], averaged: Mapping[str, str | None]
) -> Tensor | None:
    """What a tensor of this name starts from; of an average that there was not, its network."""
    network, _, rest = name.partition(".")
    return old.get(name, old.get(f"{averaged.get(network)}.{rest}"))
