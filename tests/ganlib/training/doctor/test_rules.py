"""What the doctor concludes from histories that were made up."""

from typing import Any

import pytest

from ganlib.registry import algorithms
from ganlib.training.doctor.rules import RULES, findings

HEALTHY: dict[str, Any] = {
    **{"loss_dis": 1.1, "loss_gen": 0.9, "loss_gp": 0.1, "grad_gen": 2.0, "grad_dis": 3.0},
    **{"spread": 0.9, "nearest": 1.1, "contrast": 0.95, "auc": 0.9, "apart": 2.0},
    **{"dis_train": 1.0, "dis_test": 0.9, "dis_fake": -1.0, "classes": 10.0, "missing": 0.0},
}


def history(*changes: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"iteration": 100 * (k + 1), **HEALTHY, **one} for k, one in enumerate(changes)]


def names(rows: list[dict[str, Any]]) -> list[str]:
    return [one.rule.name for one in findings(rows, RULES)]


AT_FIRST = {"spread": 0.1, "contrast": 0.2, "auc": 1.0, "apart": 9.0, "classes": 1.0}
ILL: dict[str, list[dict[str, Any]]] = {
    "constant-data": [{"data_deviation": 0.0}],
    "duplicated-data": [{"data_deviation": 0.5, "data_distinct": 0.02}],
    "meaningless-labels": [{"data_distinct": 1.0, "data_labels": -0.4}],
    "constant-images": [{}, *3 * [{"contrast": 0.01, "spread": 0.0}]],
    "collapse": [{}, *3 * [{"spread": 0.1}]],
    "partial-collapse": [{}, *2 * [{"classes": 4.0, "missing": 6.0}]],
    "discriminator-won": 3 * [{"auc": 1.0, "apart": 20.0}],
    "discriminator-stopped": 3 * [{"auc": 0.52, "apart": 0.1, "nearest": 1.9}],
    "memorising": 2 * [{"dis_test": -0.8, "apart": 3.0}],
    "divergence": [{}, {}, {"dis_fake": -5000.0}],
    "oscillation": 2 * [{"auc": 0.1}, {"auc": 0.9}],
    "penalty": 2 * [{"loss_gp": 40.0}],
}


def test_every_rule_has_an_illness_here() -> None:
    assert [rule.name for rule in RULES] == list(ILL)


@pytest.mark.parametrize("name", ILL)
def test_each_is_named_alone_and_not_before_its_time(name: str) -> None:
    rows = history(*ILL[name])
    assert names(rows) == [name]
    assert names(rows[:-1]) == []


def test_nothing_is_said_of_a_run_that_begins_and_gets_well() -> None:
    rows = history(*4 * [AT_FIRST], {"missing": 4.0}, {}, {})
    assert [names(rows[: k + 1]) for k in range(len(rows))] == [[]] * len(rows)
    assert names([]) == [] and names([{"iteration": 100}]) == []


def test_classes_that_never_came_are_missed_after_long() -> None:
    rows = history(*31 * [{"classes": 8.0, "missing": 2.0}])
    assert names(rows[:30]) == [] and names([*rows, rows[-1]]) == ["partial-collapse"]


def test_the_generator_that_draws_training_images_memorises_too() -> None:
    assert names(history({"nearest": 0.2}, {"nearest": 0.2})) == ["memorising"]


def test_a_sentence_says_since_when_how_sure_and_what_to_try() -> None:
    settings = algorithms["wgan_gp"].config().model_dump()
    rows = history({}, *3 * [{"spread": 0.1}])
    (collapse,) = findings(rows, RULES)
    assert collapse.sentence(settings) == (
        "Since iteration 200, probably: samples are alike (spread 0.1 of the data's). "
        "Try --n-dis 10 or --adam-alpha 0.0001."
    )
    (later,) = findings([*rows, *history(*3 * [{"spread": 0.1}])], RULES)
    assert later.sentence(settings).startswith("Since iteration 200, almost surely: ")


def test_missing_classes_are_named_and_only_settings_of_the_method_are_advised() -> None:
    (partial,) = findings(history(*ILL["partial-collapse"]), RULES)
    text = partial.sentence({"adam_alpha": 2e-4, "batch_size": 64}, ("Bag", "Coat"))
    assert (
        "4 of the classes; missing: Bag, Coat. Try --adam-alpha 0.0001 or --batch-size 128." in text
    )
    (won,) = findings(history(*ILL["discriminator-won"]), RULES)
    minimax = algorithms["gan"].config(loss="minimax", n_dis=1).model_dump()
    assert "Try --loss nonsaturating or --diffaugment" in won.sentence(minimax)
    assert "diffaugment" not in won.sentence({**minimax, "ada": ("color",)})  # which goes alone
    assert won.sentence({}).endswith("deviations apart.")
