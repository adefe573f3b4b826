"""The doctor of a run: figures of it in the log, what they say of it in a sentence, and on a wish
the end of a run that goes wrong, or its return to a snapshot from before that.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from rich.console import Console

from ganlib.common.data import DataSet
from ganlib.common.errors import UserError, one_line
from ganlib.common.io.console import say
from ganlib.common.io.jsonl import cut_lines, read_lines
from ganlib.evaluation.comparison.runs import DOCTOR
from ganlib.training.doctor.classes import classifier
from ganlib.training.doctor.figures import Figures, of_data
from ganlib.training.doctor.rules import COLLAPSE, RULES, Finding, findings
from ganlib.training.snapshot import (
    drop_later,
    list_snapshots,
    peek_snapshot,
    read_snapshot,
    write_snapshot,
)
from ganlib.training.trainer import Extension, Trainer, Trigger, every
from ganlib.training.updater import Updater

PREFIX = "doctor/"
"""What the names of its figures in the log begin with."""
ROLLBACK = "going back to before the collapse"
"""Why a run that begins again from an earlier snapshot has stopped."""


@dataclass(eq=False, kw_only=True)
class Examine(Extension):
    """At the trigger add figures to the observation, with the first those of the data. dataset: its
    name; test: held-out images. missing: classes of which no sample was.
    """

    dataset: str
    test: DataSet | None
    trigger: Trigger
    console: Console
    missing: tuple[str, ...] = ()
    figures: Figures | None = field(default=None, init=False)
    name = "examine"

    def __call__(self, trainer: Trainer) -> None:
        try:
            numbers = self._look(trainer.updater)
        except Exception as error:  # what somebody's networks make of it is no fixed set
            self.trigger = every(0)
            words = f"The doctor cannot look at this run: {one_line(error)}"
            return say(self.console, words, "yellow")
        finite = {f"{PREFIX}{name}": x for name, x in numbers.items() if isfinite(x)}
        trainer.observation.update(finite)

    def _look(self, updater: Updater) -> dict[str, float]:
        numbers = {}
        if self.figures is None:
            self.figures = Figures(updater, self.test, classifier(updater, self.dataset))
            numbers = of_data(updater, self.figures.near)
        seen, self.missing = self.figures()
        return numbers | seen


@dataclass(eq=False, kw_only=True)
class Doctor(Extension):
    """Say once what the log's lines tell of, behind the log, in its newest line too.

    examine: what has measured. settings: the method's, for advice. stop_on: of which findings the
    run is asked to stop. rollback: whether after a collapse it goes back, once.
    """

    examine: Examine
    trigger: Trigger
    settings: Mapping[str, Any]
    stop_on: tuple[str, ...] = ()
    rollback: bool = False
    rows: list[dict[str, Any]] = field(default_factory=list, init=False)
    healthy: Path | None = field(default=None, init=False)
    name = "doctor"

    def __call__(self, trainer: Trainer) -> None:
        log = trainer.out / "log.jsonl"
        new = [trainer.line] if self.rows else read_lines(log)
        self.rows += [_plain(line) for line in new if any(name.startswith(PREFIX) for name in line)]
        said = {name for row in self.rows for name in _said(row)}
        goes_back = self.rollback and trainer.updater.slowed == 1
        acts = {*self.stop_on, *([COLLAPSE] if goes_back else [])}
        # what was said and holds on would be counted back to its first look, in each look anew
        rules = [rule for rule in RULES if rule.name not in said or rule.name in acts]
        found = findings(self.rows, rules)
        sentences = {
            one.rule.name: one.sentence(self.settings, self.examine.missing) for one in found
        }
        if news := {name: text for name, text in sentences.items() if name not in said}:
            for name, text in news.items():
                say(self.examine.console, f"{name}: {text}", "yellow")
            words = "\n".join(f"{name}: {text}" for name, text in news.items())
            self.rows[-1][DOCTOR] = words
            trainer.line = {**trainer.line, DOCTOR: words}
            cut_lines(log, trainer.iteration - 1, trainer.line)
        for name in self.stop_on:
            if name in sentences:
                trainer.stop(f"{name}: {sentences[name].rstrip('.')}")
        for one in found:
            if goes_back and one.rule.name == COLLAPSE:
                self._go_back(trainer, one)

    def _go_back(self, trainer: Trainer, collapse: Finding) -> None:
        """Have the run stop for it, if there is a snapshot from before, the best or the newest."""
        folder = trainer.out / "snapshots"
        for path in [folder / "best.pt", *reversed(list_snapshots(folder))]:
            with suppress(UserError):  # of one that is not there, or damaged
                if peek_snapshot(path)["updater"]["iteration"] < collapse.since:
                    self.healthy = path
                    trainer.stop(ROLLBACK)
                    return
        self.rollback = False
        say(
            self.examine.console,
            f"There is no snapshot from before iteration {collapse.since} to go back to: give a "
            "smaller --snapshot-interval.",
            "yellow",
        )

    def finalize(self, trainer: Trainer) -> None:
        """Before a run begins again, leave it as it was, at half the rate."""
        if trainer.stopped != ROLLBACK or self.healthy is None:
            return
        content = read_snapshot(self.healthy)
        done, updater = content["updater"]["iteration"], {**content["updater"], "slowed": 0.5}
        path = self.healthy.with_name(f"iter_{done:07d}.pt")
        state = {"updater": updater, "extensions": content["extensions"]}
        write_snapshot(path, content["settings"], content["spec"], state, content["data"])
        drop_later(path.parent, done)
        words = (
            f"rollback: At iteration {trainer.iteration}, after a collapse, back to iteration "
            f"{done} with half the learning rate."
        )
        log = trainer.out / "log.jsonl"
        if lines := cut_lines(log, done):
            last = lines[-1]
            told = "\n".join(filter(None, [last.get(DOCTOR), words]))
            cut_lines(log, last["iteration"] - 1, {**last, DOCTOR: told})
        say(self.examine.console, words, "yellow")


def _plain(line: Mapping[str, Any]) -> dict[str, Any]:
    return {name.removeprefix(PREFIX): value for name, value in line.items()}


def _said(row: Mapping[str, Any]) -> list[str]:
    return [line.partition(":")[0] for line in str(row.get(DOCTOR, "")).splitlines()]
