"""What methods whose training has stages share: a plan of them, and what follows from it."""

from ganlib.training.update.streams import Stage, Stages
from ganlib.training.updater import Updater


class Staged(Updater):
    """An updater that trains in stages, each on so many real images: `stages`, its plan()."""

    stages: Stages

    def plan(self) -> Stages:
        """The stages of the settings; UserError where these do not go together."""
        raise TypeError(f"{type(self).__name__} has no plan()")

    def setup(self) -> None:
        self.stages = self.plan()

    def stage(self, iteration: int) -> Stage:
        return self.stages.at(iteration)

    def begin(self, stage: Stage) -> None:
        """All optimizers start anew, as those of trainings one after the other do."""
        for name in self.optimizer:
            self.reset(name)

    def length(self) -> int:
        """max_iter, or if that is 0 what all stages take."""
        return self.config.max_iter or max(1, self.stages.length)
