"""What a method's updater is made of: `class Updater(updater.Updater)`, and the stages of one whose
batches or images grow.
"""

from ganlib.training.update.streams import Stage, Stages
from ganlib.training.updater import Updater

__all__ = ["Stage", "Stages", "Updater"]
