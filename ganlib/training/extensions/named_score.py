"""A score that never comes can tell no best snapshot."""

from collections.abc import Iterable

from ganlib.common.errors import UserError, did_you_mean
from ganlib.training.trainer import Extension, Trainer, Trigger, every


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
