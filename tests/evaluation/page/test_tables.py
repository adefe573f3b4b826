"""The table of the page: a line for each row, or for each score where there are many."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

Make = Callable[..., Path]
Html = Callable[[], str]
MOST = 10  # scores that stand beside each other


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


def rows(values: dict[str, float]) -> dict[str, Any]:
    return {"by_class": {name: {"value": value, "n": 10} for name, value in values.items()}}


def add(folder: Path, name: str, **more: Any) -> None:
    """A score with what stands beside it, at the last iteration."""
    score = {"value": 1.0, "std": None, "protocol": {}, "hash": name, "more": more}
    with (folder / "scores.jsonl").open("a") as file:
        file.write(json.dumps({"iteration": 40, "scores": {name: score}}) + "\n")


def test_each_class_has_a_row_with_its_means_over_seeds(
    make: Make, page: Callable[[], Any], html: Callable[[], str]
) -> None:
    for seed in (0, 1):
        folder = make("cgan", seed)
        add(folder, "intra-FD9-train", **rows({"cat": 1.0 + seed, "<dog>": 7.0}))
        real = rows({"cat": 0.75, "<dog>": 0.25})
        add(folder, "class-accuracy9", **rows({"cat": 0.5 + seed / 4, "<dog>": 0.125}), real=real)
    make("dcgan")
    texts = [text for text in page().texts if text.strip()]
    start = texts.index("Scores by class")
    expected = [
        "Means over the training seeds.",
        "cgan",
        "class",
        "intra-FD9-train ↓",
        "class-accuracy9 ↑",
        "of real images",
        *("cat", "1.500", "0.625", "0.750"),
        *("<dog>", "7.000", "0.125", "0.250"),
    ]
    assert texts[start + 1 : start + 1 + len(expected)] == expected
    assert html().count("By class: ") == 1


def test_without_classes_there_is_no_such_section(make: Make, html: Callable[[], str]) -> None:
    folder = make("dcgan")
    assert "by class" not in html()
    for more in (3, [], {"by_class": 3}, {"by_class": {"a": 1}}, {"by_class": {"a": {}}}):
        odd = {"value": 1.0, "protocol": {}, "hash": "x", "more": more}
        with (folder / "scores.jsonl").open("a") as file:
            file.write(json.dumps({"iteration": 40, "scores": {"odd": odd}}) + "\n")
        assert "by class" not in html()


def test_a_class_that_a_seed_lacks_has_no_mean(make: Make, page: Callable[[], Any]) -> None:
    add(make("cgan", 0), "intra-FD9-train", **rows({"cat": 1.0, "dog": 2.0}))
    add(make("cgan", 1), "intra-FD9-train", **rows({"cat": 3.0}))
    texts = page().texts
    assert "2.000" in texts and "cat" in texts and "dog" not in texts
