"""What a run is judged by: the scores of its samples, and whether losses are numbers, all weights
move, and there is the score to choose the best snapshot by.
"""

import time
from collections.abc import Collection, Iterable, Iterator
from datetime import timedelta
from pathlib import Path

from rich.console import Console

from ganlib.common.data import DataSet
from ganlib.common.errors import UserError, did_you_mean, few
from ganlib.common.io.console import progress_bar, say
from ganlib.common.io.jsonl import append_line, cut_lines
from ganlib.evaluation.comparison.table import figures
from ganlib.evaluation.statistics.references import Progress
from ganlib.training.device import ranks
from ganlib.training.networks import AVERAGES
from ganlib.training.scores.drawing import Drawing
from ganlib.training.scores.scorer import SCORES, TRIALS, Scorer, scores_line
from ganlib.training.snapshot import list_snapshots
from ganlib.training.trainer import Extension, Interrupted, Trainer, Trigger, every
from ganlib.training.update.steps import NonFiniteError

AFTER = 100  # iterations: what is done in every 16th or so had its turn


class FiniteGuard(Extension):
    """Ask the device, at the trigger, whether every loss was finite; NonFiniteError, which names
    the last good snapshot if there is one, ends the run if not.
    """

    name = "finite_guard"

    def __init__(self, trigger: Trigger) -> None:
        self.trigger = trigger

    def __call__(self, trainer: Trainer) -> None:
        try:
            trainer.updater.check_finite()
        except NonFiniteError as error:
            good = list_snapshots(trainer.out / "snapshots")
            newest = f"; the last good snapshot is {good[-1]}." if good else "."
            raise NonFiniteError(str(error).removesuffix(".") + newest) from None

    def ended(self, trainer: Trainer) -> None:
        self(trainer)


class Unmoved(Extension):
    """After the first iterations, say which networks and parameters had no gradient in any step:
    one that was forgotten trains without complaint. UserError for an ada_target that can move
    nothing, as no update has said what D thinks of real images, and for a lecam that no loss heeds,
    of methods whose D does not begin later.

    explained: names of parameters of which that is known.
    """

    name = "unmoved"

    def __init__(self, console: Console, explained: Collection[str] = ()) -> None:
        self.console, self.explained = console, explained

    def __call__(self, trainer: Trainer) -> None:
        last = min(AFTER, trainer.max_iter - trainer.first_iteration)
        if trainer.iteration - trainer.first_iteration != last:
            return
        updater = trainer.updater
        if updater.config.ada_target and not (updater.heard_of_real or updater.later):
            raise UserError(
                "ada_target needs to know what D thinks of real images, and this algorithm never "
                "calls self.saw_real(logits): leave --ada-target out."
            )
        if updater.lecam.weight and not (updater.lecam.means.any() or updater.later):
            raise UserError(
                "No loss of this algorithm heeds lecam, which is for discriminators that are "
                "logistic or hinge: leave it out."
            )
        if found := list(self._found(trainer)):
            say(self.console, f"No step has moved {', '.join(found)} so far.", "yellow")

    def _found(self, trainer: Trainer) -> Iterator[str]:
        updater = trainer.updater
        # a part of a network may wait for a phase or a stage that is to come, a whole one if that
        # was said; of a run that goes on a part may have moved in an earlier stage
        now, last = trainer.iteration - 1, trainer.max_iter - 1
        waits = updater.phase(last) != updater.phase(now) or updater.stage(last) != updater.current
        moved = updater.stage(0) != updater.stage(trainer.first_iteration)
        for network, module in updater.named_children():
            named = {f"{network}.{name}": p for name, p in module.named_parameters()}
            meant = [n for n, p in named.items() if p.requires_grad and n not in self.explained]
            still = [name for name in meant if id(named[name]) not in updater.steps.reached]
            if network in AVERAGES or not still or (waits and network in updater.later):
                continue
            if len(still) == len(meant):
                yield network
            elif not waits and not moved:
                yield few(still)


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
            for path in filter(Path.exists, (trainer.out / SCORES, trainer.out / TRIALS)):
                cut_lines(path, trainer.iteration)

    def __call__(self, trainer: Trainer) -> None:
        start = time.monotonic()
        with progress_bar(self.console) as bar:
            progress = _interruptible(trainer, bar) if trainer.stopped else bar
            trainer.scores = scores = self.scorer(self.drawing, progress).scores
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
