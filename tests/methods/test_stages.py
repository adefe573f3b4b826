"""What changes with a stage, by the small method that grows."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import ganlib
from ganlib.common.data import DataSet
from ganlib.common.formats import hdf5
from ganlib.common.formats.hdf5_writing import write_hdf5
from ganlib.contract.fixtures import small_updater
from ganlib.contract.tape import record
from ganlib.contract.test_contract import assert_same
from ganlib.speed.graph import Graphs
from ganlib.training.snapshot import read_snapshot

SETTINGS: dict[str, Any] = {"ema_decay": 0.9, "stage_images": 64}
STARTS = [0, 8, 24]
"""Iterations in which the stages begin, of batches of 8, 4 and 4 images."""


def growing(passes: int = 1) -> Any:
    updater = small_updater("growing", **SETTINGS)
    updater.split(passes)
    return updater


def reloaded(updater: Any, passes: int = 1) -> Any:
    file = io.BytesIO()
    torch.save(updater.state(), file)
    file.seek(0)
    fresh = growing(passes)
    fresh.load_state(torch.load(file, weights_only=True))
    return fresh


def watched(updater: Any) -> list[tuple[int, int]]:
    """The iterations in which stages will have begun, and their numbers."""
    begun: list[tuple[int, int]] = []
    begin = updater.begin

    def note(stage: Any) -> None:
        begun.append((updater.iteration, stage.number))
        begin(stage)

    updater.begin = note
    return begun


@pytest.mark.parametrize("passes", [1, 2])
@pytest.mark.parametrize("stop", [1, 7, 8, 9, 15, 24])
def test_a_run_that_goes_on_is_the_straight_one(stop: int, passes: int) -> None:
    """Bitwise, from the middle of a stage and from its border, where it begins once."""
    straight, first = growing(passes), growing(passes)
    begun = watched(straight)
    for _ in range(stop):
        straight.update()
        first.update()
    second = reloaded(first, passes)
    again = watched(second)
    torch.testing.assert_close(*[next(u.sample(3, seed=0)) for u in (straight, second)])
    for _ in range(stop, 26):
        assert_same(straight.update(), second.update())
    assert_same(straight.state(), second.state())
    assert begun == [(start, k) for k, start in enumerate(STARTS)]
    assert again == [(start, k) for start, k in begun if start >= stop]


def test_a_stage_says_what_the_batches_are() -> None:
    updater = growing()
    shapes: list[Any] = []
    loss = updater.loss_dis
    updater.loss_dis = lambda x, *rest: (shapes.append(tuple(x.shape)), loss(x, *rest))[1]
    for k in range(26):
        assert updater.images == updater.stages.images(k)
        updater.update()
    sizes = 8 * [(8, 1, 8, 8)] + 16 * [(4, 1, 16, 16)] + 2 * [(4, 1, 32, 32)]
    assert shapes == sizes
    assert next(updater.sample(3, seed=0)).shape == (3, 1, 28, 28)


def test_an_optimizer_starts_anew_where_a_stage_begins() -> None:
    updater = growing()
    for _ in range(8):
        updater.update()
    counts = lambda: {float(s["step"]) for s in updater.optimizer["gen"].state.values()}  # noqa: E731
    assert counts() == {0.0, 8.0}
    updater.update()
    assert counts() == {0.0, 1.0}


def test_a_head_that_no_image_passes_stays_as_it_is() -> None:
    """Neither it moves, nor its moments, nor its moving average."""
    updater = growing()
    head, average = updater.gen.heads[2], updater.average.heads[2]
    before = [p.detach().clone() for p in head.parameters()]
    for _ in range(STARTS[2]):
        updater.update()
    for p, q, start in zip(head.parameters(), average.parameters(), before, strict=True):
        assert torch.equal(p, start) and torch.equal(q, start)
        kept = updater.optimizer["gen"].state[p]
        assert not any(value.any() for value in kept.values())
    for _ in range(2):
        updater.update()
    assert not torch.equal(next(head.parameters()), before[0])
    assert not torch.equal(next(average.parameters()), before[0])


def test_a_stage_has_a_name_where_there_are_several() -> None:
    updater = growing()
    names = [updater.stage_name(k) for k in (0, 7, 8, 23, 24, 1000)]
    assert names == ["8x8", "8x8", "16x16", "16x16", "32x32", "32x32"]
    assert small_updater("labelled").stage_name(5) == ""
    first_alone = small_updater("growing", stage_images=64, max_iter=3)
    assert first_alone.stage_name(0) == "8x8"


def test_graphs_are_those_of_the_stage_that_runs() -> None:
    eager, graphed = growing(), growing()
    graphed.perform = Graphs(graphed, record, pytest.fail)
    kept = []
    for k in range(29):
        if k == 12:
            graphed = reloaded(graphed)
            graphed.perform = Graphs(graphed, record, pytest.fail)
        assert_same(eager.update(), graphed.update())
        kept.append(len(graphed.perform._graphs))
    assert_same(eager.state(), graphed.state())
    resumed = 3 * [0] + 9 * [1]
    assert kept == [*3 * [0], *5 * [1], *3 * [0], 1, *resumed, *3 * [0], *2 * [1]]


def test_a_run_that_was_stopped_in_a_stage_goes_on(
    toy_file: Any, tmp_path: Any, monkeypatch: Callable[..., Any]
) -> None:
    """With its snapshots, log and settings, in two passes; sampled without data."""
    monkeypatch.chdir(tmp_path)  # type: ignore[attr-defined]
    settings = {
        "algorithm": "growing",
        "dataset": str(toy_file),
        "width": 0.05,
        "batch_size": 4,
        "stage_images": 16,
        "gpu": -1,
        "accumulate": 2,
        "sample_interval": 0,
        "evaluation_interval": 0,
    }
    ganlib.train(**settings, out="straight", max_iter=5)
    for end, resume in ((1, None), (2, "parts"), (5, "parts")):
        ganlib.train(**settings, out="parts", max_iter=end, resume=resume)
    runs = [
        read_snapshot(tmp_path / run / "snapshots/iter_0000005.pt") for run in ("straight", "parts")
    ]
    assert_same(*[run["updater"] for run in runs])
    models = [ganlib.load(tmp_path / run) for run in ("straight", "parts")]
    assert torch.equal(*[model.sample(4, seed=0) for model in models])
    assert models[0].updater.current.number == 1


def test_stages_out_of_a_large_file_go_on_whoever_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each stage's resolution lies in the file; stopped within the first and the second one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(hdf5, "IN_MEMORY", 0)
    random = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (30, 3, 16, 16), generator=random, dtype=torch.uint8)
    assert write_hdf5(Path("large.h5"), DataSet("large", x), sides=(8, 4)) == "contiguous"
    interpolate = torch.nn.functional.interpolate

    def no_mean(*arguments: Any, mode: str = "nearest", **settings: Any) -> torch.Tensor:
        assert mode != "area"  # the generator's own is another
        return interpolate(*arguments, mode=mode, **settings)

    monkeypatch.setattr("torch.nn.functional.interpolate", no_mean)
    settings: dict[str, Any] = {
        "algorithm": "growing",
        "dataset": "large.h5",
        "width": 0.05,
        "batch_size": 4,
        "stage_images": 16,
        "gpu": -1,
        "sample_interval": 0,
        "evaluation_interval": 0,
        "tensorboard": False,
    }
    ganlib.train(**settings, out="straight", max_iter=8, workers=0)
    for end, resume, workers in ((1, None, 2), (4, "parts", 1), (8, "parts", 0)):
        ganlib.train(**settings, out="parts", max_iter=end, resume=resume, workers=workers)
    runs = [
        read_snapshot(tmp_path / run / "snapshots/iter_0000008.pt") for run in ("straight", "parts")
    ]
    assert_same(*[run["updater"] for run in runs])
