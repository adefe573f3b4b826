"""The tables on equal terms: who stands in them, and what is equal."""

import pytest

from ganlib.common.data import Condition
from ganlib.registry import algorithms
from ganlib.runs.tables import Table, Task, open_table

EQUAL = ("dataset", "precision", "batch_size", "epochs", "ema_decay", "architecture", "metrics")
TABLES: list[tuple[str, Condition]] = [("equal_terms", None), ("equal_terms_labels", "labels")]


def tasks(table: Table) -> list[Task]:
    return [task for row in table.rows for task in table.tasks(row, 0, table.trials)]


@pytest.mark.parametrize(("name", "condition"), TABLES)
def test_every_method_that_starts_so_is_a_row(name: str, condition: Condition) -> None:
    """r3gan stands in both: it is told of classes on request."""
    wanted = {a for a in algorithms.names() if algorithms[a].config().condition == condition}
    planned = tasks(open_table(name))
    assert {task.settings.run.algorithm for task in planned} == wanted | {"r3gan"}
    assert {task.settings.algorithm.condition for task in planned} == {condition}


@pytest.mark.parametrize("name", [name for name, _ in TABLES])
def test_terms_are_equal(name: str) -> None:
    table = open_table(name)
    terms = [task.settings.flat() for task in tasks(table)]
    assert len(terms) == 6 * len(table.rows)
    assert len({tuple(str(flat[key]) for key in EQUAL) for flat in terms}) == 1
    for own in table.rows.values():
        search = table.search if own.search is None else own.search
        assert "adam_alpha" in search and len(search) <= 3
        assert own.note or not {"adam_beta1", "adam_beta2", "optimizer"} & set(own.settings)


def test_progressive_sees_as_many_images_as_the_others() -> None:
    """Four sizes, three of which fade in; 1.6 passes over 60,000 images."""
    (task, *_) = open_table("equal_terms").tasks("progressive", 0, 1)
    flat = task.settings.flat()
    assert (3 + 3) * flat["stage_images"] + flat["last_images"] == flat["epochs"] * 60_000
