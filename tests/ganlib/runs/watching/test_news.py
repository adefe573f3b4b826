"""What an open page is told: what is new, each thing once."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ganlib.runs.watching.news import LARGEST, News
from ganlib.runs.watching.seen import Watcher

Begin = Callable[..., Any]
EVIL = "<script>alert('\"&')</script>"


@pytest.fixture
def news(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> News:
    """Of result/, looked at whenever it is asked."""
    monkeypatch.setattr("ganlib.runs.watching.news.PAUSE", 0.0)
    monkeypatch.setattr("ganlib.runs.watching.news.SHARE", 1e9)
    (tmp_path / "result").mkdir()
    return News(Watcher(tmp_path / "result"))


def ask(news: News, version: str = "") -> dict[str, Any]:
    told: dict[str, Any] = json.loads(news.since(version))
    return told


def test_an_empty_folder_is_a_page_and_a_run_comes_into_it(news: News, begin: Begin) -> None:
    assert "No run lies here yet" in news.page()
    before = ask(news)
    assert before["order"] == ["runs"] and not before["runs"]
    begin().log(100, loss_gen=0.25)
    after = ask(news, before["version"])
    assert len(after["order"]) == 2 and set(after["html"]) == set(after["order"])
    (run,) = after["runs"].values()
    assert run["log"]["loss_gen"] == [0.25]
    assert "1 of 1 runs at work" in after["title"]


def test_only_what_is_new_is_told(news: News, begin: Begin) -> None:
    one, other = begin("a"), begin("b")
    one.log(100, loss=1.0)
    first = ask(news)
    again = ask(news, first["version"])
    assert not again["runs"] and not again["tables"] and again["version"] == first["version"]
    other.log(100, loss=3.0)
    second = ask(news, first["version"])
    (run,) = second["runs"].values()
    assert run["log"]["loss"] == [3.0] and "runs" in second["html"]
    # of another process, or of nobody
    assert ask(news, "another-1")["runs"].keys() == ask(news, "x")["runs"].keys()
    assert len(ask(news, "another-1")["runs"]) == 2


def test_what_is_gone_is_gone(news: News, begin: Begin) -> None:
    run = begin()
    run.log(1, loss=1.0)
    first = ask(news)
    for file in run.path.glob("*.yaml"):
        file.unlink()
    second = ask(news, first["version"])
    assert second["order"] == ["runs"] and second["version"] != first["version"]


def test_scores_of_two_protocols_stand_apart(news: News, begin: Begin) -> None:
    for algorithm, key, n in (("a", "ab", 10), ("b", "ab", 10), ("c", "zz", 50)):
        run = begin(algorithm)
        run.log(100, loss=1.0)
        run.score(100, 3.0, key, n_generated=n)
    told = ask(news)
    (table,) = told["tables"].values()
    assert [(p["main"], p["score"]) for p in table["panels"]] == [
        *((True, True), (False, True), (True, False))
    ]
    html = told["html"][told["order"][1]]
    assert "Scores of other protocols (1)" in html and "n_generated: 50" in html


def test_names_are_text(news: News, begin: Begin) -> None:
    begin(EVIL, name="x").log(1, **{EVIL: 1.0})
    page = news.page()
    assert EVIL not in page and page.count("<script") == 2


def test_pictures_are_had_by_names_that_were_given_alone(
    news: News, begin: Begin, tmp_path: Path
) -> None:
    run = begin()
    run.log(1, loss=1.0)
    path = run.grid(100)
    (told,) = ask(news)["runs"].values()
    ((iteration, source),) = told["grids"]
    name = source.removeprefix("picture/")
    assert iteration == 100 and news.album.read(name) == path.read_bytes()
    for other in ("", "x.png", path.name, str(path), "../config.yaml", "/etc/passwd", "\0"):
        assert news.album.read(other) is None
    secret = tmp_path / "secret.png"
    secret.write_bytes(path.read_bytes())
    path.unlink()
    assert news.album.read(name) is None
    path.symlink_to(secret)
    assert news.album.read(name) is None
    path.unlink()
    path.write_text("no picture")
    assert news.album.read(name) is None
    with path.open("wb") as file:
        file.truncate(LARGEST + 1)
    assert news.album.read(name) is None


def test_looking_takes_a_small_share_of_a_core(news: News, begin: Begin) -> None:
    begin().log(1, loss=1.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ganlib.runs.watching.news.PAUSE", 100.0)
        first = ask(news)
        begin("other").log(1, loss=1.0)
        assert ask(news)["version"] == first["version"]
