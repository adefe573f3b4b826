"""Columns hold scores of one protocol."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ganlib.common.errors import UserError
from ganlib.evaluation.comparison.compare import compare
from ganlib.evaluation.comparison.figures import NOTHING, headers
from ganlib.evaluation.comparison.table import Table

Make = Callable[..., Path]
Tables = Callable[..., Table]
Texts = Callable[[Table], dict[str, list[str]]]
Score = Callable[..., dict[str, Any]]


def test_two_protocols_in_a_column_are_refused_with_what_differs(
    make: Make, tmp_path: Path, the_table: Tables, texts: Texts, score: Score
) -> None:
    make("dcgan", 0, {200: {"FD": score(5.0, "aa", versions={"torch": "1"}, seed=1)}})
    changed = score(3.0, "bb", n_generated=50_000, settings={"k": 5}, versions={}, seed=2)
    make("sngan", 0, {200: {"FD": changed}})
    with pytest.raises(UserError) as caught:
        compare([tmp_path / "result"])
    message = str(caught.value)
    assert message.startswith("FD of ") and "give split=True for" in message
    assert "dcgan/seed0" in message and "sngan/seed0" in message
    assert "(n_generated: 10000 against 50000, k: 3 against 5)" in message
    table = the_table(split=True)
    assert headers(table)[1:3] == [
        "FD (n_generated: 10000, k: 3) ↓",
        "FD (n_generated: 50000, k: 5) ↓",
    ]
    assert texts(table) == {"dcgan": ["5.00", NOTHING], "sngan": [NOTHING, "3.00"]}
    assert not [c for row in table.rows for c in row.cells if c and c.best]


def test_protocols_that_are_not_told_apart_by_a_field_are_by_their_hash(
    make: Make, tmp_path: Path, the_table: Tables, score: Score
) -> None:
    make("dcgan", 0, {200: {"FD": score(5.0, "aa")}})
    make("sngan", 0, {200: {"FD": score(3.0, "bb")}})
    with pytest.raises(UserError, match="protocol aa against bb"):
        compare([tmp_path / "result"])
    assert headers(the_table(split=True))[1:3] == ["FD (aa) ↓", "FD (bb) ↓"]
