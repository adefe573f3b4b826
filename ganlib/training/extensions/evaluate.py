"""Scores of the generator while it trains."""

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta

from rich.console import Console

from ganlib.common.data import DataSet
from ganlib.common.io.console import say
from ganlib.common.io.jsonl import append_line, cut_lines
from ganlib.evaluation import Evaluator, Score
from ganlib.evaluation.comparison.table import figures
from ganlib.evaluation.metrics.modes import score_points
from ganlib.evaluation.statistics.references import Progress
from ganlib.training.device import ranks
from ganlib.training.scores.predictions import frame_scores
from ganlib.training.scores.scorer import (
    SCORES,
    TRIALS,
    counted,
    origin_of,
    progress_bar,
    samples_to_score,
    scores_line,
)
from ganlib.training.scores.translations import PairScores, scored
from ganlib.training.trainer import Extension, Interrupted, Trainer, Trigger


class Evaluate(Extension):
    """Score `n` samples, and let the algorithm score itself on the test set.

    Points of a known mixture are scored by its modes, everything else by `evaluator`; translations
    by `pairs`, too, each held-out source at most once, and predicted frames by what came. The
    numbers join the observation, and so the log; with their protocols they become a line of
    scores.jsonl. at_end: also once the run has reached its end.
    """

    name = "evaluate"

    def __init__(
        self,
        trigger: Trigger,
        evaluator: Evaluator | None,
        test: DataSet | None,
        console: Console,
        metrics: Sequence[str] = ("is", "fid"),
        n: int = 10_000,
        seed: int = 0,
        at_end: bool = False,
        pairs: PairScores | None = None,
    ) -> None:
        self.trigger, self.evaluator, self.test = trigger, evaluator, test
        self.console, self.metrics, self.n, self.seed = console, metrics, n, seed
        self.at_end, self.pairs = at_end, pairs

    def initialize(self, trainer: Trainer) -> None:
        if ranks.rank() == 0:
            for name in (SCORES, TRIALS):
                cut_lines(trainer.out / name, trainer.iteration)

    def __call__(self, trainer: Trainer) -> None:
        start, scores = time.monotonic(), self._scores(trainer)
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

    def _scores(self, trainer: Trainer) -> Mapping[str, Score]:
        updater, mixture = trainer.updater, trainer.updater.data.data.mixture
        origin = origin_of(updater, self.seed)
        if mixture is not None:
            return score_points(updater.sample(self.n, self.seed), mixture, origin)
        if self.evaluator is None and self.pairs is None:
            return {}
        rank, world = ranks.rank(), ranks.count()
        n = scored(updater, self.n)
        samples = samples_to_score(updater, n, self.seed, rank=rank, world=world, pairs=self.pairs)
        scores: dict[str, Score] = {}
        with progress_bar(self.console) as bar:
            progress = _heeding(trainer, bar) if trainer.stopped else bar
            if self.pairs is not None:
                self.pairs.prepare(progress)
            if self.evaluator is None:
                samples = counted(samples, n, progress, world)
            else:
                with ranks.first_alone():  # it computes the references and keeps them
                    for name in self.evaluator.images:
                        self.evaluator.reference(name, progress)
                args = (samples, self.metrics, n, origin, progress, rank, world)
                scores = self.evaluator(*args).scores
            if self.pairs is not None:
                scores |= self.pairs.scores(origin, self.seed, samples, world, progress)
            scores |= frame_scores(updater, origin, progress)
        return scores


def _heeding(trainer: Trainer, progress: Progress) -> Progress:
    """The same, but Interrupted once there was a signal. Ranks, which wait for each other, are not
    interrupted.
    """

    def told(what: str, done: int, total: int | None) -> None:
        if trainer.signalled and ranks.count() == 1:
            raise Interrupted
        progress(what, done, total)

    return told
