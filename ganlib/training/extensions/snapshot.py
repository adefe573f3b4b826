"""Snapshots: the newest few, the best by score, and the last."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from shutil import copyfile
from typing import Any

from ganlib.common.errors import UserError, did_you_mean
from ganlib.common.io.files import atomic
from ganlib.training.snapshot import list_snapshots, write_snapshot
from ganlib.training.trainer import Extension, Trainer, Trigger, every


class Snapshot(Extension):
    """Write snapshots/iter_<iteration>.pt, keep the newest `keep`, and best.pt by the score
    `best_by`.

    settings, data: of the run, and the fingerprint of what it trains on, for whoever goes on.
    best_by is "min:NAME" or "max:NAME" with the name of a score that an evaluation observes.
    """

    name = "snapshot"

    def __init__(
        self,
        trigger: Trigger,
        settings: Mapping[str, Any],
        data: Mapping[str, Any],
        keep: int = 2,
        best_by: str | None = None,
    ) -> None:
        self._due, self.settings, self.data, self.keep = trigger, settings, data, keep
        self._sign, self._score = parse(best_by)
        self._best: float | None = None
        self._newest: int | None = None  # the iteration whose snapshot was written last

    def __call__(self, trainer: Trainer) -> None:
        better = self._is_better(trainer)
        if better or self._due(trainer):
            self._save(trainer, better)

    def ended(self, trainer: Trainer) -> None:
        if self._newest != trainer.iteration:
            self.save(trainer)  # before the last evaluation, in which a run may be killed

    def finalize(self, trainer: Trainer) -> None:
        if self._is_better(trainer):
            self._save(trainer, better=True)

    def save(self, trainer: Trainer) -> Path:
        """Write this iteration's snapshot, unless a loss was not finite, and drop the oldest."""
        trainer.updater.check_finite()
        path = trainer.out / "snapshots" / f"iter_{trainer.iteration:07d}.pt"
        path.parent.mkdir(exist_ok=True)
        write_snapshot(path, self.settings, trainer.updater.spec, trainer.state(), self.data)
        self._newest = trainer.iteration
        for old in list_snapshots(path.parent)[: -self.keep]:
            old.unlink()
        return path

    def state(self) -> dict[str, Any]:
        return {"best": self._best}

    def load_state(self, state: Mapping[str, Any]) -> None:
        self._best = state["best"]

    def _save(self, trainer: Trainer, better: bool) -> None:
        path = self.save(trainer)
        if better:
            with atomic(path.with_name("best.pt")) as temporary:
                copyfile(path, temporary)

    def _is_better(self, trainer: Trainer) -> bool:
        value = trainer.observation.get(self._score)
        if value is None:
            return False
        signed = self._sign * float(value)
        if self._best is not None and not signed < self._best:
            return False
        self._best = signed
        return True


def parse(best_by: str | None) -> tuple[int, str]:
    """1 where less of a score is better, -1 where more is, and its name; UserError if it cannot be
    read.
    """
    if best_by is None:
        return 1, ""
    way, _, name = best_by.partition(":")
    if way not in ("min", "max") or not name:
        raise UserError(
            f"best_by is '{best_by}'; write min:NAME or max:NAME, with the name of a score."
        )
    return (1 if way == "min" else -1), name


class NamedScore(Extension):
    """See once, when all names have had their turn, that `score` is among them: those `known` to
    come, and those observed. If not, UserError at the first iteration, and later the run is asked
    to stop.
    """

    name = "named_score"

    def __init__(self, trigger: Trigger, score: str, known: Iterable[str]) -> None:
        self.trigger, self.score, self.known = trigger, score, set(known)

    def __call__(self, trainer: Trainer) -> None:
        self.trigger = every(0)
        names = self.known | trainer.observation.keys()
        if self.score in names:
            return
        words = f"--best-by: there is no '{self.score}'.{did_you_mean(self.score, names)}"
        if trainer.iteration == trainer.first_iteration + 1:
            raise UserError(words)
        trainer.stop(words.rstrip(".?"))
