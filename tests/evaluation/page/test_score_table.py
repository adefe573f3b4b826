"""The table of the page: a line for each row, or for each score where there are many."""

import json
import re
from collections.abc import Callable
from pathlib import Path

from ganlib.evaluation.page.scores import MOST

Make = Callable[..., Path]
Html = Callable[[], str]


def with_scores(folder: Path, values: list[float]) -> None:
    scores = {f"S{i}": {"value": v, "hash": "a", "protocol": {}} for i, v in enumerate(values)}
    scores["L1"] = {"value": values[0], "hash": "a", "protocol": {}}
    (folder / "scores.jsonl").write_text(json.dumps({"iteration": 40, "scores": scores}) + "\n")


def lines(text: str) -> list[list[str]]:
    """The cells of each line of the first table."""
    table = text.partition("<table")[2].partition("</table>")[0]
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in table.split("<tr>")[1:]]
    return [[re.sub("<[^>]*>", "", cell) for cell in row] for row in cells]


def test_of_many_scores_each_has_a_line_with_the_numbers_of_all_rows(
    make: Make, html: Html
) -> None:
    with_scores(make("a"), [float(i) for i in range(1, MOST + 1)])
    with_scores(make("b"), [float(100 + i) for i in range(1, MOST + 1)])
    text = html()
    assert '<table class="tall">' in text
    title, *rows = lines(text)
    assert title == ["algorithm", "a", "b"]
    assert rows[0] == ["S0", "1.00", "101.00"] and rows[MOST - 1] == ["S9", "10.00", "110.00"]
    assert rows[MOST] == ["L1&nbsp;↓", "1.00 (best)", "101.00"]
    assert [row[0] for row in rows[MOST + 1 :]][:3] == ["n", "iterations", "images/s"]
    assert rows[MOST + 2] == ["iterations", "40", "40"]


def test_few_scores_stand_beside_each_other(make: Make, html: Html) -> None:
    with_scores(make("a"), [float(i) for i in range(1, MOST)])
    text = html()
    assert '<table class="wide">' in text
    title, row = lines(text)
    assert title[:2] == ["algorithm", "S0"] and title[MOST] == "L1&nbsp;↓"
    assert row[:3] == ["a", "1.00", "2.00"]
