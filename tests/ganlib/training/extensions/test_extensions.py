"""What the extensions write and say."""

import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image
from rich.console import Console
from torch import Tensor

from ganlib import evaluation
from ganlib.common.errors import UserError
from ganlib.common.io.jsonl import read_lines
from ganlib.common.pictures import class_grid, grid
from ganlib.evaluation import Evaluator
from ganlib.evaluation.extractors.base import Extractor, Features
from ganlib.registry import extensions
from ganlib.training.extensions.checks import Evaluate, FiniteGuard, Unmoved
from ganlib.training.extensions.reports import Announce, LogReport, ProgressBar
from ganlib.training.extensions.sample_grid import SampleGrid
from ganlib.training.extensions.tensorboard import TensorBoard
from ganlib.training.scores.scorer import Drawing, Scorer
from ganlib.training.snapshot import Snapshot, newest_snapshot, read_snapshot
from ganlib.training.trainer import Extension, Trainer, every
from ganlib.training.update.steps import NonFiniteError
from ganlib.training.update.streams import Stage

Make = Callable[..., Trainer]


@pytest.fixture
def make_trainer(make_updater: Any, tmp_path: Path) -> Make:
    def make(*extensions: Extension, max_iter: int = 6, **settings: Any) -> Trainer:
        trainer = Trainer(make_updater("dcgan", **settings), tmp_path, max_iter)
        trainer.extend(*extensions)
        return trainer

    return make


class Observed(Extension):
    """Puts the iteration's square where a loss would be."""

    name = "observed"

    def __call__(self, trainer: Trainer) -> None:
        trainer.observation = {"loss": torch.tensor(trainer.iteration**2, dtype=torch.float64)}
        if trainer.iteration % 2 == 0:
            trainer.observation["rare"] = 10.0 * trainer.iteration


def test_the_log_holds_means_of_tensors_and_the_newest_of_numbers(
    make_trainer: Make, tmp_path: Path
) -> None:
    make_trainer(Observed(), LogReport(3), max_iter=7).run()
    lines = read_lines(tmp_path / "log.jsonl")
    assert [(line["iteration"], line["images"]) for line in lines] == [(3, 12), (6, 24)]
    assert [line["loss"] for line in lines] == pytest.approx([14 / 3, 77 / 3])
    assert [line["rare"] for line in lines] == [20, 60]


def test_the_last_snapshot_is_there_before_the_last_evaluation(
    make_trainer: Make, tmp_path: Path
) -> None:
    class Killed(Extension):
        name = "killed"

        def finalize(self, trainer: Trainer) -> None:
            raise KeyboardInterrupt

    trainer = make_trainer(Killed(), Snapshot(every(0), {}, {}), max_iter=2)
    with pytest.raises(KeyboardInterrupt):
        trainer.run()
    assert (tmp_path / "snapshots" / "iter_0000002.pt").is_file()


class Late(Extension):
    """Observes something once the run is over."""

    name = "late"

    def finalize(self, trainer: Trainer) -> None:
        trainer.observation["late"] = torch.tensor(2.5)


@pytest.mark.parametrize(("max_iter", "lines"), [(6, [3, 6]), (7, [3, 6, 7])])
def test_what_is_observed_at_the_end_is_in_the_last_line(
    make_trainer: Any, max_iter: int, lines: list[int]
) -> None:
    trainer = make_trainer(Late(), LogReport(3), max_iter=max_iter)
    trainer.run()
    found = read_lines(trainer.out / "log.jsonl")
    assert [line["iteration"] for line in found] == lines
    assert [line.get("late") for line in found] == [*[None] * (len(lines) - 1), 2.5]
    assert ("loss_gen" in found[-1]) == (max_iter == 6)
    assert trainer.line == found[-1]


def test_the_log_is_cut_back_on_resume_and_a_torn_line_dropped(
    make_trainer: Make, tmp_path: Path
) -> None:
    first = make_trainer(Observed(), LogReport(2), max_iter=6)
    first.run()
    log = tmp_path / "log.jsonl"
    before = log.read_text()
    log.write_text(before + '{"iteration": 8, "lo')
    second = make_trainer(Observed(), LogReport(2), max_iter=6)
    for _ in range(3):
        second.updater.update()
    second.run()
    lines = [json.loads(line)["iteration"] for line in log.read_text().splitlines()]
    assert lines == [2, 4, 6]


def test_tensorboard_reads_the_log(make_trainer: Make, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    from ganlib.training.extensions.tensorboard import TensorBoard

    make_trainer(Observed(), LogReport(2), TensorBoard(), max_iter=5).run()
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(e.step, e.value) for e in events.Scalars("loss")] == [(2, 2.5), (4, 12.5)]


def test_tensorboard_is_made_by_its_name_and_has_all_lines_in_any_order(
    make_trainer: Make, tmp_path: Path
) -> None:
    """As `--no-tensorboard --extension tensorboard` puts it before the log."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    make_trainer(Observed(), extensions["tensorboard"]({}), LogReport(2), max_iter=4).run()
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(e.step, e.value) for e in events.Scalars("loss")] == [(2, 2.5), (4, 12.5)]


@pytest.mark.parametrize("max_iter", [6, 7])
def test_tensorboard_has_what_is_observed_at_the_end(
    make_trainer: Make, tmp_path: Path, max_iter: int
) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    make_trainer(Observed(), Late(), LogReport(3), TensorBoard(), max_iter=max_iter).run()
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(e.step, e.value) for e in events.Scalars("late")] == [(max_iter, 2.5)]
    assert [e.step for e in events.Scalars("loss")] == [3, 6]


def test_progress_without_a_terminal_is_lines(
    make_trainer: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganlib.training.extensions.reports.PAUSE", 0)
    said = io.StringIO()
    make_trainer(LogReport(2), ProgressBar(Console(file=said, width=200)), max_iter=4).run()
    lines = said.getvalue().splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("2/4") and "it/s" in lines[0] and "loss_dis" in lines[0]


def test_progress_on_a_terminal_is_a_bar(make_trainer: Make) -> None:
    said = io.StringIO()
    console = Console(file=said, force_terminal=True, width=160)
    make_trainer(LogReport(1), ProgressBar(console), max_iter=3).run()
    text = said.getvalue()
    assert "3/3" in text and "it/s" in text and "loss_gen" in text


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_time_left_is_never_cut_off(
    make_trainer: Make, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    said = io.StringIO()
    console = Console(file=said, force_terminal=True, width=width, color_system=None)
    bar = ProgressBar(console)
    slow(make_trainer, monkeypatch, LogReport(1), bar, place="dcgan_fashion_mnist_from_edges")
    frames = re.split(r"\x1b\[[0-9?]*[a-zA-Z]", said.getvalue())
    last = next(frame.strip() for frame in reversed(frames) if frame.strip())
    assert "5/100000" in last and " 4 days, 15:06:20 left" in last and len(last) <= width
    assert ("loss_dis" in last) == (width >= 80)
    assert last.startswith("dcgan_fashion_mnist_from_edges") == (width >= 100)


@pytest.mark.usefixtures("small_methods")
def test_lines_say_the_stage_where_there_are_several(make_updater: Any, tmp_path: Path) -> None:
    updater = make_updater("growing", stage_images=8)  # a batch of 8, two of 4, then others of 4
    text = io.StringIO()
    trainer = Trainer(updater, tmp_path, 4)
    trainer.extend(LogReport(1), TensorBoard(), ProgressBar(Console(file=text)))
    trainer.run()
    lines = read_lines(tmp_path / "log.jsonl")
    assert [line["stage"] for line in lines] == ["8x8", "16x16", "16x16", "32x32"]
    assert "  8x8  loss_dis " in text.getvalue()


@pytest.mark.usefixtures("small_methods")
def test_the_end_of_several_stages_is_not_foretold(make_updater: Any, tmp_path: Path) -> None:
    text = io.StringIO()
    trainer = Trainer(make_updater("growing", stage_images=800), tmp_path, 20)
    trainer.extend(Announce(Console(file=text, width=200)))
    trainer.run()
    said = " iterations/s at 8x8; other stages have rates of their own. A snapshot weighs "
    assert said in text.getvalue() and "done in" not in text.getvalue()


def test_lines_say_no_stage_where_there_is_one(make_trainer: Make, tmp_path: Path) -> None:
    trainer = make_trainer(LogReport(1), max_iter=2)
    trainer.run()
    assert trainer.stage == "" and "stage" not in read_lines(tmp_path / "log.jsonl")[0]


def test_announce_says_rate_end_and_weight(make_trainer: Make) -> None:
    said = io.StringIO()
    trainer = make_trainer(Announce(Console(file=said, width=200)), max_iter=22)
    trainer.run()
    state = io.BytesIO()
    torch.save(trainer.state(), state)
    (line,) = said.getvalue().splitlines()
    assert "iterations/s: done in 0:00:0" in line
    weight = float(line.split("weighs ")[1].split(" MB")[0])
    assert weight * 1e6 == pytest.approx(state.tell(), rel=0.1)


def test_a_nan_names_the_last_good_snapshot_where_there_is_one(
    make_trainer: Make, tmp_path: Path
) -> None:
    trainer = make_trainer(FiniteGuard(every(1)))
    trainer.updater.bad.copy_(torch.tensor([41, 0]))
    guard = trainer.extensions["finite_guard"]
    with pytest.raises(NonFiniteError, match=r"infinite at iteration 41\.$"):
        guard(trainer)
    (tmp_path / "snapshots").mkdir()
    (tmp_path / "snapshots" / "iter_0000040.pt").touch()
    with pytest.raises(NonFiniteError, match=r"at iteration 41; the last .* is .*40\.pt\.$"):
        guard(trainer)


def test_a_nan_of_the_last_iterations_names_it_too(make_trainer: Make, tmp_path: Path) -> None:
    class Broken(Extension):
        name = "broken"

        def __call__(self, trainer: Trainer) -> None:
            if trainer.iteration == 3:
                trainer.updater.bad.copy_(torch.tensor([3, 0]))

    snapshots = Snapshot(every(2), {"algorithm": "dcgan"}, {})
    trainer = make_trainer(FiniteGuard(every(0)), Broken(), snapshots, max_iter=3)
    with pytest.raises(NonFiniteError, match=r"at iteration 3; the last .* is .*02\.pt\.$"):
        trainer.run()


def slow(
    make_trainer: Make,
    monkeypatch: pytest.MonkeyPatch,
    *extensions: Any,
    place: str = "",
    **limits: Any,
) -> None:
    """A run of 100,000 iterations of 4 seconds each, stopped after 5."""
    seconds = iter(range(4, 10**6, 4))
    now = [0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    trainer = make_trainer(*extensions, max_iter=100_000)
    trainer.out = trainer.out / place / "seed0" if place else trainer.out
    trainer.out.mkdir(parents=True, exist_ok=True)
    for name, limit in limits.items():
        setattr(trainer, name, limit)
    update = trainer.updater.update

    def wait() -> Any:
        now[0] = next(seconds)
        if trainer.iteration == 4:
            trainer.stop("enough")
        return update()

    trainer.updater.update = wait
    trainer.run()


def test_a_slow_run_is_announced_in_seconds_and_told_another_way(
    make_trainer: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1 / 4 iterations/s from the third on, when 8 seconds are over; 100,000 take 4.6 days."""
    said = io.StringIO()
    announce = Announce(Console(file=said, width=300), "There is another way.")
    slow(make_trainer, monkeypatch, announce)
    (line,) = said.getvalue().splitlines()
    assert line.startswith("0.25 iterations/s: done in 4 days, 15:06:28, at ")
    assert line.endswith("There is another way.")


@pytest.mark.parametrize(
    ("threads", "lost", "said"),
    [
        (2, 900, "its 2 threads wait for each other: OMP_NUM_THREADS=1 may be several times"),
        (2, 700, ""),  # in 8 seconds, 44 times a second of each thread
        (1, 900, ""),  # which waits for none
    ],
)
def test_threads_whose_cores_others_want_are_told_of(
    make_trainer: Make, monkeypatch: pytest.MonkeyPatch, threads: int, lost: int, said: str
) -> None:
    text = io.StringIO()
    counts = iter((5, 5 + lost))
    monkeypatch.setattr("torch.get_num_threads", lambda: threads)
    monkeypatch.setattr("ganlib.training.extensions.reports.interruptions", lambda: next(counts))
    slow(make_trainer, monkeypatch, Announce(Console(file=text, width=300)))
    assert said in text.getvalue() and ("Other programs" in text.getvalue()) is bool(said)


@pytest.mark.parametrize(
    ("limits", "left"),
    [
        ({"max_hours": 1.0}, "0:58:48"),  # 3540 of its seconds are for training, 12 are over
        ({"max_images": 400}, "0:06:28"),  # the 97 further batches of 4, at 4 seconds each
        ({"max_images": 400, "max_hours": 0.1}, "0:05:41"),  # 352.8 seconds
        ({"max_hours": 1e9}, "4 days, 15:06:28"),
    ],
)
def test_what_ends_a_run_first_is_the_time_left(
    make_trainer: Make, monkeypatch: pytest.MonkeyPatch, limits: Any, left: str
) -> None:
    said = io.StringIO()
    slow(make_trainer, monkeypatch, Announce(Console(file=said, width=300)), **limits)
    assert f" iterations/s: done in {left}, at " in said.getvalue()


def test_the_first_line_without_a_terminal_names_no_rate_that_nobody_knows(
    make_trainer: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = io.StringIO()
    monkeypatch.setattr("ganlib.training.extensions.reports.PAUSE", -1.0)
    slow(make_trainer, monkeypatch, LogReport(1), ProgressBar(Console(file=said, width=200)))
    first, second, *_ = said.getvalue().splitlines()
    assert first.startswith("1/100000  loss_")
    assert second.startswith("2/100000  0.25 it/s  4 days, 15:06:32 left  loss_")


@pytest.mark.parametrize("later", ["", "phase", "stage"])
def test_what_no_step_moves_is_said_once(
    later: str, make_trainer: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganlib.training.extensions.checks.AFTER", 4)
    said = io.StringIO()
    trainer = make_trainer(Unmoved(Console(file=said, width=200), ["gen.known"]), max_iter=9)
    updater = trainer.updater
    updater.phase = lambda iteration: later == "phase" and iteration > 6
    updater.stage = lambda iteration: Stage(4, None, int(later == "stage" and iteration > 6))
    for name in ("spare", "known"):
        updater.gen.register_parameter(name, torch.nn.Parameter(torch.ones(1)))
    updater.judge, updater.waiting = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    updater.later = ("waiting",)
    updater.fixed = torch.nn.Linear(2, 2).requires_grad_(False)
    updater.optimizer.update(updater.optimizers())  # which know of all this
    lines = []
    trainer.extend(Counted(lambda: lines.append(said.getvalue())))
    trainer.run()
    names = "judge" if later else "gen.spare, judge, waiting"
    assert [line != "" for line in lines] == 3 * [False] + 6 * [True]
    assert said.getvalue() == f"No step has moved {names} so far.\n"


@pytest.mark.parametrize(("border", "still"), [(2, "judge"), (4, "gen.spare, judge")])
def test_what_moved_in_a_stage_before_a_run_goes_on_is_not_said(
    border: int, still: str, make_trainer: Make
) -> None:
    """A stage that began where the run goes on, or before, may have left parts behind."""
    said = io.StringIO()
    trainer = make_trainer(max_iter=3)
    trainer.run()
    updater = trainer.updater
    updater.stage = lambda iteration: Stage(4, None, int(iteration >= border))
    updater.gen.register_parameter("spare", torch.nn.Parameter(torch.ones(1)))
    updater.judge = torch.nn.Linear(2, 2)
    updater.optimizer.update(updater.optimizers())
    trainer.extend(Unmoved(Console(file=said, width=200)))
    trainer.max_iter = 8
    trainer.run()
    assert said.getvalue() == f"No step has moved {still} so far.\n"


def test_nothing_is_said_of_networks_that_move(make_trainer: Make) -> None:
    said = io.StringIO()
    make_trainer(Unmoved(Console(file=said)), max_iter=2, ema_decay=0.9).run()
    assert said.getvalue() == ""


@pytest.mark.parametrize("algorithm", ["wgan", "wgan_gp", "cramer", "began", "r3gan", "sngan"])
def test_a_target_that_no_update_serves_ends_the_run(
    algorithm: str, make_updater: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """p would stay where it is: of these methods sngan alone says what D thinks of real images."""
    monkeypatch.setattr("ganlib.training.extensions.checks.AFTER", 2)
    trainer = Trainer(make_updater(algorithm, ada_target=0.6), tmp_path, 9)
    trainer.extend(Unmoved(Console(file=io.StringIO())))
    if algorithm == "sngan":
        trainer.max_iter = 3
        trainer.run()
        assert trainer.iteration == 3
        return
    with pytest.raises(UserError, match=r"never calls self.saw_real\(logits\): leave"):
        trainer.run()
    assert trainer.iteration == 2


class Counted(Extension):
    """Calls `note` after every iteration."""

    name = "counted"

    def __init__(self, note: Callable[[], None]) -> None:
        self.note = note

    def __call__(self, trainer: Trainer) -> None:
        self.note()


def test_sample_grids_come_from_the_same_noise(make_trainer: Make, tmp_path: Path) -> None:
    trainer = make_trainer(SampleGrid(every(2), n=16, seed=3), max_iter=3)
    means = torch.zeros(6, 1, 28, 28)
    trainer.updater.pictures = lambda seed: {"mean": means, "row": (means, 3)}
    trainer.run()
    samples = tmp_path / "samples"
    names = sorted(p.name for p in samples.iterdir())
    more = [f"{name}_000000{k}.png" for name in ("mean", "row") for k in (2, 3)]
    assert names == ["0000000.png", "0000002.png", "0000003.png", *more[:2], "real.png", *more[2:]]
    for name, columns in (("mean", 6), ("row", 3)):
        with Image.open(samples / f"{name}_0000003.png") as picture:
            assert picture.size == grid(means, columns).size
    (x,) = trainer.updater.sample(16, seed=3)
    with Image.open(tmp_path / "samples" / "0000003.png") as picture:
        pixels = torch.tensor(list(picture.convert("L").tobytes())).view(*picture.size[::-1])
    # the first image, enlarged three times, begins after a margin of four pixels
    shown = pixels[4 : 4 + 84 : 3, 4 : 4 + 84 : 3]
    assert torch.equal(shown, ((x[0, 0] + 1) * 127.5).round().long())


def test_before_training_there_are_the_untrained_samples_and_real_images(
    make_trainer: Make, tmp_path: Path
) -> None:
    trainer = make_trainer(SampleGrid(every(9), n=16, seed=3), max_iter=1)
    (x,) = trainer.updater.sample(16, seed=3)
    trainer.run()
    samples = tmp_path / "samples"
    with Image.open(samples / "0000000.png") as picture:
        assert picture.tobytes() == grid(x).tobytes()
    with Image.open(samples / "real.png") as picture:
        pixels = torch.tensor(list(picture.convert("L").tobytes())).view(*picture.size[::-1])
    data = trainer.updater.data.data.x
    tiles = {pixels[y : y + 84 : 3, x : x + 84 : 3] for y in (4, 92) for x in range(4, 700, 88)}
    numbers = [next(i for i in range(len(data)) if torch.equal(data[i, 0], t)) for t in tiles]
    assert len(set(numbers)) == 16
    for file in samples.iterdir():
        file.unlink()
    resumed = make_trainer(SampleGrid(every(9)), max_iter=2)
    resumed.updater.update()
    resumed.run()
    assert [file.name for file in samples.iterdir()] == ["0000002.png"]


@pytest.mark.usefixtures("small_methods")
def test_grids_of_classes_have_a_row_for_each(make_updater: Any, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    from ganlib.training.extensions.tensorboard import TensorBoard

    trainer = Trainer(make_updater("labelled"), tmp_path, 2)
    trainer.extend(SampleGrid(every(2), seed=3), TensorBoard())
    trainer.run()
    updater, samples = trainer.updater, tmp_path / "samples"
    names = sorted(p.name for p in samples.iterdir())
    assert names == ["0000000.png", "0000002.png", "real.png"]
    rows = [(name, next(updater.sample(8, seed=3, y=name))) for name in "abc"]
    with Image.open(samples / "0000002.png") as picture:
        assert picture.tobytes() == class_grid(rows).tobytes()
        events = EventAccumulator(str(tmp_path / "tensorboard"))
        events.Reload()
        seen = events.Images("samples")[-1].encoded_image_string
        with Image.open(io.BytesIO(seen)) as shown:
            assert picture.convert("RGB").tobytes() == shown.convert("RGB").tobytes()
    data = updater.data.data
    with Image.open(samples / "real.png") as real:
        gray = torch.tensor(list(real.convert("L").tobytes())).view(*real.size[::-1])
    left = real.size[0] - grid(torch.zeros(8, 1, 28, 28)).width
    for k in range(3):  # images of the class in its row, each another
        tiles = [
            gray[4 + 92 * k : 88 + 92 * k : 3, left + 4 + 88 * i : left + 88 + 88 * i : 3]
            for i in range(8)
        ]
        numbers = [next(i for i in range(32) if torch.equal(data.x[i, 0], t)) for t in tiles]
        assert len(set(numbers)) == 8 and {int(data.y[i]) for i in numbers} == {k}


def test_without_grids_there_is_one_at_the_end(make_trainer: Make, tmp_path: Path) -> None:
    make_trainer(SampleGrid(every(0), n=4), max_iter=1).run()
    assert [file.name for file in (tmp_path / "samples").iterdir()] == ["0000001.png"]


def test_tensorboard_has_the_pictures(make_trainer: Make, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    from ganlib.training.extensions.tensorboard import TensorBoard

    trainer = make_trainer(SampleGrid(every(3), n=4), LogReport(2), TensorBoard(), max_iter=5)
    trainer.run()
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [e.step for e in events.Images("samples")] == [0, 3, 5]
    assert [e.step for e in events.Images("real")] == [0]
    with (
        Image.open(tmp_path / "samples" / "0000003.png") as ours,
        Image.open(io.BytesIO(events.Images("samples")[1].encoded_image_string)) as theirs,
    ):
        assert ours.convert("RGB").tobytes() == theirs.tobytes()


def test_sequences_move(make_trainer: Make, tmp_path: Path) -> None:
    trainer = make_trainer(SampleGrid(every(1), n=2), max_iter=1, channels=3)
    film = torch.linspace(-1, 1, 5).reshape(1, 5, 1, 1, 1).expand(2, 5, 1, 8, 8)
    trainer.updater.pictures = lambda seed: {"film": film}
    trainer.updater.sample = lambda n, seed: iter([torch.zeros(n, 3, 8, 8)])
    trainer.updater.spec = replace(trainer.updater.spec, frames=3)
    trainer.run()
    stems = ["0000000", "0000001", "film_0000001", "real"]
    names = sorted(p.name for p in (tmp_path / "samples").iterdir())
    assert names == [f"{stem}.{kind}" for stem in stems for kind in ("gif", "png")]
    with Image.open(tmp_path / "samples" / "film_0000001.gif") as picture:
        assert getattr(picture, "n_frames", 1) == 5
        assert picture.size == grid(film[:, 0]).size


class Means(Extractor):
    """Three numbers of an image."""

    name, digest, n_features, device = "means", "0" * 64, 3, torch.device("cpu")

    def __call__(self, x: Tensor) -> Features:
        y = x.float().flatten(1)
        return Features(torch.stack([y.mean(1), y.std(1), y[:, ::7].mean(1)], 1))


def test_evaluate_scores_samples_and_lets_the_algorithm_score_itself(
    make_trainer: Make, toy_data: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANLIB_CACHE", str(tmp_path / "cache"))
    test = toy_data(n=5)
    evaluator = Evaluator(Means(), {"test": toy_data(n=50).x})
    said = io.StringIO()
    console = Console(file=said, width=200)
    scorer = Scorer(None, evaluator, metrics=["fid"])
    evaluate = Evaluate(every(2), scorer, Drawing(20, 4), test, console)
    trainer = make_trainer(evaluate, LogReport(2), max_iter=2)
    evaluate.scorer = replace(scorer, updater=trainer.updater)
    trainer.updater.scores = lambda data: {"seen": float(len(data))}
    trainer.run()
    assert trainer.line["seen"] == 5
    (line,) = read_lines(tmp_path / "scores.jsonl")
    assert line["scores"]["FD-means20-test"]["value"] == trainer.line["FD-means20-test"]
    (x,) = trainer.updater.sample(20, seed=4)
    expected = evaluation.score([x], {"test": toy_data(n=50).x}, ["fid"], Means())
    assert expected["FD-means20-test"].value == pytest.approx(trainer.line["FD-means20-test"])
    value = f"{expected['FD-means20-test'].value:.0f}"
    assert said.getvalue().startswith(
        f"Scores at iteration 2: FD-means20-test {value}, seen 5.000. It took 0:0"
    )


def test_only_the_newest_snapshots_stay(make_trainer: Make, tmp_path: Path) -> None:
    make_trainer(Snapshot(every(2), {"algorithm": "dcgan"}, {}, keep=2), max_iter=7).run()
    names = sorted(p.name for p in (tmp_path / "snapshots").iterdir())
    assert names == ["iter_0000006.pt", "iter_0000007.pt"]


class Scored(Extension):
    """Observes a score in every second iteration, and one more once the run is over."""

    name = "scored"
    values = {2: 5.0, 4: 1.0, 6: 3.0, 8: 4.0, 10: 2.0, 11: float("nan"), 12: 2.5}

    def __call__(self, trainer: Trainer) -> None:
        if trainer.iteration in self.values:
            trainer.observation["score"] = self.values[trainer.iteration]


def test_the_best_snapshots_stay_and_the_end_names_the_best(
    make_trainer: Make, tmp_path: Path
) -> None:
    """Also of a run that was resumed, which remembers what it kept."""
    names = []
    for folder, stops in (("straight", [12]), ("parts", [7, 12])):
        out, said = tmp_path / folder, list[str]()
        (out / "snapshots").mkdir(parents=True)
        for last in stops:
            kept = Snapshot(
                every(0), {"algorithm": "dcgan"}, {}, "best:3", "min:score", said.append
            )
            trainer = make_trainer(Scored(), kept, max_iter=last)
            trainer.out = out
            if last > stops[0]:
                trainer.load_state(read_snapshot(newest_snapshot(out)))
            trainer.run()
        names.append(sorted(path.name for path in (out / "snapshots").iterdir()))
        assert said[-1] == "Best by score: 1.000, best.pt, of iteration 4."
        assert read_snapshot(out / "snapshots" / "best.pt")["updater"]["iteration"] == 4
    stay = [f"iter_{iteration:07d}.pt" for iteration in (4, 10, 12)]
    assert names == 2 * [["best.pt", *stay]]


def test_what_a_course_left_that_is_gone_back_on_is_removed(
    make_trainer: Make, tmp_path: Path
) -> None:
    def trainer(max_iter: int) -> Trainer:
        return make_trainer(Snapshot(every(1), {"algorithm": "dcgan"}, {}, 4), max_iter=max_iter)

    trainer(6).run()
    again = trainer(4)
    again.load_state(read_snapshot(tmp_path / "snapshots" / "iter_0000003.pt"))
    again.run()
    names = sorted(path.name for path in (tmp_path / "snapshots").iterdir())
    assert names == ["iter_0000003.pt", "iter_0000004.pt"]


@pytest.mark.parametrize(("by", "best"), [("max:score", 9.0), ("min:score", 0.5)])
def test_the_best_by_another_score_is_not_compared(by: str, best: float) -> None:
    first = Snapshot(every(0), {}, {}, best_by="max:score")
    first.load_state({"best": -9.0})  # of a snapshot of before it was written by which
    second = Snapshot(every(0), {}, {}, best_by=by)
    second.load_state(first.state())
    trainer: Any = SimpleNamespace(iteration=7, observation={"score": 0.5})
    assert second._is_good(trainer) == (by == "min:score")
    assert second._best == (best if by == "min:score" else -best)
