"""The tables on equal terms: who stands in them, and what is equal."""

import pytest

from ganlib.common.data import Condition
from ganlib.registry import algorithms
from ganlib.runs.run import gather
from ganlib.runs.tables import Asked, Table, Task, open_table

EQUAL = ("dataset", "precision", "batch_size", "epochs", "ema_decay", "architecture", "metrics")
TABLES: list[tuple[str, Condition]] = [("equal_terms", None), ("equal_terms_labels", "labels")]
SEARCHED = (
    *("alpha_gan", "cramer", "dcgan", "dfm", "dragan", "gan", "lsgan", "minibatch_discrimination"),
    *("sngan", "vae", "wgan", "wgan_gp"),
)


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


@pytest.mark.parametrize("name", SEARCHED)
def test_the_quick_preset_is_what_the_search_found(name: str) -> None:
    """So that a README may say of the preset what was measured of the row."""
    table = open_table("equal_terms")
    (best, *_) = Asked(table, {name: table.tasks(name, 0, table.trials)}, [0]).counting(name)
    quick = gather({"algorithm": name, "preset": "quick", "dataset": "fashion_mnist"})
    images = best.settings.run.epochs * 60_000
    of_row, of_preset = best.settings.algorithm.model_dump(), quick.algorithm.model_dump()
    assert of_preset["max_iter"] * of_preset["batch_size"] == images
    assert {**of_preset, "max_iter": None} == {**of_row, "max_iter": None}
