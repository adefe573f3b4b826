"""The page of a comparison: whole, self-contained and escaped; its table has a line for each row,
or for each score where there are many.
"""

import base64
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ganlib.evaluation.comparison.compare import compare
from ganlib.evaluation.page.document import to_html

EVIL = "<script>alert('\"&')</script>"
Make = Callable[..., Path]
Html = Callable[[], str]
Parsed = Callable[[], Any]
MOST = 10  # scores that stand beside each other


def test_the_page_holds_the_table_curves_samples_and_protocols(make: Make, page: Parsed) -> None:
    for algorithm in ("dcgan", "sngan"):
        for seed in (0, 1):
            make(algorithm, seed)
    make("sngan", 2, dataset="other")
    parsed = page()
    scores = [a for a in parsed.all("div") if a.get("aria-label") == "Scores"]
    assert len(scores) == len(parsed.all("section")) == 2
    assert all(a.get("scope") in ("col", "row") for a in parsed.all("th"))
    text = " ".join(parsed.texts)
    assert "2 algorithms on 2 data sets" in text
    for phrase in ("1.50", "± 0.71", "FD-toy\xa0↓", "loss_dis", "n_generated", "10000", "Seed 1"):
        assert phrase in text, phrase
    pictures = parsed.all("img")
    assert len(pictures) == 5
    assert all("at iteration 40" in (a["alt"] or "") for a in pictures)
    abouts = [a for a in parsed.all("button") if a["class"] == "about"]
    assert {a["popovertarget"] for a in abouts} == {a["id"] for a in parsed.all("div") if "id" in a}


def test_nothing_is_fetched_and_no_script_runs_but_the_own(
    make: Make, page: Parsed, html: Html
) -> None:
    make("dcgan")
    text = html()
    parsed = page()
    allowed = {a["src"] for a in parsed.all("img")}
    assert all(source and source.startswith("data:image/png;base64,") for source in allowed)
    tags = {tag for tag, _ in parsed.tags}
    assert not tags & {"link", "iframe", "object", "embed", "form", "base"}
    attributes = [(k, v) for _, values in parsed.tags for k, v in values.items()]
    assert not [k for k, _ in attributes if k.startswith("on") or k in ("href", "xlink:href")]
    numbers, script = re.findall(r"<script[^>]*>(.*?)</script>", text, re.DOTALL)
    assert json.loads(numbers)["runs"] and len(parsed.all("script")) == 2
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = [a["content"] for a in parsed.all("meta") if "http-equiv" in a]
    assert policy == (
        "default-src 'none'; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; img-src data:"
    )
    assert not re.search(r"https?://(?!github.com/leeoniya/uPlot )|url\(|@import", text)


def test_what_comes_from_files_is_escaped(make: Make, page: Parsed, html: Html) -> None:
    folder = make(EVIL, settings={"architecture": EVIL}, dataset=EVIL, stage=EVIL, **{EVIL: 1.5})
    make(EVIL, settings={"architecture": "b"}, dataset=EVIL)
    folder.rename(folder.with_name("<b>&run"))
    text = html()
    parsed = page()
    assert text.count("<script") == 2 and "<b>&run" not in text
    assert text.count("&lt;script&gt;") > 10
    assert f"seed 0, iteration 40, {EVIL}" in "".join(parsed.texts)
    shown = [t for t in parsed.texts if EVIL in t]
    labels = [a for _, v in parsed.tags for a in v.values() if a and EVIL in a]
    assert shown and labels


def test_a_run_that_has_only_begun_makes_a_page(tmp_path: Path, page: Parsed) -> None:
    folder = tmp_path / "result"
    folder.mkdir()
    (folder / "config.yaml").write_text("algorithm: dcgan\ndataset: toy\n")
    text = " ".join(page().texts)
    assert "No run has been scored yet." in text and "Not recorded." in text


def with_scores(folder: Path, values: list[float]) -> None:
    scores = {f"S{i}": {"value": v, "hash": "a", "protocol": {}} for i, v in enumerate(values)}
    scores["L1"] = {"value": values[0], "hash": "a", "protocol": {}}
    (folder / "scores.jsonl").write_text(json.dumps({"iteration": 40, "scores": scores}) + "\n")


def lines(text: str) -> list[list[str]]:
    """The cells of each line of the first table."""
    table = text.partition("<table")[2].partition("</table>")[0]
    rows = re.split("<tr[^>]*>", table)[1:]
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in rows]
    return [[re.sub("<[^>]*>", "", cell).strip() for cell in row] for row in cells]


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
    assert '<table class="wide sorts">' in text
    title, row = lines(text)
    assert title[:2] == ["algorithm", "S0"] and title[MOST] == "L1&nbsp;↓"
    assert row[:3] == ["a", "1.00", "2.00"]


def test_why_a_score_is_in_another_column_stands_in_its_place(make: Make, tmp_path: Path) -> None:
    other = make("a") / "scores.jsonl"
    text = other.read_text()
    other.write_text(text.replace('"ab"', '"zz"').replace("10000", "50"))
    make("b")
    make("c")
    (table,) = compare([tmp_path / "result"], split=True)
    title, *rows = lines(to_html([table]))
    assert title[1:3] == ["FD-toy (n_generated: 10000)&nbsp;↓", "FD-toy (n_generated: 50)&nbsp;↓"]
    assert [row[0] for row in rows] == ["b", "c", "a"]
    assert rows[2][1] == "–n_generated: 50" and rows[0][2] == "–"


def test_what_the_doctor_says_stands_with_its_run(make: Make, page: Parsed, html: Html) -> None:
    make("healthy", doctor=3)
    assert "What the doctor says" not in html()
    log = make("ill", n=2) / "log.jsonl"
    line = {"iteration": 900, "doctor": "collapse: Since iteration 800.\nwon: <b>D has won.</b>"}
    with log.open("a") as file:
        file.write(json.dumps(line) + "\n")
    text = "".join(page().texts)
    assert text.count("What the doctor says") == 1
    assert "collapse: Since iteration 800. Iteration 900." in text
    assert "won: <b>D has won.</b>" in text and "<b>D has won" not in html()


def rows(values: dict[str, float]) -> dict[str, Any]:
    return {"by_class": {name: {"value": value, "n": 10} for name, value in values.items()}}


def add(folder: Path, name: str, **more: Any) -> None:
    """A score with what stands beside it, at the last iteration."""
    score = {"value": 1.0, "std": None, "protocol": {}, "hash": name, "more": more}
    with (folder / "scores.jsonl").open("a") as file:
        file.write(json.dumps({"iteration": 40, "scores": {name: score}}) + "\n")


def test_each_class_has_a_row_with_its_means_over_seeds(
    make: Make, page: Parsed, html: Html
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


def test_without_classes_there_is_no_such_section(make: Make, html: Html) -> None:
    folder = make("dcgan")
    assert "by class" not in html()
    for more in (3, [], {"by_class": 3}, {"by_class": {"a": 1}}, {"by_class": {"a": {}}}):
        odd = {"value": 1.0, "protocol": {}, "hash": "x", "more": more}
        with (folder / "scores.jsonl").open("a") as file:
            file.write(json.dumps({"iteration": 40, "scores": {"odd": odd}}) + "\n")
        assert "by class" not in html()


def test_a_class_that_a_seed_lacks_has_no_mean(make: Make, page: Parsed) -> None:
    add(make("cgan", 0), "intra-FD9-train", **rows({"cat": 1.0, "dog": 2.0}))
    add(make("cgan", 1), "intra-FD9-train", **rows({"cat": 3.0}))
    texts = page().texts
    assert "2.000" in texts and "cat" in texts and "dog" not in texts
