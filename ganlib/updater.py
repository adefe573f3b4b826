"""What a method's updater is made of: the class, and stages of batches or images that grow."""

from ganlib.training.update.streams import Stage, Stages
from ganlib.training.updater import Updater

__all__ = ["Stage", "Stages", "Updater"]
