"""The page of a comparison: whole, self-contained and escaped."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

EVIL = "<script>alert('\"&')</script>"
Make = Callable[..., Path]
Html = Callable[[], str]
Parsed = Callable[[], Any]


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
    for phrase in ("1.50", "± 0.71", "FD-toy ↓", "loss_dis", "n_generated", "10000", "Seed 1"):
        assert phrase in text, phrase
    pictures = parsed.all("img")
    assert len(pictures) == 5
    assert all("at iteration 40" in (a["alt"] or "") for a in pictures)
    charts = [a for a in parsed.all("svg") if a.get("role") == "img"]
    assert len(charts) == 4  # a score and a loss of each data set; loss_gen is never a number
    assert all("Last values: " in (a["aria-label"] or "") for a in charts)


def test_nothing_is_fetched_and_nothing_runs(make: Make, page: Parsed, html: Html) -> None:
    make("dcgan")
    text = html()
    parsed = page()
    allowed = {a["src"] for a in parsed.all("img")}
    assert all(source and source.startswith("data:image/png;base64,") for source in allowed)
    tags = {tag for tag, _ in parsed.tags}
    assert not tags & {"script", "link", "iframe", "object", "embed", "form", "base"}
    attributes = [(k, v) for _, values in parsed.tags for k, v in values.items()]
    assert not [k for k, _ in attributes if k.startswith("on") or k in ("href", "xlink:href")]
    assert not re.search(r"https?://|url\(|@import", text)
    assert "default-src 'none'" in text


def test_what_comes_from_files_is_escaped(make: Make, page: Parsed, html: Html) -> None:
    folder = make(EVIL, settings={"architecture": EVIL}, dataset=EVIL, stage=EVIL, **{EVIL: 1.5})
    make(EVIL, settings={"architecture": "b"}, dataset=EVIL)
    folder.rename(folder.with_name("<b>&run"))
    text = html()
    parsed = page()
    assert not parsed.all("script") and "<script" not in text and "<b>&run" not in text
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
