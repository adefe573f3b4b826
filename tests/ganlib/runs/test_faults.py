"""Runs in a world that fails: readers that go away, full disks, other data, damaged files."""

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

import ganlib
from ganlib.common.data import DataSet
from ganlib.common.errors import StoppedError, UserError
from ganlib.common.formats.hdf5_writing import write_hdf5
from ganlib.common.io.jsonl import read_lines
from ganlib.dcgan.updater import Config
from ganlib.training.scores.drawing import Drawing
from ganlib.training.snapshot import newest_snapshot, read_snapshot

ROOT = Path(ganlib.__file__).parents[1]
SMALL: dict[str, Any] = {"algorithm": "dcgan", "width": 0.05, "batch_size": 4, "gpu": -1}
SMALL |= {"display_interval": 3, "sample_interval": 0, "evaluation_interval": 0}
SMALL |= {"tensorboard": False}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # as here, on which the last bits depend


def train(data: Path | str, **settings: Any) -> ganlib.Model:
    return ganlib.train(**{**SMALL, "dataset": str(data), **settings})


def flags(data: Path, **settings: Any) -> list[str]:
    given = {**SMALL, "dataset": data, **settings}
    given.pop("tensorboard")
    named = [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]
    return ["--no-tensorboard", *named]


def start(data: Path, **settings: Any) -> "subprocess.Popen[str]":
    """train.py as a process of its own, whose messages are read."""
    command = [sys.executable, str(ROOT / "train.py"), *flags(data, **settings)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


# --- What becomes of a run


def test_a_run_outlives_the_reader_of_its_messages(toy_file: Path) -> None:
    process = start(toy_file, max_iter=40, out="run")
    assert process.stderr is not None
    assert process.stderr.readline().startswith("Training dcgan")
    process.stderr.close()
    assert process.wait() == 0
    assert Path("run/DONE").exists() and len(read_lines(Path("run/log.jsonl"))) == 13


@contextmanager
def limited(nbytes: int) -> Iterator[None]:
    """A disk on which no file is longer than this: Python ignores the signal, and has an error."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (nbytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_a_sentence_and_the_run_goes_on_later(
    main_here: Callable[..., Any], toy_file: Path
) -> None:
    whole = train(toy_file, max_iter=9, out="whole")
    size = newest_snapshot(whole.out).stat().st_size
    arguments = flags(toy_file, max_iter=9, snapshot_interval=4, out="run", resume="auto")
    for room in (size // 2, size - 1000, size + 1000):
        with limited(room):
            done = main_here("train", *arguments)
        enough = room > size
        assert done.returncode == (0 if enough else 1), done.stderr
        last = done.stderr.splitlines()[-1]
        assert enough or last.startswith("Stopped: run cannot be written to: File too large.")
        assert {p.name.partition("-")[0] for p in Path("run").rglob(".*")} <= {".earlier"}
    a, b = (read_snapshot(newest_snapshot(Path(p)))["updater"]["modules"] for p in ("whole", "run"))
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_a_folder_that_is_gone_ends_the_run(
    toy_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ganlib.training.extensions.sample_grid import SampleGrid

    monkeypatch.setattr(SampleGrid, "__call__", lambda self, trainer: trainer.out.rename("moved"))
    with pytest.raises(StoppedError, match=r"run cannot be written to: No such file.*after itera"):
        train(toy_file, max_iter=9, out="run", sample_interval=4)
    assert not Path("run").exists()


def test_what_fails_while_batches_are_closed_ends_in_a_sentence(
    toy_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ganlib.training.update.streams import Streams

    def full(streams: Streams) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Streams, "close", full)
    with pytest.raises(StoppedError, match=r"run cannot be written to: No space.*iteration 1;"):
        train(toy_file, max_iter=1, out="run")


@pytest.mark.parametrize("out", ["file", "file/below", "x" * 300, "/proc/none/run"])
def test_a_folder_that_cannot_be_had_is_a_sentence(out: str, toy_file: Path) -> None:
    Path("file").touch()
    before = sorted(Path().rglob("*"))
    with pytest.raises(UserError, match=f"^{out} cannot be written: "):
        train(toy_file, max_iter=1, out=out)
    assert sorted(Path().rglob("*")) == before


def test_what_was_killed_leaves_nothing_behind_for_ever(toy_file: Path) -> None:
    first = train(toy_file, max_iter=3, out="run")
    (first.out / "DONE").unlink()
    torn = [".ganlib-abcdefgh.yaml", "samples/.ganlib-a_1b2c3d.png"]
    torn += ["snapshots/.ganlib-abcdefgh.pt", ".ganlib-abcdefgh.jsonl"]
    for name in torn:
        (first.out / name).touch()
    train(toy_file, max_iter=5, out="run", resume="auto")
    assert [p.name for p in first.out.rglob(".*")] == []


# --- What a run goes on with


def split(data: DataSet, **changes: Any) -> DataSet:
    return DataSet(**{**data.__dict__, **changes})


def test_the_same_data_elsewhere_go_on_and_other_data_are_refused(
    toy_file: Path, toy_data: Callable[..., DataSet]
) -> None:
    """The end is that of a run that never stopped, bit by bit."""
    whole = train(toy_file, max_iter=6, out="whole")
    train(toy_file, max_iter=6, max_images=12, out="run")
    Path("elsewhere").mkdir()
    moved = toy_file.rename(Path("elsewhere") / "same.h5")
    data = toy_data()
    cases = [
        (toy_data(n=20), r"the data differ \(count was 32 and is now 20\)"),
        (split(data, x=data.x.flip(0)), r"the data differ \(other images\)"),  # type: ignore[attr-defined]
        (split(data, y=1 - data.y % 2), r"the data differ \(other labels\)"),  # type: ignore[operator]
    ]
    for other, words in cases:
        write_hdf5(Path("toy.h5"), other)
        for resume in ("run", "auto"):
            Path("run/DONE").unlink(missing_ok=True)
            with pytest.raises(UserError, match=words):
                train("toy.h5", max_iter=6, out="run", resume=resume)
    for resume in ("auto", "run"):
        again = train(moved, max_iter=6, out="run", resume=resume)
        Path("run/DONE").unlink()
        assert again.updater.iteration == 6
    a, b = whole.updater.state_dict(), again.updater.state_dict()
    assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("source", ["moved", "unpaired:moved", "label-maps:moved"])
def test_sources_that_have_moved_go_on_and_others_are_refused(source: str) -> None:
    kind, _, _ = source.rpartition("moved")
    random = np.random.default_rng(0)
    for folder in ("images", "first"):
        Path(folder).mkdir()
        for i in range(6):
            top = 3 if kind == "label-maps:" and folder == "first" else 256
            pixels = random.integers(0, top, (16, 16), dtype=np.uint8)
            Image.fromarray(pixels).save(f"{folder}/{i}.png")
    if kind == "label-maps:":
        Path("first/classes.txt").write_text("sky\nroad\ntree\n")
    method = "cyclegan" if kind == "unpaired:" else "pix2pix"
    more = {"algorithm": method, "out": "run", "preset": "quick", "hold_out": 0, "lr_decay": "none"}
    train("images", **more, source=f"{kind}first", max_iter=1)
    Path("first").rename("moved")
    for resume in ("run", "auto"):
        Path("run/DONE").unlink(missing_ok=True)
        train("images", **more, source=source, max_iter=2, resume=resume)
    if kind == "label-maps:":
        Path("moved/classes.txt").write_text("road\nsky\ntree\n")
        words = r"the data differ \(other class names\)"
    else:
        Path("moved/0.png").write_bytes(Path("moved/1.png").read_bytes())
        words = r"the data differ \(other sources\)"
    Path("run/DONE").unlink()
    for resume in ("run", "auto"):
        with pytest.raises(UserError, match=words):
            train("images", **more, source=source, max_iter=3, resume=resume)


def test_a_snapshot_of_before_data_were_compared_goes_on_with_a_line(
    toy_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = newest_snapshot(train(toy_file, max_iter=3, out="run").out)
    content = torch.load(path, weights_only=True)
    del content["data"]
    torch.save(content, path)
    capsys.readouterr()
    train(toy_file, max_iter=4, out="run", resume="run")
    assert "does not say on what data it was trained" in capsys.readouterr().err
    torch.save(content, newest_snapshot(Path("run")))
    moved = toy_file.rename(toy_file.with_name("moved.h5"))
    with pytest.raises(UserError, match="dataset was .*toy.h5' and is now .*moved.h5'"):
        train(moved, max_iter=5, out="run", resume="run")


def test_a_run_whose_recipe_was_revised_samples_on_and_is_not_trained_on(
    toy_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Parameters do not show it, and nothing else than the snapshot's number of revisions can."""
    run = train(toy_file, max_iter=2, out="run").out
    change(path := newest_snapshot(run), lambda c: c["updater"].pop("revision"))  # an older one
    (run / "DONE").unlink()
    before = ganlib.load(run).sample(2)
    for revisions in (("D halves once more",), ("D halves once more", "the rate falls")):
        monkeypatch.setattr(Config, "revisions", lambda self, r=revisions: r)
        words = rf"revised since \({', '.join(revisions)}\): train it anew, or resume with the gan"
        for resume in ("run", str(path), "auto"):
            with pytest.raises(UserError, match=words):
                train(toy_file, max_iter=3, out="run", resume=resume)
    assert torch.equal(ganlib.load(run).sample(2), before)
    capsys.readouterr()
    new = train(toy_file, max_iter=1, out="new", init_from="run").out
    assert "revised: D halves once more, the rate falls." in capsys.readouterr().err
    assert train(toy_file, max_iter=2, out="new", resume="new").updater.iteration == 2
    monkeypatch.setattr(Config, "revisions", lambda self: ())
    with pytest.raises(UserError, match="it is of a newer ganlib"):
        train(toy_file, max_iter=3, out="new", resume=str(newest_snapshot(new)))


def change(path: Path, what: Callable[[dict[str, Any]], object]) -> None:
    content = torch.load(path, weights_only=True)
    what(content)
    torch.save(content, path)


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (lambda c: c["updater"]["modules"].pop("dis.l4.bias"), "does not fit 'dcgan'.*dis.l4.bias"),
        (
            lambda c: c["updater"]["optimizers"]["gen"][0].update(exp_avg=torch.zeros(3)),
            r"does not fit 'dcgan'.*exp_avg of parameter 0 is \(3,\)",
        ),
        (lambda c: c["updater"]["optimizers"].pop("dis"), "does not fit 'dcgan'.*dis"),
        (
            lambda c: c["updater"]["optimizers"]["dis"].update({99: {}}),
            "parameters and none 99",
        ),
        (lambda c: c["extensions"]["log_report"].pop("sums"), "does not fit 'dcgan'.*sums"),
        (lambda c: c["spec"].update(n_classes=7), "The data have changed since the snapshot"),
    ],
)
def test_a_snapshot_that_does_not_fit_is_refused(
    what: Callable[[Any], object], words: str, toy_file: Path
) -> None:
    path = newest_snapshot(train(toy_file, max_iter=3, out="run").out)
    change(path, what)
    with pytest.raises(UserError, match=words):
        train(toy_file, max_iter=4, out="run", resume="run")


def test_a_damaged_snapshot_names_the_whole_one_before_it(toy_file: Path) -> None:
    run = train(toy_file, max_iter=4, snapshot_interval=2, out="run").out
    path = newest_snapshot(run)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    for resume in ("run", str(path)):
        with pytest.raises(UserError, match=r"damaged.*iter_0000002\.pt is whole"):
            train(toy_file, max_iter=6, out="run", resume=resume)
    again = train(toy_file, max_iter=6, out="run", resume="run/snapshots/iter_0000002.pt")
    assert again.updater.iteration == 6


def test_old_names_and_damaged_texts_are_no_tracebacks(toy_file: Path) -> None:
    run = train(toy_file, max_iter=6, out="run").out
    (run / "DONE").unlink()
    (run / "snapshots" / "iter_old.pt").touch()
    config, log = run / "config.yaml", run / "log.jsonl"
    good = config.read_text()
    for text in ("", "a: [", "seed: 1\nseed: 2\n", "\x00", "[1, 2]"):
        config.write_text(text)
        with pytest.raises(UserError, match=r"run.config\.yaml"):
            train(toy_file, max_iter=8, out="run", resume="auto")
    config.write_text(good)
    lines = log.read_text()
    log.write_text("{oops\n" + lines)
    with pytest.raises(UserError, match=r"Line 1 of run.log\.jsonl"):
        train(toy_file, max_iter=8, out="run", resume="auto")
    log.write_text(lines)
    assert train(toy_file, max_iter=8, out="run", resume="auto").updater.iteration == 8


def test_a_run_is_not_ended_where_it_has_been(toy_file: Path) -> None:
    run = train(toy_file, max_iter=9, max_images=24, out="run").out
    before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    with pytest.raises(UserError, match="is at iteration 6 already, past max_iter=4"):
        ganlib.train(resume="run", max_iter=4, gpu=-1)
    with pytest.raises(UserError, match="has seen 24 images already, more than max_images=23"):
        ganlib.train(resume="run", max_images=23, gpu=-1)
    assert {p: p.read_bytes() for p in run.rglob("*") if p.is_file()} == before
    assert ganlib.train(resume="run", max_images=28, gpu=-1).updater.iteration == 7


def test_the_config_of_a_resumed_run_repeats_it_and_both_commands_are_kept(
    toy_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["train.py", "first"])
    run = train(toy_file, max_iter=3).out
    monkeypatch.setattr(sys, "argv", ["train.py", "second"])
    ganlib.train(resume=str(run), max_iter=5, gpu=-1)
    monkeypatch.setattr(sys, "argv", ["train.py", "third"])
    ganlib.train(resume=str(run), max_iter=6, gpu=-1)
    assert yaml.safe_load((run / "config.yaml").read_text())["resume"] is None
    repeated = ganlib.train(config=str(run / "config.yaml"))
    assert repeated.out.name == "seed0-2" and repeated.updater.iteration == 6
    environment = json.loads((run / "environment.json").read_text())
    assert environment["command"] == ["train.py", "first"]
    again = [(one["iteration"], one["command"][1]) for one in environment["continued"]]
    assert again == [(3, "second"), (5, "third")]


def test_two_processes_do_not_share_a_folder(toy_file: Path) -> None:
    process = start(toy_file, max_iter=100_000, out="run")
    assert process.stderr is not None
    with process:
        while not process.stderr.readline().startswith("3/"):
            assert process.poll() is None
        with pytest.raises(UserError, match=f"trained in by process {process.pid} on "):
            train(toy_file, max_iter=100_000, out="run", resume="auto")
        process.kill()
    again = train(toy_file, max_iter=6, out="run", resume="auto")
    assert [line["iteration"] for line in read_lines(again.out / "log.jsonl")] == [3, 6]


@pytest.mark.usefixtures("usual_signals")
def test_a_hang_up_ends_a_run_in_good_order(toy_file: Path) -> None:
    process = start(toy_file, max_iter=100_000, out="run")
    assert process.stderr is not None
    with process:
        while not process.stderr.readline().startswith("3/"):
            assert process.poll() is None
        process.send_signal(signal.SIGHUP)
        assert "SIGHUP received" in process.stderr.read()
    assert process.returncode == 0
    assert read_snapshot(newest_snapshot(Path("run")))["updater"]["iteration"] >= 3


@pytest.mark.usefixtures("usual_signals")
@pytest.mark.filterwarnings("ignore:.* images are too few")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_in_the_last_evaluation_is_a_sentence_and_leaves_no_line_twice(
    number: signal.Signals,
    toy_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    scored = {"evaluation_interval": 100, "evaluation_images": 20, "extractor": "fashion"}
    whole = train(toy_file, max_iter=3, out="whole", **scored).out
    original = Drawing.batches

    def stopped(*args: Any, **kwargs: Any) -> Iterator[Any]:
        for batch in original(*args, **kwargs):
            os.kill(os.getpid(), number)
            yield batch

    with monkeypatch.context() as patched:
        patched.setattr(Drawing, "batches", stopped)
        out = train(toy_file, max_iter=3, out="run", **scored).out
    last = capsys.readouterr().err.splitlines()[-2]
    assert last == f'Stopped at iteration 3: {number.name} received. resume="auto" continues.'
    assert not (out / "DONE").exists() and not (out / "scores.jsonl").exists()
    assert [line["iteration"] for line in read_lines(out / "log.jsonl")] == [3]
    train(toy_file, max_iter=3, out="run", resume="auto", **scored)
    assert (out / "DONE").exists() and len(read_lines(out / "scores.jsonl")) == 1
    (a,), (b,) = (read_lines(path / "log.jsonl") for path in (whole, out))
    assert a.keys() == b.keys() and "FD-fashion20-train" in a
    times = {"seconds", "images_per_second", "images_per_cpu_second"}
    assert all(a[name] == b[name] for name in a.keys() - times)
