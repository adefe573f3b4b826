"""What follows from a run's log and environment."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ganlib.evaluation.comparison.reading import read_run
from ganlib.evaluation.comparison.table import Table

Make = Callable[..., Path]
Tables = Callable[..., Table]
Log = Callable[..., list[dict[str, Any]]]


@pytest.mark.parametrize(
    ("seconds", "rate", "hours"),
    [
        ((10, 20, 30), 640, 30 / 3600),
        ((10, 20, 10, 20), 640, 40 / 3600),
        ((10, 10.2, 20.4), 640, 30.4 / 3600),  # resumed after one line, and not the faster
        ((10, 12, 12, 24), 640, 46 / 3600),
        ((10, 3, 13), 640, 23 / 3600),  # resumed from a snapshot between two lines
        ((5,), 0.0, 5 / 3600),
        ((), 640, None),
    ],
)
def test_hours_are_added_over_resumes(
    seconds: tuple[float, ...], rate: float, hours: float | None, make: Make, log: Log
) -> None:
    run = read_run(make("dcgan", log_lines=log(*seconds, rate=rate)))
    assert run is not None
    assert run.hours == (None if hours is None else pytest.approx(hours))


@pytest.mark.parametrize(
    ("settings", "device", "kind"),
    [
        ({}, "NVIDIA H100 80GB HBM3", "GPU"),
        ({"device": "mps"}, "mps", "GPU"),
        ({"gpu": -1}, "x86_64", "CPU"),
        ({}, "x86_64", "CPU"),
        ({}, "aarch64", "CPU"),
    ],
)
def test_what_the_hours_are_of(
    settings: dict[str, Any], device: str, kind: str, make: Make, the_table: Tables
) -> None:
    folder = make("dcgan", **{k: v for k, v in settings.items() if k != "device"})
    flat = yaml.safe_load((folder / "config.yaml").read_text()) | settings
    (folder / "config.yaml").write_text(yaml.safe_dump(flat))
    (folder / "environment.json").write_text(json.dumps({"device": device}))
    table = the_table()
    assert table.headers[-1] == f"{kind}-hours per run"
    make("sngan", device="NVIDIA A100" if kind == "CPU" else "arm64")
    mixed = the_table()
    assert mixed.headers[-1] == "hours per run"
    assert {mixed.costs(row)[-1][-4:] for row in mixed.rows} == {" CPU", " GPU"}


@pytest.mark.parametrize(
    ("kind", "name", "settings", "hours"),
    [
        ("cpu", "Apple M3", {}, "CPU"),
        ("mps", "arm", {}, "GPU"),
        ("cuda", "", {}, "GPU"),
        ("cpu", "NVIDIA A100", {"gpu": 0}, "CPU"),
        (None, "Apple M3", {}, "GPU"),  # a file from before: a guess
        (None, "arm", {}, "CPU"),
    ],
)
def test_the_recorded_type_of_the_device_goes_before_a_guess(
    kind: str | None, name: str, settings: dict[str, Any], hours: str, make: Make
) -> None:
    folder = make("dcgan", **settings)
    recorded = {"device": name} | ({"device_type": kind} if kind else {})
    (folder / "environment.json").write_text(json.dumps(recorded))
    run = read_run(folder)
    assert run is not None and run.device == hours
