"""Grids: what is planned, in which folder, and what a plan that was begun fixes."""

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from click.testing import Result
from scipy.stats import chisquare, kstest

import ganlib
from ganlib.common.errors import UserError
from ganlib.runs import grid as grids
from ganlib.runs.folders import PLAN, note
from ganlib.runs.grid import JOB, Grid, describe, estimates, open_grid, parse_seeds, plan
from ganlib.runs.run import fitted, gather
from ganlib.runs.settings import Settings
from ganlib.runs.watching.seen import Watcher
from ganlib.training.device import devices

Run = Callable[..., Result]
SMALL = {"dataset": "ring8", "batch_size": 4, "gpu": -1, "max_iter": 4, "evaluation_interval": 0}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "")


def names(settings: list[Settings]) -> list[tuple[str, int]]:
    return [(s.run.algorithm, s.run.seed) for s in settings]


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
        ("dcgan,sngan", "0", {"force": True}, "Leave --force out"),
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


def swept(*texts: str, trials: int | None = None, algorithm: str = "wgan_gp", **values: Any) -> Any:
    """What the runs of a sweep have of it."""
    fields = [text.partition("=")[0] for text in texts]
    planned = [settings.flat() for settings in plan(algorithm, None, values, texts, trials)]
    return [tuple(flat[name] for name in fields) for flat in planned]


def test_a_sweep_is_every_combination() -> None:
    assert swept("lam=1,10", "n_dis=1, 5") == [(1.0, 1), (1.0, 5), (10.0, 1), (10.0, 5)]
    assert swept("diffaugment=[color,cutout],[]") == [(["color", "cutout"],), ([],)]
    assert plan("dcgan", None, {}, "width=1,2") == plan("dcgan", None, {}, ["width=1,2"])
    assert plan("wgan_gp", None, {}, {"lam": [1, 10], "n_dis": "2,3"}) == plan(
        "wgan_gp", None, {}, ["lam=1,10", "n_dis=2,3"]
    )
    assert swept("adam_alpha=1e-4,2e-4", "flip=true") == [(1e-4, True), (2e-4, True)]
    assert swept("source=a:../b", source=None) == [("a:../b",)]
    assert swept("preset=quick,null") == [("quick",), (None,)]
    planned = plan("dcgan,wgan_gp", "3,4", {}, ["lr=0.1,0.2", "batch-size=8"])
    found = [(s.run.algorithm, s.algorithm.adam_alpha, s.run.seed) for s in planned]
    assert found == [(a, lr, k) for a in ("dcgan", "wgan_gp") for lr in (0.1, 0.2) for k in (3, 4)]


def test_trials_are_drawn_from_their_ranges() -> None:
    texts = ("adam_alpha=log:1e-5..1e-2", "lam=uniform:2..4", "n_dis=uniform:1..3")
    drawn = swept(*texts, "batch_size=log:8..64", "architecture=quick,dcgan", trials=300)
    rates, lams, counts, sizes, names = map(np.array, zip(*drawn, strict=True))
    assert kstest(np.log10(rates), "uniform", (-5, 3)).pvalue > 0.01
    assert kstest(lams, "uniform", (2, 2)).pvalue > 0.01
    assert chisquare([np.sum(counts == k) for k in (1, 2, 3)]).pvalue > 0.01
    assert chisquare([np.sum(names == name) for name in ("quick", "dcgan")]).pvalue > 0.01
    assert sizes.min() >= 8 and sizes.max() <= 64
    assert 0.35 < np.mean(sizes < np.sqrt(8 * 64)) < 0.65
    assert abs(np.corrcoef(rates, lams)[0, 1]) < 0.2


def test_the_same_seed_has_the_same_trials() -> None:
    one = ("adam_alpha=log:1e-5..1e-2",)
    drawn = swept(*one, trials=5)
    assert swept(*one, trials=5) == drawn
    assert swept(*one, trials=3) == drawn[:3]
    assert [rate for rate, _ in swept(*one, "lam=uniform:0..1", trials=5)] == [r for (r,) in drawn]
    assert swept(*one, trials=5, algorithm="dcgan") == drawn
    assert not {*swept(*one, trials=5, seed=1)} & {*drawn}
    for seeds in ("0,1", "1,0"):
        both = [s.flat()["adam_alpha"] for s in plan("wgan_gp", seeds, {}, one, 5)]
        assert both == [rate for (rate,) in drawn for _ in range(2)]
    seeds = [s.algorithm.adam_alpha for s in plan("wgan_gp", "0,7", {}, one, 5)]
    assert seeds == [rate for (rate,) in drawn for _ in range(2)]


def test_draws_from_lists_are_different_ones() -> None:
    assert sorted(swept("n_dis=1,2", "lam=1,3", trials=4)) == [(1, 1), (1, 3), (2, 1), (2, 3)]


@pytest.mark.parametrize(
    ("sweep", "trials", "sentence"),
    [
        ("lam", None, "--sweep is 'lam='; write NAME=VALUE,VALUE"),
        ("lam=", None, "--sweep is 'lam='; write NAME=VALUE,VALUE"),
        ("=1,2", None, "--sweep is '=1,2'; write"),
        ("lam=1,,2", None, "The values of lam are '1,,2'; write them with commas"),
        ("lam=[1", None, "The values of lam are"),
        ("lam=one", None, "lam is 'one'"),
        ("lamb=1,2", None, "no setting 'lamb'.*Did you mean 'lam'"),
        ("noise=1,2", None, "wgan_gp has no setting 'noise'|There is no setting 'noise'"),
        ("seed=1,2", None, "--sweep is not for seed: give --seeds"),
        ("algorithm=gan", None, "--sweep is not for algorithm: give --algorithm"),
        ("epochs=1,2", None, "--sweep is not for epochs: give --sweep max_iter"),
        ("out=a,b", None, "--sweep is not for out: all runs"),
        ("gpu=0,1", None, "--sweep is not for gpu: all runs"),
        ("width=1,2", None, "Leave --width out: --sweep has its values"),
        ("lam=uniform:1..2", None, "lam has a range, from which --trials N draws"),
        ("lam=uniform:2..1", 2, "'uniform:2..1'; write uniform:LOW..HIGH, the lower number first"),
        ("lam=uniform:1", 2, "'uniform:1'; write uniform:LOW..HIGH"),
        ("lam=uniform:a..b", 2, "'uniform:a..b'; write"),
        ("lam=uniform:nan..1", 2, "'uniform:nan..1'; write"),
        ("lam=uniform:1..inf", 2, "'uniform:1..inf'; write"),
        ("lam=log:0..1", 2, "'log:0..1'; write .* or log:LOW..HIGH, both above 0"),
        ("lam=normal:0..1", 2, "'normal:0..1'; write uniform:LOW..HIGH.* or log:LOW..HIGH"),
        ("lam=log", None, "lam is 'log'"),
        ("lam=1,2", 3, "There are 2 different trials in --sweep, and not 3"),
        ("n_dis=uniform:1..3", 4, "There are 3 different trials"),
    ],
)
def test_bad_sweeps_are_a_sentence(sweep: str, trials: int | None, sentence: str, run: Run) -> None:
    values = ["--width", "0.5", "-a", "wgan_gp", "--sweep", sweep]
    done = run("train", *values, *(["--trials", str(trials)] if trials else []))
    with pytest.raises(UserError, match=sentence):
        raise done.exception or AssertionError(done.output)
    assert not list(Path().iterdir())


def test_settings_and_trials_are_swept_once(run: Run) -> None:
    with pytest.raises(UserError, match="--sweep has adam_alpha twice"):
        plan("dcgan", None, {}, ["adam-alpha=1,2", "lr=3"])
    with pytest.raises(UserError, match="--trials draws from what --sweep has"):
        plan("dcgan", None, {}, [], 3)
    for values in (range(3, 5), np.array([3, 4]), (3, 4)):
        flat = [s.flat() for s in plan("dcgan", None, {}, {"batch_size": values})]
        assert [f["batch_size"] for f in flat] == [3, 4]
    with pytest.raises(UserError, match="The values of batch_size are '3'; write them"):
        plan("dcgan", None, {}, {"batch_size": 3})
    assert "0 is not in the range" in run("train", "-a", "dcgan", "--trials", "0").output


def opened(
    *sweep: str, seeds: str = "0", folder: str | None = None, jobs: str | None = None, **more: Any
) -> Grid:
    planned = plan("dcgan", seeds, {**SMALL, **more}, sweep)
    return open_grid(planned, sweep, folder and Path(folder), jobs)  # type: ignore[arg-type]


@pytest.mark.parametrize("trials", [0, -1, 1.5, "2"])
def test_trials_are_a_number(trials: Any) -> None:
    with pytest.raises(UserError, match="give a whole number from 1 on"):
        plan("dcgan", None, SMALL, ["width=log:1..2"], trials)


def test_runs_have_folders_that_say_what_they_are() -> None:
    grid = opened("adam_alpha=0.1,0.2", seeds="0,1")
    assert grid.folder == Path("result/grid")
    wanted = [f"dcgan_adam_alpha={lr}_seed{k}" for lr in (0.1, 0.2) for k in (0, 1)]
    assert list(grid.runs) == wanted
    told = grid.settings_of("dcgan_adam_alpha=0.2_seed1")
    assert (told["adam_alpha"], told["seed"], told["max_iter"]) == (0.2, 1, 4)
    assert told["out"] == "result/grid/dcgan_adam_alpha=0.2_seed1" and told["resume"] == "auto"
    paths = opened("init_from=null,a/b,a-b").runs  # no word of a path is a folder
    assert len(paths) == 3 and not any("/" in name for name in paths)


def test_what_is_alike_is_a_sentence() -> None:
    with pytest.raises(UserError, match="has dcgan_width=1.0_seed0 2 times: give each value once"):
        opened("width=1,1.0")


@pytest.mark.parametrize("dataset", ["emoji", "fashion_mnist", "ring8"])
def test_a_job_is_told_what_its_settings_come_to(dataset: str) -> None:
    """On the data, for which a preset may have other settings, as for coloured images, and points
    other networks: a process that reads them trains the same.
    """
    (settings,) = plan("dcgan", None, {"preset": "quick", "dataset": dataset, "epochs": 0.01})
    grid = open_grid([settings], [], None, None)
    told = grid.settings_of("dcgan_seed0")
    images = settings.run.query.open()
    process = fitted(gather({"config": told}), images.shape, len(images), torch.device("cpu"))
    wanted = fitted(settings, images.shape, len(images), torch.device("cpu")).flat()
    assert process.flat() == {**wanted, "out": "result/grid/dcgan_seed0"}


def test_the_same_grid_goes_on_and_another_one_has_another_folder() -> None:
    assert opened("width=1,2").folder == Path("result/grid")
    assert opened("width=1,2", display_interval=7).folder == Path("result/grid")
    assert opened("width=3,4").folder == Path("result/grid-2")  # none of its runs
    assert opened("width=1,2", adam_beta1=0.5).folder == Path("result/grid-3")
    for sweep, seeds in (("width=1,2", "0,1"), ("width=1,3", "0"), ("width=2", "0")):
        assert opened(sweep, seeds=seeds).folder == Path("result/grid")  # further and fewer ones
    content = yaml.safe_load(Path("result/grid", PLAN).read_text())
    assert content["swept"] == ["width"] and len(list(Path("result/grid").glob(f"*/{JOB}"))) == 5
    assert list(opened("width=2").runs) == ["dcgan_width=2.0_seed0"]


def test_the_order_of_sweeps_makes_no_other_grid() -> None:
    one = opened("width=1,2", "adam_alpha=0.1,0.2")
    other = opened("adam_alpha=0.2,0.1", "width=1,2")
    assert other.folder == one.folder and {*other.runs} == {*one.runs}


@pytest.mark.parametrize(
    ("sweep", "more", "words"),
    [
        ("width=1,2", {"max_iter": 5}, "of dcgan_width=1.0_seed0, max_iter was 4 and is now 5"),
        ("width=3,2", {"flip": True}, "of dcgan_width=2.0_seed0, flip was False and is now True"),
    ],
)
def test_a_folder_with_another_grid_is_a_sentence(sweep: str, more: Any, words: str) -> None:
    opened("width=1,2", folder="mine")
    before = Path("mine", PLAN).read_bytes()
    with pytest.raises(UserError, match=f"mine holds another grid: .*{words}.*Give another --out"):
        opened(sweep, folder="mine", **more)
    assert Path("mine", PLAN).read_bytes() == before


@pytest.mark.parametrize("again", [{}, {"max_iter": 2}], ids=["unfinished", "finished"])
def test_what_was_begun_as_a_single_run_goes_on(again: dict[str, Any]) -> None:
    """As by a ganlib whose grids were runs below result like all others."""
    small: dict[str, Any] = {**SMALL, "tensorboard": False, "sample_interval": 0}
    single = ganlib.train("dcgan", **{**small, "seed": 1, **again}, snapshot_interval=1).out
    if not again:
        (single / "DONE").unlink()
    grid = opened(seeds="0,1", **again, tensorboard=False, sample_interval=0)
    assert list(grid.places.values()) == [Path("result/grid/dcgan_seed0"), single]
    assert grid.states()["dcgan_seed1"].name == ("done" if again else "stopped")
    assert describe(grid, grid.states()).endswith(f" Begun as single runs: {single}.")
    assert {seen.path for seen in Watcher(Path("result")).look()} == {*grid.places.values()}
    for other in ({"folder": "mine"}, {"adam_beta1": 0.9}, *([{"max_iter": 3}] if again else [])):
        assert single not in opened(seeds="0,1", **{**again, **other}).places.values()


def test_a_folder_of_a_run_or_with_a_damaged_plan_is_a_sentence() -> None:
    Path("mine").mkdir()
    Path("mine/config.yaml").touch()
    Path("mine/environment.json").touch()
    with pytest.raises(UserError, match="mine holds a run: give another --out for a grid"):
        opened(folder="mine")
    Path("mine/config.yaml").unlink()
    for damage in ("threads: 0", "runs: []\nswept: [a]\nthreads: many", "["):
        Path("mine", PLAN).write_text(damage)
        with pytest.raises(UserError, match="not as ganlib writes it|cannot be read as YAML"):
            opened(folder="mine")


def test_the_threads_of_a_run_stay_whatever_jobs_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "cores", lambda: 12)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 12)
    grid = opened(seeds="0,1,2,3", jobs="4")
    assert (grid.jobs, grid.threads) == (4, 3)
    assert [opened(seeds="0,1,2,3", jobs=n).threads for n in (None, "1", "2", "auto")] == [3] * 4
    assert opened(seeds="0,1,2,3,4,5,6,7", jobs="auto").jobs == 4  # 12 cores
    assert [opened(folder=f"f{n}", jobs=n).threads for n in (None, "1", "4")] == [12] * 3  # 1 run
    monkeypatch.setattr("ganlib.runs.grid.available_memory", lambda: 5 * 2**30)
    auto = opened(seeds="0,1,2,3", jobs="auto", folder="auto")
    assert (auto.jobs, auto.threads) == (2, 6)
    monkeypatch.setenv("OMP_NUM_THREADS", "5")  # as the user says
    assert opened(seeds="0,1", jobs="2", folder="said").threads == 5


def test_auto_is_a_run_for_each_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    asked = ({}, {"device": "cuda"}, {"gpu": 1}, {"device": "cuda:1"})
    for k, (more, jobs) in enumerate(zip(asked, (3, 3, 1, 1), strict=True)):
        given = {"gpu": None, **more}
        assert opened(seeds="0,1,2,3", jobs="auto", folder=f"f{k}", **given).jobs == jobs


@pytest.mark.parametrize("jobs", ["0", "-1", "two", "1.5", ""])
def test_jobs_is_a_number_or_auto(jobs: str) -> None:
    with pytest.raises(UserError, match="give a number from 1 on, or auto"):
        opened(jobs=jobs)
    assert not Path("result").exists()


def test_a_grid_is_not_for_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganlib.runs.grid.ranks.launched", lambda: True)
    with pytest.raises(UserError, match="leave torchrun out"):
        opened()


def test_data_that_cannot_be_had_are_a_sentence_before_anything_is_trained() -> None:
    with pytest.raises(UserError, match=r"missing\.h5"):
        opened(seeds="0,1", dataset="missing.h5")
    assert not Path("result").exists()


def test_a_grid_for_which_the_disk_has_no_room_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two snapshots for each of three runs, with three numbers for each parameter."""
    full = SimpleNamespace(free=0)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: full)
    parameters = 33_922 + 33_537  # as a run of dcgan on ring8 says
    often = {"seeds": "0,1,2", "snapshot_interval": 1}
    with pytest.raises(UserError, match="are free for result/grid: give --keep-snapshots 1"):
        opened(**often)
    assert not Path("result").exists()
    full.free = 2**40
    nbytes = opened(**often).nbytes
    assert nbytes == pytest.approx(3 * 2 * 3 * 4 * parameters, rel=0.05)
    snapshot = Path("result/grid/dcgan_seed1/snapshots/iter_0000004.pt")
    snapshot.parent.mkdir(parents=True)
    snapshot.touch()
    assert opened(**often).nbytes == pytest.approx(nbytes * 2 / 3)


def test_the_plan_is_told_with_its_time_where_that_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    grid = opened(seeds="0,1,2", jobs="2", max_iter=1000)
    words = describe(grid, grid.states())
    assert words.startswith(
        "Runs in result/grid: 3, of which done: 0; 2 at a time, threads of each: "
    )
    assert "The time is told once the runs have logged, some 0.00 GiB of" in words
    planned: list[Settings] = []

    def estimate(settings: Settings) -> SimpleNamespace:
        planned.append(settings)
        return SimpleNamespace(seconds=0.25)

    monkeypatch.setattr(grids, "make_plan", estimate)
    guessed = estimates(grid, grid.states())
    assert guessed == {"dcgan": 0.25} and planned == [grid.runs["dcgan_seed0"]]
    words = describe(grid, grid.states(), guessed)  # 3 * 1000 * 0.25 / 2 seconds
    assert "About 0:06:15 to go, by an estimate, some" in words
    one = grid.folder / "dcgan_seed1"  # 8 images a second in batches of 4
    (one / "log.jsonl").write_text('{"iteration": 100, "images": 400, "images_per_second": 8.0}\n')
    (grid.folder / "dcgan_seed2" / "DONE").touch()
    assert estimates(grid, grid.states()) == {}  # it is logged
    words = describe(grid, grid.states())
    assert "done: 1;" in words and "About 0:07:55 to go" in words  # (1000 + 900) * 0.5 / 2 seconds
    note(one / "state.json", "failed")
    assert "About 0:04:10 to go" in describe(grid, grid.states())


def test_the_time_is_that_of_all_stages() -> None:
    settings = {**SMALL, "max_iter": 0, "stage_images": 40, "last_images": 80, "preset": "quick"}
    grid = open_grid(plan("progressive", "0", {**settings, "dataset": "emoji"}))
    (length,) = grid.lengths.values()
    assert length == (2 * 4 * 40 + 80) / 4  # 8 to 64 pixels come with a fade each
    assert "About 0:01:40 to go" in describe(grid, grid.states(), {"progressive": 1.0})


def test_the_time_is_that_of_the_images_where_they_end_it() -> None:
    grid = open_grid(plan("dcgan", "0", {**SMALL, "max_iter": 1000, "max_images": 400}))
    assert grid.lengths == {"dcgan_seed0": 100}


def test_a_slip_that_makes_too_many_runs_is_a_sentence_at_once() -> None:
    many = [f"{name}={','.join(map(str, range(1, 100)))}" for name in ("width", "lam", "lr")]
    with pytest.raises(UserError, match="has 1,940,598 runs: give values for at most 2,000"):
        plan("wgan_gp", "0,1", SMALL, many)
    with pytest.raises(UserError, match="has 3,000 runs"):
        plan("dcgan", "0,1,2", SMALL, ["lr=log:1e-5..1e-2"], 1000)


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
        ("-a dcgan,sngan --out x --resume", "Leave --resume out"),
        ("-a dcgan,sngan --jobs none --dataset ring8", "--jobs is 'none'"),
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
