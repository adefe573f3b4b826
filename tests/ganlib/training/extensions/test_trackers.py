"""Records that programs of others keep of a run: by the real clients, without a network."""

import json
import struct
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import ganlib
from ganlib.common.errors import UserError
from ganlib.common.formats.hdf5_writing import write_hdf5
from ganlib.common.io.jsonl import read_lines
from ganlib.contract.fixtures import toy
from ganlib.training.extensions import reports
from ganlib.training.extensions.reports import LogReport, Tracker
from ganlib.training.extensions.sample_grid import SampleGrid
from ganlib.training.snapshot import newest_snapshot, read_snapshot
from ganlib.training.trainer import Extension, Trainer, every

SMALL: dict[str, Any] = {"algorithm": "dcgan", "width": 0.05, "batch_size": 4, "gpu": -1}
SMALL |= {"tensorboard": False, "display_interval": 1, "sample_interval": 2, "extractor": "fashion"}
SMALL |= {"evaluation_interval": 2, "evaluation_images": 20, "metrics": "fid"}
SCORE = "FD-fashion20-train"


@dataclass
class Record:
    """What a client kept of one run."""

    names: set[str]
    ended: str
    settings: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, dict[int, float]] = field(default_factory=lambda: defaultdict(dict))
    pictures: set[tuple[str, int]] = field(default_factory=set)
    texts: dict[str, str] = field(default_factory=dict)


def of_tensorboard() -> Record:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator("run/tensorboard")
    events.Reload()
    tags, record = events.Tags(), Record({"run"}, "")
    for name in tags["scalars"]:
        record.numbers[name] = {e.step: e.value for e in events.Scalars(name)}
    record.pictures = {(name, e.step) for name in tags["images"] for e in events.Images(name)}
    for name in tags["tensors"]:
        event = events.Tensors(name)[-1]
        record.texts[name.removesuffix("/text_summary")] = event.tensor_proto.string_val[0].decode()
    lines = record.texts["settings"].splitlines()[2:]
    record.settings = dict(line.split(" | ", 1) for line in lines)
    return record


def of_wandb() -> Record:
    from wandb.proto.wandb_internal_pb2 import Record as Part

    record = Record(set(), "")
    for path in sorted(Path("wandb").glob("offline-run-*/run-*.wandb")):
        for part in map(Part.FromString, chunks(path.read_bytes())):
            record.names |= {part.run.run_id} - {""}
            record.ended = str(part.exit.exit_code) if part.HasField("exit") else record.ended
            record.settings |= {item.key: item.value_json for item in part.run.config.update}
            found = {i.key or "/".join(i.nested_key): i.value_json for i in part.history.item}
            step = int(found.get("_step", -1))
            for name, text in found.items():
                value = json.loads(text)
                if name.endswith("/path"):
                    record.pictures.add((name.removesuffix("/path"), step))
                elif name.startswith("protocol/"):
                    record.texts[name] = value
                elif isinstance(value, int | float):
                    record.numbers[name][step] = value
    return record


def chunks(data: bytes) -> Iterator[bytes]:
    """The records of a .wandb file, which is a log as LevelDB has them."""
    place, whole = 7, b""
    while place + 7 <= len(data):
        if (left := 32768 - place % 32768) < 7:
            place += left
            continue
        n, kind = struct.unpack("<HB", data[place + 4 : place + 7])
        whole += data[place + 7 : place + 7 + n]
        place += 7 + n
        if kind in (1, 4):  # a whole one, or the last part of one
            yield whole
            whole = b""


def of_mlflow() -> Record:
    from mlflow import MlflowClient

    client = MlflowClient()
    experiment = client.get_experiment_by_name("ganlib")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    run = runs[0]
    record = Record({run.info.run_id for run in runs}, run.info.status, run.data.params)
    for name in run.data.metrics:
        of = client.get_metric_history(run.info.run_id, name)
        record.numbers[name] = {metric.step: metric.value for metric in of}
    for file in Path("mlruns").rglob("images/*.png"):
        name, _, step, *_ = file.name.replace("%", "+").split("+")
        record.pictures.add((name, int(step)))
    record.texts = dict(run.data.tags)
    return record


def of_trackio() -> Record:
    from trackio.sqlite_storage import SQLiteStorage

    runs = SQLiteStorage.get_runs("ganlib")
    record = Record(set(runs), "")
    record.settings = {
        n: str(v) for n, v in SQLiteStorage.get_run_config("ganlib", runs[0]).items()
    }
    for line in SQLiteStorage.get_logs("ganlib", runs[0]):
        for name, value in line.items():
            kind = value.get("_type") if isinstance(value, dict) else None
            if kind == "trackio.image":
                record.pictures.add((name, line["step"]))
            elif kind == "trackio.markdown":
                record.texts[name] = value["_value"]
            elif isinstance(value, int | float):
                record.numbers[name][line["step"]] = value
    return record


CLIENTS: dict[str, tuple[Callable[[], Record], str]] = {
    "tensorboard": (of_tensorboard, ""),
    "wandb": (of_wandb, "0"),
    "mlflow": (of_mlflow, "FINISHED"),
    "trackio": (of_trackio, ""),
}


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a run by all clients that are there, which was resumed once, and the same run
    without any; no client leaves this machine.
    """
    place = tmp_path_factory.mktemp("tracked")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("GANLIB_CACHE", str(place / "cache"))
        patch.setenv("WANDB_MODE", "offline")
        patch.setenv("WANDB_SILENT", "true")
        patch.setenv("MLFLOW_TRACKING_URI", (place / "mlruns").as_uri())
        patch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        patch.setenv("TRACKIO_DIR", str(place / "trackio"))  # read once, at its import
        write_hdf5(Path("toy.h5"), toy())
        settings = {**SMALL, "dataset": "toy.h5"}
        trackers = [name for name in CLIENTS if find_spec(name)]
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".* images are too few")
            ganlib.train(**settings, out="run", tracker=trackers, max_iter=2)
            ganlib.train(resume="run", max_iter=4)
            ganlib.train(**settings, out="plain", max_iter=4)
        yield place


def test_a_run_that_is_tracked_ends_with_the_same_bits(tracked: Path) -> None:
    ours, theirs = (
        read_snapshot(newest_snapshot(tracked / out))["updater"] for out in ("run", "plain")
    )
    assert ours["positions"] == theirs["positions"]
    assert ours["modules"].keys() == theirs["modules"].keys()
    for name, tensor in ours["modules"].items():
        assert torch.equal(tensor, theirs["modules"][name]), name


@pytest.mark.parametrize("name", CLIENTS)
def test_a_record_has_everything_and_goes_on(name: str, tracked: Path) -> None:
    if find_spec(name) is None:
        pytest.skip(f"{name} is not installed: pip install ganlib[{name}]")
    read, ended = CLIENTS[name]
    record, log = read(), read_lines(Path("run/log.jsonl"))
    assert len(record.names) == 1 and record.ended == ended
    assert record.settings["algorithm"].strip('"') == "dcgan"
    for key in ("loss_gen", "images", SCORE):
        expected = {line["iteration"]: line[key] for line in log if key in line}
        assert record.numbers[key] == pytest.approx(expected)
    assert record.pictures >= {("samples", k) for k in (0, 2, 4)} | {("real", 0)}
    protocol = json.loads(record.texts[f"protocol/{SCORE}"])
    assert protocol["n_generated"] == 20 and len(protocol["hash"]) == 12
    if name != "tensorboard":
        assert record.names == {json.loads(Path("run/trackers.json").read_text())[name]}


class Noted(Tracker):
    """Keeps in a list what it is told, and fails at what `fails` names."""

    name, package = "noted", "json"

    def __init__(self, fails: str = "") -> None:
        super().__init__({"lam": 1.0})
        self.told, self.fails = list[Any](), fails

    def open(self, trainer: Trainer, record: str | None) -> str:
        self.note("open", record)
        return record or "new"

    def numbers(self, values: Mapping[str, float], iteration: int) -> None:
        self.note("numbers", iteration)

    def text(self, name: str, text: str, iteration: int) -> None:
        self.note("text", name)

    def picture(self, name: str, picture: Image.Image, iteration: int) -> None:
        self.note("picture", name, iteration)

    def end(self, whole: bool) -> None:
        self.note("end", whole)

    def note(self, *what: Any) -> None:
        self.told.append(what)
        if what[0] == self.fails:
            raise ConnectionError("The server\nhas gone.")


@pytest.fixture
def follow(make_updater: Any, tmp_path: Path) -> Callable[..., None]:
    def follow(tracker: Tracker, stop: int = 4, start: int = 0) -> None:
        trainer = Trainer(make_updater("dcgan"), tmp_path, stop)
        for _ in range(start):
            trainer.updater.update()
        trainer.extend(SampleGrid(every(2), n=4), LogReport(2), tracker)
        trainer.run()

    return follow


def test_everything_is_told_once_and_a_run_that_goes_on_names_its_record(
    follow: Callable[..., None],
) -> None:
    first = Noted()
    follow(first)
    assert first.told == [
        ("open", None),
        ("picture", "samples", 0),
        ("picture", "real", 0),
        *[("numbers", 2), ("picture", "samples", 2)],
        *[("numbers", 4), ("picture", "samples", 4)],
        ("end", True),
    ]
    again, anew = Noted(), Noted()
    follow(again, stop=6, start=4)
    assert again.told[0] == ("open", "new")
    follow(anew, stop=1)
    assert anew.told[0] == ("open", None)


def test_what_the_doctor_says_late_of_a_line_is_told_once(
    make_updater: Any, tmp_path: Path
) -> None:
    class Says(Extension):
        name, trigger = "says", staticmethod(every(4))

        def __call__(self, trainer: Trainer) -> None:
            trainer.line = {**trainer.line, "doctor": "collapse: So it is."}

    tracker, trainer = Noted(), Trainer(make_updater("dcgan"), tmp_path, 6)
    trainer.extend(LogReport(2), Says(), tracker)
    trainer.run()
    assert tracker.told == [
        ("open", None),
        ("numbers", 2),
        *[("numbers", 4), ("text", "doctor")],
        ("numbers", 6),
        ("end", True),
    ]


@pytest.mark.parametrize("fails", ["open", "numbers", "picture", "end"])
def test_one_that_fails_is_told_once_and_ends_no_run(
    follow: Callable[..., None], fails: str, tmp_path: Path
) -> None:
    tracker = Noted(fails)
    words = (
        r"noted has failed and is told no more, the run goes on: ConnectionError: The server has"
    )
    with pytest.warns(UserWarning, match=words) as caught:
        follow(tracker)
    assert len(caught) == 1 and [what[0] for what in tracker.told].count(fails) == 1
    assert [line["iteration"] for line in read_lines(tmp_path / "log.jsonl")] == [2, 4]


def test_an_error_of_the_run_is_told_to_the_record(follow: Callable[..., None]) -> None:
    class Broken(Noted):
        def __call__(self, trainer: Trainer) -> None:
            raise KeyboardInterrupt

    tracker = Broken()
    with pytest.raises(KeyboardInterrupt):
        follow(tracker)
    assert tracker.told == [("open", None), ("end", False)]


def test_a_missing_package_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, toy_file: Path
) -> None:
    monkeypatch.chdir(tmp_path)

    def missing(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named '{name}'", name=name)

    monkeypatch.setattr(reports, "import_module", missing)
    with pytest.raises(UserError, match=r"pip install ganlib\[wandb\], or leave it out"):
        ganlib.train(**SMALL, dataset=str(toy_file), tracker="wandb", out="run")
    assert not Path("run").exists()
    with pytest.raises(UserError, match="tracker cannot be 'wandbb'. Did you mean 'wandb'"):
        ganlib.train(**SMALL, dataset=str(toy_file), tracker="mlflow,wandbb")
