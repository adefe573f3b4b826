"""Whole runs: files, exactness, interruption, and what goes wrong."""

import gc
import json
import os
import re
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from PIL import Image
from starting import source_for

import ganlib
from ganlib.common.data import Loader
from ganlib.common.errors import UserError
from ganlib.common.io.jsonl import read_lines
from ganlib.config import RunConfig
from ganlib.contract.tape import record
from ganlib.registry import add_plugins, algorithms, extensions
from ganlib.speed.graph import Graphs
from ganlib.training.device import devices
from ganlib.training.snapshot import read_snapshot

ROOT = Path(ganlib.__file__).parents[1]
SMALL = {
    "width": 0.05,
    "batch_size": 4,
    "gpu": -1,
    "display_interval": 3,
    "sample_interval": 0,
    "evaluation_interval": 0,
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def plugins() -> Iterator[Callable[[Path], None]]:
    """Register a plugin folder for one test."""
    from ganlib.training import extensions as package

    saved = [(r, dict(r.entries)) for r in (algorithms, extensions)]
    paths = [(p.__path__, list(p.__path__)) for p in (ganlib, package)]
    yield add_plugins
    for registry, entries in saved:
        registry.entries.clear()
        registry.entries.update(entries)
    for path, old in paths:
        path[:] = old


def train(algorithm: str, data: Path, **settings: Any) -> ganlib.Model:
    named = {"algorithm": algorithm, "dataset": str(data), "source": source_for(algorithm)}
    return ganlib.train(**{**SMALL, **named, **settings})


def tensors(value: Any, path: str = "") -> dict[str, torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return {path: value}
    if isinstance(value, dict):
        return {k: t for n, v in value.items() for k, t in tensors(v, f"{path}/{n}").items()}
    return {}


SCORES = ("FD-", "IS-")
TIMES = ("seconds", "images_per_second", "images_per_cpu_second")


def assert_same_runs(a: Path, b: Path) -> None:
    """The last snapshots and the logs are equal, but for time and rate."""
    x, y = (read_snapshot(sorted((p / "snapshots").glob("iter_*.pt"))[-1]) for p in (a, b))
    x, y = ({"updater": c["updater"], "log": c["extensions"]["log_report"]} for c in (x, y))
    s, t = tensors(x), tensors(y)
    assert s.keys() == t.keys() and len(s) > 10
    assert [name for name in s if not torch.equal(s[name], t[name])] == []
    lines, others = without_times(a), without_times(b)
    shared = lines[0].keys() & others[0].keys()  # scores are in the log of a run that is watched
    assert "iteration" in shared and any(key.startswith("loss") or key == "elbo" for key in shared)
    only = [
        [{k: v for k, v in line.items() if k in shared} for line in of] for of in (lines, others)
    ]
    assert only[0] == only[1]


def without_times(out: Path) -> list[dict[str, Any]]:
    lines = read_lines(out / "log.jsonl")
    assert lines
    return [
        {k: v for k, v in line.items() if k not in TIMES and not k.startswith(SCORES)}
        for line in lines
    ]


def test_a_run_leaves_everything(toy_file: Path) -> None:
    model = train("sngan", toy_file, max_iter=7, sample_interval=4, snapshot_interval=3)
    out = Path("result/sngan_toy/seed0")
    assert model.out.samefile(out)
    assert (out / "DONE").exists()
    pictures = ["0000000.png", "0000004.png", "0000007.png", "real.png"]
    assert sorted(p.name for p in (out / "samples").iterdir()) == pictures
    with Image.open(out / "samples" / "0000007.png") as picture:
        assert picture.size[0] > 500
    names = sorted(p.name for p in (out / "snapshots").iterdir())
    assert names == ["iter_0000006.pt", "iter_0000007.pt"]
    assert [line["iteration"] for line in read_lines(out / "log.jsonl")] == [3, 6]
    assert {"loss_dis", "loss_gen", "images", *TIMES} < set(read_lines(out / "log.jsonl")[0])
    assert list((out / "tensorboard").glob("events*"))
    assert yaml.safe_load((out / "config.yaml").read_text())["width"] == 0.05
    assert json.loads((out / "environment.json").read_text())["torch"] == torch.__version__
    assert not list(out.rglob(".*"))


def test_a_second_run_has_its_own_folder_and_the_config_repeats_it(toy_file: Path) -> None:
    first = train("dcgan", toy_file, max_iter=3)
    second = train("dcgan", toy_file, max_iter=3)
    third = ganlib.train(config=str(first.out / "config.yaml"))
    assert [m.out.name for m in (first, second, third)] == ["seed0", "seed0-2", "seed0-3"]
    assert_same_runs(first.out, third.out)


ALIKE = {
    *("acgan", "alpha_gan", "biggan", "cramer", "cyclegan", "dfm", "dragan", "fastgan", "gan"),
    *("lsgan", "minibatch_discrimination", "projected_gan", "sagan", "sngan", "sngan_projection"),
    *("vae", "wgan", "wgan_gp"),
}
"""Methods that to a run are what dcgan, cgan or pix2pix is: an update of networks and no state."""


@pytest.mark.filterwarnings("ignore:.* images are too few", "ignore:The rarest class has")
@pytest.mark.parametrize(
    "algorithm",
    [pytest.param(n, marks=pytest.mark.slow) if n in ALIKE else n for n in algorithms.names()],
)
def test_training_2n_is_training_n_and_resuming_whatever_watches(
    algorithm: str, toy_file: Path
) -> None:
    settings = {
        "ema_decay": 0.9,
        "lr_decay": "linear",
        "max_iter": 9,
        **algorithms[algorithm].small,
    }
    if "n_dis" in algorithms[algorithm].config.model_fields:
        settings["n_dis"] = 2
    whole = train(
        algorithm,
        toy_file,
        out="whole",
        sample_interval=4,
        snapshot_interval=2,
        evaluation_interval=3,
        evaluation_images=20,
        extractor="fashion",
        keep_snapshots=1,
        **settings,
    )
    assert len(read_lines(whole.out / "scores.jsonl")) == 3
    settings["tensorboard"] = False
    # 5 is inside an interval of the log: the sums go on too
    images = whole.updater.images * 5 // 9
    train(algorithm, toy_file, out="parts", max_images=images, **settings)
    assert len(read_lines(Path("parts/log.jsonl"))) == 1
    again = train(algorithm, toy_file, resume="parts", max_images=10**9, **settings)
    assert again.out.samefile("parts")
    assert_same_runs(whole.out, again.out)


@pytest.mark.filterwarnings("ignore:.* images are too few")
def test_evaluation_leaves_scores_with_their_protocol_and_the_best_snapshot(toy_file: Path) -> None:
    settings: dict[str, Any] = {"evaluation_interval": 3, "evaluation_images": 30}
    settings |= {"extractor": "fashion", "ema_decay": 0.9, "out": "scored"}
    train("dcgan", toy_file, max_iter=6, **settings)
    model = train("dcgan", toy_file, max_iter=8, resume="scored", **settings)
    lines = read_lines(Path("scored/scores.jsonl"))
    assert [line["iteration"] for line in lines] == [3, 6, 8]  # the last at the end of the run
    score = lines[0]["scores"]["FD-fashion30-train"]
    protocol = score["protocol"]
    assert score["value"] > 0 and len(score["hash"]) == 12
    assert protocol["n_generated"] == 30 and protocol["n_reference"] == 32
    assert protocol["weights"] == "ema" and protocol["rank_deficient"]
    log = {line["iteration"]: line for line in read_lines(Path("scored/log.jsonl"))}
    assert log[3]["FD-fashion30-train"] == pytest.approx(score["value"])
    values = {
        line["iteration"]: line["scores"]["FD-fashion30-train"]["value"] for line in lines[:2]
    }
    best = read_snapshot(model.out / "snapshots" / "best.pt")["updater"]["iteration"]
    assert best == min(values, key=lambda iteration: values[iteration])


def test_a_run_goes_on_without_an_extractor_that_nobody_asked_for(
    toy_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GANLIB_INCEPTION", "missing.pth")
    usual = RunConfig.model_fields["evaluation_interval"].default
    first = train("dcgan", toy_file, max_iter=2, evaluation_interval=usual)
    assert "Nothing is scored in features. " in capsys.readouterr().err
    ganlib.train(resume=str(first.out), max_iter=3)
    assert "Nothing is scored in features. " in capsys.readouterr().err
    with pytest.raises(UserError, match="missing.pth"):
        train("dcgan", toy_file, max_iter=2, evaluation_interval=1, out="other")
    assert not Path("other").exists()


def start(*arguments: Any) -> subprocess.Popen[str]:
    command = [sys.executable, str(ROOT / "train.py"), *map(str, arguments)]
    flags = [f"--{k.replace('_', '-')}={v}" for k, v in SMALL.items()]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*command, *flags],
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def wait_for(condition: Callable[[], Any], process: subprocess.Popen[str]) -> None:
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)


def _newest(folder: Path) -> int:
    """The iteration of the newest snapshot, -1 for none."""
    return max((int(p.stem[5:]) for p in folder.glob("snapshots/iter_*.pt")), default=-1)


def test_kill_9_leaves_a_snapshot_and_auto_goes_on(toy_file: Path) -> None:
    arguments = ("-a", "sngan", "--dataset", toy_file, "--snapshot-interval", 2, "--no-tensorboard")
    process = start(*arguments, "--max-iter", 100_000)
    folder = Path("result/sngan_toy/seed0")
    for k in (10, 20):  # two murders at whatever moment this is
        wait_for(lambda k=k: _newest(folder) > k, process)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        newest = sorted(folder.glob("snapshots/iter_*.pt"))[-1]
        reached = read_snapshot(newest)["updater"]["iteration"]
        process = start(*arguments, "--max-iter", 100_000, "--resume")
    wait_for(lambda: _newest(folder) > reached, process)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate()
    assert process.returncode == 0, said
    assert "SIGTERM" in said and "--resume auto" in said and "Continuing at iteration" in said
    last = read_snapshot(sorted(folder.glob("snapshots/iter_*.pt"))[-1])["updater"]["iteration"]
    assert last >= reached and not (folder / "DONE").exists()
    iterations = [line["iteration"] for line in read_lines(folder / "log.jsonl")]
    assert iterations == list(range(3, last + 1, 3))
    straight = train(
        "sngan", toy_file, out="straight", max_iter=last, snapshot_interval=2, tensorboard=False
    )
    assert_same_runs(straight.out, folder)


def test_resume_auto_starts_when_there_is_nothing_and_says_what_differs(toy_file: Path) -> None:
    first = train("dcgan", toy_file, resume="auto", max_iter=2)
    assert first.out.name == "seed0"
    again = train("dcgan", toy_file, resume="auto", max_iter=2)
    assert again.out.samefile(first.out) and (first.out / "DONE").exists()
    with pytest.raises(UserError, match=f'resume="{first.out}" takes it on'):
        train("dcgan", toy_file, resume="auto", max_iter=4)
    (first.out / "DONE").unlink()
    with pytest.raises(UserError, match="adam_alpha was 0.0002 and is now 0.1"):
        train("dcgan", toy_file, resume="auto", adam_alpha=0.1, max_iter=4)
    longer = train("dcgan", toy_file, resume="auto", max_iter=4)
    assert longer.out.samefile(first.out)
    assert longer.updater.iteration == 4


def test_resume_by_path_needs_no_other_setting(toy_file: Path) -> None:
    first = train("wgan_gp", toy_file, n_dis=2, max_iter=2)
    again = ganlib.train(resume=str(first.out), max_iter=3, gpu=-1)
    assert again.settings["n_dis"] == 2 and again.updater.iteration == 3
    assert again.out.samefile(first.out) and (first.out / "DONE").exists()
    with pytest.raises(UserError, match="n_dis was 2 and is now 3"):
        ganlib.train(resume=str(first.out), n_dis=3, gpu=-1)


def test_init_from_takes_weights_only(toy_file: Path) -> None:
    first = train("dcgan", toy_file, max_iter=3)
    snapshot = first.out / "snapshots" / "iter_0000003.pt"
    model = train("dcgan", toy_file, max_iter=1, adam_alpha=1e-12, init_from=str(snapshot))
    for a, b in zip(first.updater.gen.parameters(), model.updater.gen.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6)
    assert model.updater.iteration == 1
    assert float(model.updater.optimizer["gen"].state_dict()["state"][0]["step"]) == 1
    with pytest.raises(UserError, match="networks of .* are not these"):
        train("dcgan", toy_file, max_iter=1, width=0.1, init_from=str(snapshot))


def test_freeze_d_keeps_the_layers_nearest_to_the_image(toy_file: Path) -> None:
    """Bit by bit, biases and what normalises them too, also where the run goes on; others move."""
    first = train("dcgan", toy_file, max_iter=2, out="first")
    settings = {"init_from": "first", "freeze_d": 3, "out": "tuned", "snapshot_interval": 2}
    train("dcgan", toy_file, max_iter=2, **settings)
    tuned = train("dcgan", toy_file, max_iter=4, resume="tuned", **settings)
    old, new = (dict(m.updater.dis.named_parameters()) for m in (first, tuned))
    kept = [name for name in new if torch.equal(old[name], new[name])]
    names = list(new)
    assert kept == names[: names.index("features.3.0.weight")] and len(kept) > 3
    assert not any(map(torch.equal, weights(first.updater.gen), weights(tuned.updater.gen)))
    straight = train("dcgan", toy_file, max_iter=4, **settings | {"out": "straight"})
    assert all(map(torch.equal, weights(straight.updater), weights(tuned.updater)))
    for wrong, words in (
        ({"freeze_d": 8}, "a discriminator has 8 layers; freeze fewer"),
        ({"init_from": None}, "give init_from too"),
    ):
        with pytest.raises(UserError, match=words):
            train("dcgan", toy_file, **settings | {"out": "wrong"} | wrong)


def test_init_from_takes_a_folder_with_an_average_or_without(toy_file: Path) -> None:
    plain = train("dcgan", toy_file, max_iter=2, out="plain")
    averaged = train("dcgan", toy_file, max_iter=2, out="averaged", ema_decay=0.9)
    still = {"max_iter": 1, "adam_alpha": 1e-12}
    one = train("dcgan", toy_file, init_from="plain", ema_decay=0.9, **still)
    other = train("dcgan", toy_file, init_from="averaged", **still)
    both = train("dcgan", toy_file, init_from=str(averaged.out), ema_decay=0.9, **still)
    assert other.updater.average is None
    near(one.updater.gen, plain.updater.gen)
    near(one.updater.average, plain.updater.gen)
    near(other.updater.gen, averaged.updater.gen)
    near(both.updater.gen, averaged.updater.gen)
    # in its first update the average goes 9 / 11 of the way from where it was
    start, end = averaged.updater.average, averaged.updater.gen
    for a, b, c in zip(*map(weights, (both.updater.average, start, end)), strict=True):
        torch.testing.assert_close(a, b + (c - b) * 9 / 11, rtol=0, atol=1e-6)


def weights(network: Any) -> list[torch.Tensor]:
    return [parameter.detach() for parameter in network.parameters()]


def near(network: Any, other: Any) -> None:
    for a, b in zip(weights(network), weights(other), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6)


def test_init_from_takes_what_fits_and_says_what_does_not(
    toy_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = train("dcgan", toy_file, max_iter=2, out="first")
    x = torch.randint(256, (16, 3, 28, 28), dtype=torch.uint8)
    capsys.readouterr()
    wanted = {"max_iter": 1, "adam_alpha": 1e-12, "init_from": "first", "out": "colour"}
    colour = ganlib.train(**{**SMALL, "algorithm": "dcgan", "dataset": x, **wanted})
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "left as they" in line]
    old, new = (dict(m.updater.named_parameters()) for m in (first, colour))
    left = [name for name in new if new[name].shape != old[name].shape]
    assert 0 < len(left) < 6
    assert line == (
        "Not in first/snapshots/iter_0000002.pt, or of another shape there, and left as they "
        f"start: {', '.join(left)}."
    )
    for name in new.keys() - set(left):
        torch.testing.assert_close(new[name], old[name], rtol=0, atol=1e-6)


DIVERGING = '''"""A method that diverges.

http://example.org
"""
from ganlib.registry import Algorithm
from ganlib.dcgan.net import build
from ganlib.{name}.updater import Config, Updater
ALGORITHM = Algorithm(Config, build, Updater)
'''
DIVERGING_UPDATER = """
from ganlib.dcgan import updater
class Config(updater.Config):
    at: int = 5
    \"\"\"When.\"\"\"
class Updater(updater.Updater):
    def loss_gen(self, x_fake):
        loss = super().loss_gen(x_fake)
        return loss * (float("nan") if self.iteration == self.config.at else 1)
"""


def test_a_nan_stops_the_run_and_keeps_the_last_good_snapshot(
    toy_file: Path, main_here: Callable[..., Any]
) -> None:
    folder = Path("plugins/diverging")
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(DIVERGING.format(name="diverging"))
    (folder / "updater.py").write_text(DIVERGING_UPDATER)
    which = ["-a", "diverging", "--plugin-dir", "plugins", "--dataset", toy_file]
    rest = ["-g", "-1", "--width", "0.05", "--batch-size", "4"]
    more = ["--max-iter", "40", "--snapshot-interval", "4", "--display-interval", "10"]
    done = main_here("train", *which, *rest, *more)
    assert done.returncode == 1
    assert "loss_gen" in done.stderr and "at iteration 5" in done.stderr
    kept = list(Path("result/diverging_toy/seed0/snapshots").iterdir())
    assert [p.name for p in kept] == ["iter_0000004.pt"]
    modules = read_snapshot(kept[0])["updater"]["modules"]
    assert all(torch.isfinite(t.float()).all() for t in modules.values())


EXTENSION = '''"""Scores that go down and up again."""
from ganlib.training.trainer import Extension, every
def make(settings):
    return Score()
class Score(Extension):
    name = "score"
    trigger = staticmethod(every(1))
    def __call__(self, trainer):
        trainer.observation["score"] = abs(trainer.iteration - 4.0)
'''


def test_the_best_snapshot_by_a_plugins_score(
    toy_file: Path, plugins: Callable[[Path], None]
) -> None:
    folder = Path("plugins/extensions")
    folder.mkdir(parents=True)
    (folder / "vee.py").write_text(EXTENSION)
    settings = {"plugin_dir": ["plugins"], "extension": ["vee"], "best_by": "min:score"}
    model = train("dcgan", toy_file, max_iter=9, snapshot_interval=100, **settings)
    assert read_snapshot(model.out / "snapshots" / "best.pt")["updater"]["iteration"] == 4
    assert read_lines(model.out / "log.jsonl")[0]["score"] == 1  # the newest
    with pytest.raises(UserError, match="write min:NAME or max:NAME"):
        train("dcgan", toy_file, max_iter=1, best_by="score")


@pytest.mark.filterwarnings("ignore:.* images are too few")
def test_a_short_run_is_scored_at_its_end_and_the_last_may_be_the_best(toy_file: Path) -> None:
    settings = {"evaluation_interval": 100, "evaluation_images": 20, "extractor": "fashion"}
    model = train("dcgan", toy_file, max_iter=2, **settings)
    assert [line["iteration"] for line in read_lines(model.out / "scores.jsonl")] == [2]
    best = read_snapshot(model.out / "snapshots" / "best.pt")["updater"]["iteration"]
    assert best == 2


@pytest.mark.filterwarnings("ignore:.* images are too few")
def test_a_run_is_scored_by_the_protocol_that_is_asked_for(toy_file: Path) -> None:
    settings = {"evaluation_interval": 2, "evaluation_images": 20, "extractor": "fashion"}
    own = {"evaluation_reference": "test", "evaluation_rounding": False, "metrics": "fid"}
    model = train("dcgan", toy_file, max_iter=2, **settings, **own)
    (line,) = read_lines(model.out / "scores.jsonl")
    (score,) = line["scores"].values()
    protocol = score["protocol"]
    assert [*line["scores"]] == ["FD-fashion20-test"]
    assert (protocol["reference"], protocol["n_reference"]) == ("test", 8)
    assert protocol["rounding"] == "none" and (model.out / "snapshots" / "best.pt").exists()


@pytest.mark.filterwarnings("ignore:.* images are too few")
@pytest.mark.parametrize(
    ("algorithm", "best_by", "words"),
    [
        ("dcgan", "min:FD-fashion10k-train", "gives .* Did you mean 'FD-fashion20-train'"),
        ("dcgan", "min:los_gen", "there is no 'los_gen'. Did you mean 'loss_gen'"),
        ("dcgan", "min:loss_gen", ""),
        ("dcgan", "min:FD-fashion20-test", ""),
        ("vae", "max:elbo_test", ""),
        ("vae", "max:elbo_tset", "at iteration 2: best_by: .* Did you mean 'elbo_test'"),
    ],
)
def test_a_score_that_never_comes_is_refused(
    algorithm: str,
    best_by: str,
    words: str,
    toy_file: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = {"evaluation_interval": 2, "evaluation_images": 20, "extractor": "fashion"}
    try:
        train(algorithm, toy_file, max_iter=3, best_by=best_by, **settings)
        told = capsys.readouterr().err
    except UserError as error:
        told = str(error)
    assert (re.search(words, told) if words else "best_by" not in told) is not None
    out = Path(f"result/{algorithm}_toy/seed0")
    assert (out / "DONE").exists() == (not words)
    if algorithm == "vae" and words:
        assert (out / "snapshots" / "iter_0000002.pt").exists()
        more = {**settings, "best_by": "max:elbo_test"}
        train(algorithm, toy_file, max_iter=4, resume=str(out), **more)
        assert (out / "snapshots" / "best.pt").exists() and (out / "DONE").exists()


def test_out_of_memory_names_a_batch_size(toy_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhaust(self: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(algorithms["dcgan"].updater, "update_core", exhaust)
    with pytest.raises(UserError, match="batches of 4 images: try accumulate=2 or batch_size=2"):
        train("dcgan", toy_file, max_iter=1)


def test_nothing_is_written_for_bad_input(toy_file: Path) -> None:
    before = sorted(Path().rglob("*"))
    bad: list[dict[str, Any]] = [
        {"dataset": "fashion_mnits"},
        {"dataset": "missing.h5"},
        {"device": "cuda:7"},
        {"gpu": 99},
        {"extension": ["nonesuch"]},
        {"resume": "missing.pt"},
        {"init_from": "missing.pt"},
        {"best_by": "fid"},
        {"plugin_dir": ["missing"]},
        {"device": "meta"},
        {"graph": True},
        {"sync_bn": True, "accumulate": 2},
        {"checkpoint_blocks": True, "compile": True},
        {"accumulate": 3},
        {"accumulate": SMALL["batch_size"]},
        {"batch_size": 1},
        {"batch_size": 10**9},
        {"width": 1e9},
        {"out": "new/folder", "sync_bn": True, "accumulate": 2},
    ]
    for settings in bad:
        wanted = {**SMALL, "algorithm": "dcgan", "dataset": str(toy_file), "max_iter": 1}
        if "device" in settings:
            wanted.pop("gpu")
        with pytest.raises(UserError):
            ganlib.train(**{**wanted, **settings})
        assert sorted(Path().rglob("*")) == before, settings


def test_threads_are_no_more_than_the_container_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quota = tmp_path / "cpu.max"
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(16)), raising=False)
    for text, expected in (("350000 100000\n", 3), ("max 100000\n", 16), ("50000 100000\n", 1)):
        quota.write_text(text)
        assert devices.cores(quota) == expected
    assert devices.cores(tmp_path / "none") == 16


def test_a_run_that_has_ended_holds_no_graphs(
    toy_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of a process group would wait for them."""
    alive: list[Any] = []

    def accelerate(updater: Any, *_: Any) -> None:
        updater.perform = Graphs(updater, record, pytest.fail)
        alive.append(weakref.ref(updater.perform))

    monkeypatch.setattr("ganlib.runs.run.accelerate", accelerate)
    gc.disable()
    try:
        model = train("dcgan", toy_file, max_iter=5, evaluation_interval=0)
        assert alive[0]() is None
        assert type(model.updater.data) is Loader and model.updater.perform == model.updater.iterate
    finally:
        gc.enable()
    assert model.sample(2).shape == (2, 1, 28, 28)


def test_on_a_gpu_a_run_begins_once_the_last_ones_memory_is_free(
    toy_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    monkeypatch.setattr(devices, "pick_device", lambda *_: torch.device("cuda:0"))
    monkeypatch.setattr(devices, "free", lambda device: order.append(str(device)))

    def open_data(*_: Any) -> Any:
        order.append("data")
        raise UserError("enough")

    monkeypatch.setattr("ganlib.runs.run.open_data", open_data)
    with pytest.raises(UserError, match="enough"):
        train("dcgan", toy_file)
    assert order == ["cuda:0", "data"]
