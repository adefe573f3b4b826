"""What is drawn: finite numbers, and no more points than can be seen."""

import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ganlib.evaluation.comparison.compare import compare
from ganlib.evaluation.comparison.reading import read_run
from ganlib.evaluation.page.drawn import POINTS, curves_of, looks_of, plan_of

Make = Callable[..., Path]
Told = Callable[[], Any]


def test_only_finite_numbers_are_drawn(make: Make, told: Told) -> None:
    make("spikes", loss_a=1e300, loss_b=0.0, loss_c=-1e-9, flag=True, words="x", none=None)
    make("single", 1, n=2, loss_d=3.0)
    content = told()
    (table,) = content["tables"].values()
    assert [panel["title"] for panel in table["panels"]][:2] == ["FD-toy ↓", "loss_a"]
    names = {name for run in content["runs"].values() for name in run["log"]}
    assert {"loss_b", "loss_c", "loss_d", "loss_dis", "seconds", "images"} <= names
    assert not names & {"loss_a", "loss_gen", "flag", "words", "none"}
    for run in content["runs"].values():
        for values in run["log"].values():
            assert all(value is None or math.isfinite(value) for value in values)


@pytest.mark.parametrize("n", [5, 300, 301, 5000])
def test_long_logs_are_thinned_and_means_stay(n: int, make: Make) -> None:
    run = read_run(make("dcgan", n=n))
    assert run is not None
    log = curves_of(run)["log"]
    assert len({len(values) for values in log.values()}) == 1
    assert n / 2 < len(log["loss_dis"]) <= POINTS or len(log["loss_dis"]) in range(200, POINTS + 1)
    every = [line["loss_dis"] for line in run.log]
    np.testing.assert_allclose(np.mean(log["loss_dis"]), np.mean(every), atol=5e-3)


def test_seconds_go_on_where_a_run_did(make: Make) -> None:
    folder = make("dcgan", n=4)
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    for line, seconds in zip(lines, (10.0, 20.0, 1.0, 2.0), strict=True):
        line["seconds"] = seconds
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    run = read_run(folder)
    assert run is not None and run.elapsed == [10, 20, 21, 22]
    assert curves_of(run)["log"]["seconds"] == [10, 20, 21, 22]
    assert run.hours == 22 / 3600


def test_the_main_protocol_comes_first_and_others_after_it(make: Make, tmp_path: Path) -> None:
    for seed, algorithm in enumerate("abc"):
        folder = make(algorithm, seed)
        if algorithm == "a":
            text = (folder / "scores.jsonl").read_text()
            (folder / "scores.jsonl").write_text(text.replace('"ab"', '"zz"'))
    (table,) = compare([tmp_path / "result"], split=True)
    panels = [p for p in plan_of(table)["panels"] if p["score"]]
    assert [(p["parts"][0]["key"], p["main"]) for p in panels] == [
        ("FD-toy ab", True),
        ("FD-toy zz", False),
    ]


def test_each_of_many_rows_looks_otherwise_and_goes_on_so(make: Make, tmp_path: Path) -> None:
    for i in range(24):
        os.utime(make(f"method{i}", n=2, side=2) / "environment.json", (i, i))
    (table,) = compare([tmp_path / "result"])
    looks = looks_of(table)
    assert len(set(looks.values())) == 24 and looks["method0"] == "s0 d0"
    make("a_later_one", n=2, side=2)
    (table,) = compare([tmp_path / "result"])
    assert looks.items() <= looks_of(table).items()


def test_what_the_discriminator_sees_is_one_panel(make: Make, told: Told) -> None:
    figures = {"doctor/dis_train": 1.0, "doctor/dis_test": 0.5, "doctor/dis_fake": -1.0}
    make("dcgan", n=4, **figures, **{"doctor/spread": 0.9})
    (one,) = told()["tables"].values()
    panels = {panel["title"]: panel for panel in one["panels"]}
    sees = panels["What the discriminator sees"]
    assert {part["key"] for part in sees["parts"]} == figures.keys() and sees["group"] == ""
    assert panels["spread"]["group"] == "doctor" and panels["loss_dis"]["group"] == ""
