"""Scores of the generator while it trains."""

from collections.abc import Callable, Iterator, Mapping

from torch import Tensor

from common.data import DataSet
from ganlib.trainer import Extension, Trainer, Trigger

Scorer = Callable[[Iterator[Tensor]], Mapping[str, float]]


class Evaluate(Extension):
    """Give a stream of samples to every scorer, and the test set to the algorithm's own scores.

    A scorer takes an iterator of float NCHW batches in [-1, 1], n images in all, and returns
    numbers by name; they join the observation, and so the log.
    """

    name = "evaluate"

    def __init__(
        self, trigger: Trigger, scorers: list[Scorer], test: DataSet | None, n: int, seed: int
    ) -> None:
        self.trigger, self.scorers, self.test, self.n, self.seed = trigger, scorers, test, n, seed

    def __call__(self, trainer: Trainer) -> None:
        for scorer in self.scorers:
            trainer.observation.update(scorer(trainer.updater.sample(self.n, self.seed)))
        if self.test is not None:
            trainer.observation.update(trainer.updater.scores(self.test))
