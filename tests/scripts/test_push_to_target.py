"""scripts/push_to_target.py: plans with the true dynamics arrive, and what is said of ways."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import ganlib
from ganlib.common.datasets.pushed import Pushed
from ganlib.common.errors import UserError
from scripts.push_to_target import (
    NEAR,
    PUSHES,
    Task,
    at_random,
    draw,
    episode,
    learned,
    main,
    nothing,
    planned_by,
    planned_truly,
    sequences,
    table,
    task,
)

RUN: dict[str, Any] = {
    "algorithm": "pgn",
    "preset": "quick",
    "dataset": "pushed",
    "actions": 2,
    "lam_adv": 0,
    "size": 16,
    "width": 0.1,
    "max_iter": 2,
    "gpu": -1,
    "evaluation_interval": 0,
    "sample_interval": 0,
    "tensorboard": False,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    ganlib.train(**RUN, source="past:3:2", out=out)
    return out


@pytest.fixture(scope="module")
def tasks() -> list[Task]:
    return [task(Pushed.of_split("test", 32), number, 4) for number in range(3)]


def test_plans_with_the_true_dynamics_arrive(tasks: list[Task]) -> None:
    """Where nothing and chance do not."""
    for one in tasks:
        assert one.distance(episode(one, planned_truly)[-1]) < 2
    for way in (nothing, at_random):
        assert np.mean([one.distance(episode(one, way)[-1]) for one in tasks]) > NEAR


def test_a_task_begins_with_a_test_sequence_without_pushes(tasks: list[Task]) -> None:
    slide, state = Pushed.of_split("test", 32).start(2)
    for at, found in zip(slide.states(state, [None] * 3), tasks[2].past, strict=True):
        np.testing.assert_array_equal(found.at, at.at)
    still = episode(tasks[2], nothing)
    assert len(still) == PUSHES
    np.testing.assert_array_equal(still[0].at, slide.step(tasks[2].past[-1]).at)
    targets = np.stack([one.target.at for one in tasks])
    assert len(np.unique(targets)) == targets.size
    one = tasks[0]
    assert one.distance(one.target) == 0
    moved = one.target._replace(at=one.target.at + [[3, -4]])
    assert one.distance(moved) == pytest.approx(5)
    goal = one.slide.render(one.target)[0]
    np.testing.assert_allclose((one.goal.numpy() + 1) * 127.5, goal, atol=1e-4)


def test_random_pushes_are_those_of_the_start(tasks: list[Task]) -> None:
    first, again, other = (episode(one, at_random)[-1].at for one in (*2 * tasks[:1], tasks[1]))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_a_table_by_hand() -> None:
    one, other = [1.0, 3.0, 8.0], [2.0, 2.0, 2.0]
    *_, alone, both = table({"alone": [one], "both": [one, other]}).splitlines()
    assert alone == "| alone | 4.00 | 2.94 | 67 % |"
    assert both == "| both | 3.00 +- 1.41 | 1.47 +- 2.08 | 83 +- 24 % |"


def test_a_run_is_measured_and_drawn(run: Path, tmp_path: Path) -> None:
    path = tmp_path / "way.png"
    result = CliRunner().invoke(main, [str(run), "--starts", "2", "--picture", str(path)])
    assert result.exit_code == 0, result.output
    rows = result.stdout.splitlines()
    assert [row.split("|")[1].strip() for row in rows[2:]] == [
        "plans with the learned model",
        "plans with the simulator",
        "random pushes",
        "no push",
    ]
    assert learned(run)[1:] == (16, 3)
    tasks = [task(Pushed.of_split("test", 16), number, 3) for number in range(2)]
    for number, name in ((3, "no push"), (2, "random pushes")):
        way = {"no push": nothing, "random pushes": at_random}[name]
        far = np.mean([one.distance(episode(one, way)[-1]) for one in tasks])
        assert f"| {name} | {far:.2f} |" in rows[2 + number]
    draw(tasks, learned(run).gen, tmp_path / "way.gif")
    with Image.open(path) as picture, Image.open(tmp_path / "way.gif") as film:
        assert picture.width > picture.height
        assert film.n_frames == 1 + PUSHES


def test_a_picture_has_the_target_in_blue(run: Path) -> None:
    one = task(Pushed.of_split("test", 16), 0, 3)
    ways = [planned_by(learned(run).gen), nothing]
    x = sequences([one], ways)
    assert x.shape == (2, 2 + PUSHES, 3, 16, 16)
    start, target, *after = one.frames([one.past[-1], one.target, *episode(one, nothing)])
    assert torch.equal(x[1, :, 0], torch.stack([start, target, *after]))
    assert torch.equal(x[1, :, 1], x[1, :, 0])
    assert torch.equal(x[1, 0, 2], torch.maximum(start, target))


def test_a_run_without_actions_is_refused(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = ganlib.load(run)
    model.updater.sampling_gen.sequences = model.updater.sampling_gen.sequences._replace(actions=0)
    monkeypatch.setattr(ganlib, "load", lambda path: model)
    with pytest.raises(UserError, match="has not learned what pushes do"):
        learned(run)
    result = CliRunner().invoke(main, [str(run)])
    assert isinstance(result.exception, UserError) and "--actions 2" in str(result.exception)


def test_frames_with_borders_are_refused(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = ganlib.load(run)
    model.updater.spec = replace(model.spec, image=(2, 24, 24))
    monkeypatch.setattr(ganlib, "load", lambda path: model)
    with pytest.raises(UserError, match="have borders: train with a --size"):
        learned(run)
