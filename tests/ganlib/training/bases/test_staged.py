"""An updater with stages: what follows from its plan, counted by hand."""

from typing import Any

import pytest

from ganlib.config import AlgorithmConfig, Interval
from ganlib.training.bases.staged import Staged
from ganlib.training.update.streams import Stages


class Config(AlgorithmConfig):
    max_iter: Interval = 0


class Growing(Staged):
    def plan(self) -> Stages:
        n = self.config.batch_size
        return Stages([(40, 2 * n, (8, 8)), (9, n, None), (21, n, None)], batches=2)


def growing(**settings: Any) -> Any:
    updater: Any = object.__new__(Growing)
    updater.__dict__["config"] = Config(batch_size=4, **settings)
    updater.__dict__["stages"] = updater.plan()
    return updater


def test_stages_take_what_their_images_take() -> None:
    """16 images an iteration for 40, then 8 for 9 and for 21: 3, 2 and 3 iterations."""
    updater = growing()
    assert [updater.stage(k).number for k in range(10)] == [0, 0, 0, 1, 1, 2, 2, 2, 2, 2]
    assert updater.length() == 8
    assert growing(max_iter=5).length() == 5


def test_each_stage_begins_with_new_moments() -> None:
    updater, begun = growing(), list[str]()
    updater.__dict__ |= {"optimizer": {"gen": None, "enc": None}, "reset": begun.append}
    updater.begin(updater.stage(3))
    assert begun == ["gen", "enc"]


def test_a_plan_is_asked_for() -> None:
    with pytest.raises(TypeError, match="Staged has no plan"):
        Staged.plan(object.__new__(Staged))
