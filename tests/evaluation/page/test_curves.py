"""What is drawn: finite numbers, and no more points than can be seen."""

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ganlib.evaluation.page.axes import thin
from ganlib.evaluation.page.curves import WIDTH

Make = Callable[..., Path]
Parsed = Callable[[], Any]


def test_the_numbers_of_the_drawings_are_finite(make: Make, page: Parsed) -> None:
    make("spikes", loss_a=1e300, loss_b=0.0, loss_c=-1e-9, flag=True, words="x", none=None)
    make("single", 1, n=2, loss_d=3.0)
    folder = make("jump", 2, n=400)
    log = (folder / "log.jsonl").read_text().splitlines(keepends=True)
    first = {**json.loads(log[0]), "loss_dis": 1e25}
    (folder / "log.jsonl").write_text(json.dumps(first) + "\n" + "".join(log[1:]))
    parsed = page()
    drawn = [a for _, a in parsed.tags]
    values = [
        number
        for attributes in drawn
        for name in ("points", "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "width", "height")
        if name in attributes
        for number in re.split(r"[ ,]+", attributes[name] or "")
    ]
    assert len(values) > 500
    assert all(math.isfinite(float(v)) and abs(float(v)) < 5000 for v in values if v[-1] != "%")
    assert not any("flag" == t or "words" == t for t in parsed.texts)
    assert "(a few outliers lie outside)" in " ".join(parsed.texts)


def test_long_logs_are_thinned_and_means_stay(make: Make, page: Parsed) -> None:
    make("dcgan", n=5000)
    lines = [a["points"] or "" for a in page().all("polyline")]
    assert 200 < max(len(points.split()) for points in lines) <= 300
    points = [(float(i), float(i % 7)) for i in range(2100)]
    reduced = thin(points)
    assert len(reduced) == 300
    np.testing.assert_allclose(np.mean(reduced, axis=0), np.mean(points, axis=0))
    assert thin(points[:5]) == points[:5]


def test_no_panel_where_every_run_has_one_point(make: Make, html: Callable[[], str]) -> None:
    make("often")
    once = make("once", 1)
    log = (once / "log.jsonl").read_text().splitlines()
    (once / "log.jsonl").write_text("\n".join([*log, json.dumps({"iteration": 41, "late": 1.0})]))
    text = html()
    assert "<b>FD-toy ↓</b>" in text and "<b>late</b>" not in text
    for folder in once.parent.iterdir():
        lines = (folder / "scores.jsonl").read_text().splitlines(keepends=True)
        (folder / "scores.jsonl").write_text(lines[-1])
    text = html()
    assert "<b>FD-toy ↓</b>" not in text and "<b>loss_dis</b>" in text


@pytest.mark.parametrize(("longer", "width"), [(3000, 0.3), (40_000, 0.3)])
def test_a_longer_run_leaves_room_for_a_shorter_one(
    longer: int, width: float, make: Make, html: Callable[[], str]
) -> None:
    make("brief", n=1000)
    make("long", 1, n=longer)
    text = html()
    brief = re.findall(r'points="([^"]+)"><title>brief, seed 0', text.partition("<b>loss_dis")[2])
    xs = [float(point.split(",")[0]) for point in brief[0].split()]
    assert max(xs) - min(xs) > width * WIDTH
    assert ("the axis is logarithmic" in text) == (longer == 40_000)


def test_a_dot_at_the_end_of_the_axis_is_whole(make: Make, html: Callable[[], str]) -> None:
    make("line")
    scores = make("dot", 1) / "scores.jsonl"
    scores.write_text(scores.read_text().splitlines(keepends=True)[-1])
    text = html()
    (centre, radius) = map(
        float, re.findall(r'<circle cx="([^"]+)" cy="[^"]+" r="([^"]+)"', text)[0]
    )
    (width,) = set(re.findall(r'<svg class="plot"[^>]* width="([^"]+)"', text))
    assert centre == WIDTH and centre + radius <= float(width)
