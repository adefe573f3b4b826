"""Every setting of a run either tells recipes apart in a comparison, or stands in a list of those
that do not.
"""

import pytest

from ganlib.config import RunConfig
from ganlib.evaluation.comparison.compare import ELSEWHERE, NO_RECIPE
from ganlib.registry import algorithms
from ganlib.runs.settings import ALIASES, resolve

TELL_APART = {
    "source",
    "hold_out",
    "subset",
    "on_collapse",
    "crop",
    "flip",
    "init_from",
    "freeze_d",
    "max_images",
    "precision",
    "accumulate",
    "sync_bn",
}

OF_ALGORITHMS = {"statistics", "vgg_weights", "feature_weights"}
"""An algorithm's settings on which its training does not depend, and where its files lie."""


def test_a_new_setting_of_every_run_is_a_decision() -> None:
    """Add it here if runs with different values of it are no seeds of one recipe, else there."""
    assert sorted([*TELL_APART, *ELSEWHERE, *NO_RECIPE - OF_ALGORITHMS - ALIASES.keys()]) == sorted(
        RunConfig.model_fields
    )


def test_what_the_trajectory_depends_on_is_never_left_out() -> None:
    names = resolve({"algorithm": "dcgan"}).trajectory().keys()
    assert not names & NO_RECIPE


@pytest.mark.parametrize("name", algorithms.names())
def test_all_settings_of_an_algorithm_tell_apart(name: str) -> None:
    assert not (ELSEWHERE | NO_RECIPE - OF_ALGORITHMS) & set(algorithms[name].config.model_fields)
