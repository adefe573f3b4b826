"""Scores of the generator while it trains."""

import time
from datetime import timedelta

from rich.console import Console

from ganlib.common.data import DataSet
from ganlib.common.io.console import say
from ganlib.common.io.jsonl import append_line, cut_lines
from ganlib.evaluation.comparison.table import figures
from ganlib.evaluation.statistics.references import Progress
from ganlib.training.device import ranks
from ganlib.training.scores.drawing import Drawing
from ganlib.training.scores.scorer import SCORES, TRIALS, Scorer, progress_bar, scores_line
from ganlib.training.trainer import Extension, Interrupted, Trainer, Trigger


class Evaluate(Extension):
    """Score a drawing, and let the algorithm score itself on the test set.

    The numbers join the observation, and so the log; with their protocols they become a line of
    scores.jsonl. at_end: also once the run has reached its end.
    """

    name = "evaluate"

    def __init__(
        self,
        trigger: Trigger,
        scorer: Scorer,
        drawing: Drawing,
        test: DataSet | None,
        console: Console,
        at_end: bool = False,
    ) -> None:
        self.trigger, self.scorer, self.drawing = trigger, scorer, drawing
        self.test, self.console, self.at_end = test, console, at_end

    def initialize(self, trainer: Trainer) -> None:
        if ranks.rank() == 0:
            for name in (SCORES, TRIALS):
                cut_lines(trainer.out / name, trainer.iteration)

    def __call__(self, trainer: Trainer) -> None:
        start = time.monotonic()
        with progress_bar(self.console) as bar:
            progress = _interruptible(trainer, bar) if trainer.stopped else bar
            scores = self.scorer(self.drawing, progress).scores
        if scores and ranks.rank() == 0:
            seconds = round(trainer.elapsed, 3)
            line = scores_line(scores, trainer.iteration, trainer.updater.images, seconds)
            append_line(trainer.out / SCORES, line)
        found = {name: score.value for name, score in scores.items()}
        if self.test is not None:
            found |= trainer.updater.scores(self.test)
        trainer.observation.update(found)
        if found:
            took = timedelta(seconds=round(time.monotonic() - start))
            values = ", ".join(f"{name} {figures(value)}" for name, value in found.items())
            say(self.console, f"Scores at iteration {trainer.iteration}: {values}. It took {took}.")

    def finalize(self, trainer: Trainer) -> None:
        if trainer.stopped == "done" and self.at_end and not self.trigger(trainer):
            try:
                self(trainer)
            except Interrupted:  # the snapshot is there, and a run that goes on is scored
                trainer.stopped = trainer.signalled


def _interruptible(trainer: Trainer, progress: Progress) -> Progress:
    """The same, but Interrupted once there was a signal. Ranks, which wait for each other, are not
    interrupted.
    """

    def report(what: str, done: int, total: int | None) -> None:
        if trainer.signalled and ranks.count() == 1:
            raise Interrupted
        progress(what, done, total)

    return report
