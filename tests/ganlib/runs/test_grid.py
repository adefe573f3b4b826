"""Grids: what is planned, skipped, resumed, and what one failure does to the rest."""

import gc
import io
import weakref
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from click.testing import Result
from rich.console import Console

import ganlib.runs.run
from ganlib.common.errors import UnusableError, UserError
from ganlib.common.io.jsonl import read_lines
from ganlib.runs import grid
from ganlib.runs.grid import find_finished, parse_seeds, plan, train_grid
from ganlib.runs.settings import Settings
from ganlib.training.extensions.reports import TIMES
from ganlib.training.update.steps import NonFiniteError

Run = Callable[..., Result]
SMALL = {"width": 0.05, "batch_size": 4, "gpu": -1, "display_interval": 2, "sample_interval": 0}
SMALL |= {"evaluation_interval": 0, "tensorboard": False, "max_iter": 4}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def quiet() -> Console:
    return Console(file=io.StringIO(), width=200)


def names(settings: list[Settings]) -> list[tuple[str, int]]:
    return [(s.run.algorithm, s.run.seed) for s in settings]


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """Runs are not trained, only listed: each leaves a folder with DONE."""
    seen: list[Settings] = []

    def run(settings: Settings, console: Console) -> Any:
        seen.append(settings)
        out = Path("result") / f"{settings.run.algorithm}_toy" / f"seed{settings.run.seed}"
        out.mkdir(parents=True)
        (out / "config.yaml").write_text(yaml.safe_dump(settings.flat()))
        (out / "DONE").touch()
        return SimpleNamespace(out=out)

    monkeypatch.setattr(grid, "run", run)
    return seen


def test_every_algorithm_with_every_seed() -> None:
    planned = plan("dcgan, sngan,dcgan", "2,0,2", {"max_iter": 7})
    assert names(planned) == [("dcgan", 2), ("dcgan", 0), ("sngan", 2), ("sngan", 0)]
    assert {s.algorithm.max_iter for s in planned} == {7}
    assert names(plan("dcgan,sngan", None, {"seed": 5})) == [("dcgan", 5), ("sngan", 5)]
    assert names(plan("dcgan,sngan", None, {"config": {"seed": 6}})) == [("dcgan", 6), ("sngan", 6)]


def test_a_settings_file_speaks_to_all_and_to_each(tmp_path: Path) -> None:
    file = tmp_path / "grid.yaml"
    content = "width: 0.5\nmax_iter: 9\nwgan_gp: {n_dis: 2, width: 0.25}\nsngan: {n_dis: 3}\n"
    file.write_text(content)
    flags = {"config": str(file), "max_iter": 4}
    flat = [settings.flat() for settings in plan("dcgan,wgan_gp,sngan", None, flags)]
    assert [f["width"] for f in flat] == [0.5, 0.25, 0.5]
    assert [f.get("n_dis") for f in flat] == [None, 2, 3]
    assert {f["max_iter"] for f in flat} == {4}


@pytest.mark.parametrize("text", ["", ",", "a", "1,-2", "1.5"])
def test_seeds_are_whole_numbers(text: str) -> None:
    with pytest.raises(UserError, match="such as 0,1,2"):
        parse_seeds(text)


@pytest.mark.parametrize(
    ("algorithms", "seeds", "values", "sentence"),
    [
        ("", "0", {}, "Which algorithms"),
        (",", "0", {}, "Which algorithms"),
        ("dcgan,sngen", None, {}, "Did you mean 'sngan'"),
        ("dcgan,sngan", "0", {"resume": "auto"}, "Leave --resume out"),
        ("dcgan,sngan", "0", {"out": "x"}, "Leave --out out"),
        ("dcgan,sngan", "0", {"config": {"out": "x"}}, "Leave --out out"),
        ("dcgan,sngan", "0", {"seed": "1"}, "Leave --seed out"),
        ("dcgan,sngan", None, {"config": {"n_dis": 1}}, "dcgan has no .* write it under 'sngan:'"),
        ("dcgan,sngan", None, {"config": {"sngan": 3}}, "'sngan:' .* should hold settings"),
        ("dcgan,sngan", None, {"config": {"sngan": {"n_dsi": 3}}}, "Did you mean 'n_dis'"),
        ("dcgan,sngan", None, {"config": {"dcgan": {"n_dis": 3}}}, "dcgan has no setting 'n_dis'"),
    ],
)
def test_mistakes_are_told_before_anything_is_trained(
    algorithms: str, seeds: str | None, values: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence):
        plan(algorithms, seeds, values)


def test_what_is_finished_with_equal_settings_is_skipped(trained: list[Settings]) -> None:
    values = {"dataset": "toy.h5", "max_iter": 4}
    planned = plan("dcgan,sngan", "0,1", values)
    train_grid(planned[:3], quiet())
    assert names(trained) == [("dcgan", 0), ("dcgan", 1), ("sngan", 0)]
    trained.clear()
    console = quiet()
    outcomes = train_grid(planned, console)
    assert names(trained) == [("sngan", 1)]
    assert [str(o.out) for o in outcomes] == [
        *(f"result/dcgan_toy/seed{k}" for k in (0, 1)),
        *(f"result/sngan_toy/seed{k}" for k in (0, 1)),
    ]
    assert console.file.getvalue().count("finished already") == 3  # type: ignore[attr-defined]
    for other in ({"max_iter": 5}, {"adam_alpha": 0.1}, {"max_images": 3}):
        assert find_finished(plan("dcgan", "0", {**values, **other})[0]) is None
    same = {**values, "display_interval": 3, "gpu": -1, "tensorboard": False}
    assert find_finished(plan("dcgan", "0", same)[0]) == Path("result/dcgan_toy/seed0")


def test_one_failure_does_not_stop_the_others(
    trained: list[Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    works = grid.run

    def run(settings: Settings, console: Console) -> Any:
        if settings.run.algorithm == "dcgan":
            raise UserError("Out of memory.") if settings.run.seed else NonFiniteError("nan")
        return works(settings, console)

    monkeypatch.setattr(grid, "run", run)
    outcomes = train_grid(plan("dcgan,sngan", "0,1", {"dataset": "toy.h5"}), quiet())
    assert list(map(str, outcomes)) == [
        "dcgan, seed 0: nan",
        "dcgan, seed 1: Out of memory.",
        "sngan, seed 0: done",
        "sngan, seed 1: done",
    ]


@pytest.mark.parametrize(("max_hours", "wanted"), [(None, 1), (10.0, 1), (1e-12, 2)])
def test_an_interrupt_stops_the_grid_and_a_time_limit_does_not(
    max_hours: float | None, wanted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grid, "run", lambda *_: SimpleNamespace(out=Path("unfinished")))
    planned = plan("dcgan,sngan", None, {"dataset": "toy.h5", "max_hours": max_hours})
    outcomes = train_grid(planned, quiet())
    assert len(outcomes) == wanted
    assert ("the same command goes on" in outcomes[-1].error) == (wanted == 1)


def losses(out: Path) -> list[dict[str, Any]]:
    lines = read_lines(out / "log.jsonl")
    assert lines
    return [{k: v for k, v in line.items() if k not in TIMES} for line in lines]


def test_unfinished_runs_are_resumed_as_if_they_had_never_stopped(toy_file: Path) -> None:
    settings = {**SMALL, "dataset": str(toy_file)}
    straight = ganlib.train(algorithm="dcgan", seed=1, out="straight", **settings)
    half = ganlib.train(algorithm="dcgan", seed=1, **{**settings, "max_images": 12})
    (half.out / "DONE").unlink()
    other = ganlib.train(algorithm="dcgan", seed=0, **settings, adam_alpha=0.1)
    (other.out / "DONE").unlink()
    outcomes = train_grid(plan("dcgan", "0,1", settings), quiet())
    # the unfinished run with seed 0 has another learning rate
    assert [o.out.name for o in outcomes if o.out] == ["seed0-2", "seed1"]
    assert losses(half.out) == losses(straight.out)
    assert (half.out / "DONE").exists() and not (other.out / "DONE").exists()


def test_the_command_trains_and_ends_with_the_table(run: Run, toy_file: Path) -> None:
    flags = "--width 0.05 --batch-size 4 -g -1 --display-interval 2 --max-iter 2 --no-tensorboard"
    flags += f" --evaluation-interval 0 --dataset {toy_file} --config grid.yaml"
    Path("grid.yaml").write_text("sngan: {n_dis: 1}\n")
    arguments = ["train", "--algorithm", "dcgan,sngan", "--seeds", "0,1", *flags.split()]
    done = run(*arguments)
    assert done.exit_code == 0, done.output
    rows = [line.split()[:3] for line in done.output.splitlines()]
    assert ["dcgan", "2", "2"] in rows and ["sngan", "2", "2"] in rows
    assert len(list(Path("result").rglob("DONE"))) == 4
    written = Path("result/sngan_toy/seed1/config.yaml").read_text()
    assert yaml.safe_load(written)["n_dis"] == 1
    before = {path: path.stat().st_mtime_ns for path in Path("result").rglob("*")}
    assert run(*arguments).exit_code == 0
    assert {path: path.stat().st_mtime_ns for path in Path("result").rglob("*")} == before


def test_the_command_reports_what_failed_with_status_1(
    run: Run, toy_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    works = grid.run

    def fail(settings: Settings, console: Console) -> Any:
        if settings.run.algorithm == "dcgan":
            raise UserError("It has no labels.")
        return works(settings, console)

    monkeypatch.setattr(grid, "run", fail)
    settings = yaml.safe_dump({**SMALL, "max_iter": 2, "dataset": str(toy_file)})
    Path("grid.yaml").write_text(settings)
    done = run("train", "--algorithm", "dcgan,sngan", "--config", "grid.yaml")
    assert done.exit_code == 1
    assert done.output.rstrip().endswith("Error: dcgan, seed 0: It has no labels.")
    assert ["sngan", "1", "2"] in [line.split()[:3] for line in done.output.splitlines()]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("-a dcgan,sngan --n-dis 3", "--n-dis is no flag of a grid.*under 'sngan:'"),
        ("-a dcgan,sngan --n-dsi 3", "no setting 'n_dsi'"),
        ("-a dcgan,gan --lr 3", "--lr is no flag of a grid.*under 'gan:'"),
        ("-a dcgan,sngan --lr none", "adam_alpha is 'none'"),
        ("-a dcgan --seeds 0,1 --n-dis 3", "dcgan has no setting 'n_dis'"),
        ("--seeds 0,1", "Which algorithms"),
        ("-a dcgan,sngan --seeds 0;1", "such as 0,1,2"),
        ("-a dcgan,sngan --max-iter none", "max_iter is 'none'"),
    ],
)
def test_flags_that_a_grid_does_not_have(arguments: str, sentence: str, run: Run) -> None:
    error = run("train", *arguments.split()).exception
    assert isinstance(error, UserError)
    with pytest.raises(UserError, match=sentence):
        raise error
    assert not Path("result").exists()


def test_help_of_a_grid_tells_no_defaults_that_differ(run: Run) -> None:
    text = " ".join(run("train", "-a", "dcgan,sngan", "--help").output.split())
    assert "--seeds" in text and "--max-iter" in text and "--n-dis" not in text
    assert "default 100000" not in text


def test_the_memory_of_a_run_is_free_before_the_next_begins(
    toy_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its updater lies in cycles of references, whose collection may be long in coming."""
    seen: list[Any] = []
    build = ganlib.runs.run.build

    def watched(*args: Any) -> Any:
        assert not [alive for alive in seen if alive() is not None]
        updater = build(*args)
        seen.append(weakref.ref(updater))
        return updater

    monkeypatch.setattr(ganlib.runs.run, "build", watched)
    gc.disable()
    try:
        train_grid(plan("dcgan", "0,1", {**SMALL, "dataset": str(toy_file)}), quiet())
    finally:
        gc.enable()
    assert len(seen) == 2


def test_a_process_that_cannot_go_on_ends_a_grid(
    toy_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every other run would fail there too."""

    def run(*_: Any) -> Any:
        raise UnusableError("the GPU is as it is in a capture")

    monkeypatch.setattr(grid, "run", run)
    with pytest.raises(UnusableError):
        train_grid(plan("dcgan", "0,1", {**SMALL, "dataset": str(toy_file)}), quiet())
