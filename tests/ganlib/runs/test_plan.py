"""What is said before a run, beside what runs then took."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import ganlib
from ganlib.common.errors import UserError
from ganlib.common.query import DataQuery
from ganlib.registry import Algorithm, algorithms
from ganlib.runs import plan as planning
from ganlib.runs.plan import Plan, make_plan
from ganlib.runs.settings import resolve
from ganlib.speed.bench import Cost, Row, Timing
from ganlib.speed.cards import find_card

Call = Callable[..., subprocess.CompletedProcess[str]]
SMALL: dict[str, Any] = {"algorithm": "dcgan", "dataset": "ring8", "batch_size": 4}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def planned(card: str | None = "h100", gpus: int = 1, **more: Any) -> Plan:
    return make_plan(resolve({**SMALL, **more}), card, gpus)


def test_the_parts_of_a_plan() -> None:
    found = planned(max_iter=5000)
    assert found.memory == found.weights + found.update + found.data
    assert found.data == 2 * len(DataQuery("ring8").open())
    assert found.iterations == 5000
    half = planned(max_iter=5000, max_hours=found.hours / 2)
    assert half.iterations == pytest.approx(2500, abs=1)
    assert half.hours == pytest.approx(found.hours / 2, rel=1e-3)
    assert found.known_by.startswith("estimate")
    assert found.fits is not None and found.fits.name == "t4"
    assert planned(max_images=400).iterations == 100
    text = json.dumps(found.to_dict())
    assert json.loads(text)["fits"] == "t4"


@pytest.mark.parametrize("ema_every", [0, 3])
def test_the_disk_is_that_of_a_run(ema_every: int) -> None:
    how = {
        "algorithm": "vae",
        "batch_size": 4,
        "gpu": -1,
        "max_iter": 6,
        "display_interval": 1,
        "out": "run",
    }
    how |= {"snapshot_interval": 2, "sample_interval": 2, "evaluation_interval": 0}
    how |= {"ema_every": ema_every}
    ganlib.train(**how)
    taken = sum(path.stat().st_size for path in Path("run").rglob("*"))
    disk = make_plan(resolve(how), "h100").disk
    kept = sum(path.stat().st_size for path in Path("run/snapshots").rglob("*"))
    assert disk.snapshots == pytest.approx(kept, rel=0.01)
    assert disk.total == pytest.approx(taken, rel=0.15)


def test_what_was_measured_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    costs = list[Any]()
    rehearse = planning.rehearse
    monkeypatch.setattr(
        planning, "rehearse", lambda *args: costs.append(rehearse(*args)) or costs[-1]
    )
    estimated = planned()
    (part,), config = costs[0].parts, estimated.settings.algorithm
    how: Any = ("graph+compile", "tf32", 1.0)
    row = Row("dcgan", config.model_dump(mode="json"), (2, 1, 1), *how)
    row = replace(row, cost=Cost(part.images, part.flops), timing=Timing(7, 6, 8, 10, 1, 1))
    record = {"card": "NVIDIA H100 80GB HBM3", "date": "2020-02-02", "rows": [row.to_dict()]}
    Path("result/bench").mkdir(parents=True)
    Path("result/bench/a.json").write_text("[]")
    Path("result/bench/b.json").write_text(json.dumps(record))
    found = planned(max_iter=3, adam_alpha=0.1)
    assert (found.seconds, found.known_by) == (7, "measured 2020-02-02, b.json")
    others: list[dict[str, Any]] = [
        {"card": "a100"},
        {"precision": "bf16"},
        {"graph": False},
        {"ema_decay": 0.9},
        {"width": 0.5},
    ]
    assert all("estimate" in planned(**other).known_by for other in others)


def test_a_small_card_holds_no_large_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a run places them: what takes more than a third of the memory is read as it is needed."""
    tiny = replace(find_card("t4"), memory=1e-6)
    monkeypatch.setattr(planning, "find_card", lambda *_: tiny)
    assert planned().data == 0
    monkeypatch.setattr(planning, "CARDS", (tiny,))
    assert planned().fits is None


def test_auto_is_bfloat16_where_the_card_has_it() -> None:
    for card, precision in (("h100", "bf16"), ("v100", "tf32")):
        how = {"algorithm": "sngan", "architecture": "quick", "dataset": "fashion_mnist"}
        assert planned(card, **how, precision="auto").settings.run.precision == precision


def test_what_cannot_be_gone_through_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(config: Any, spec: Any) -> Any:
        raise RuntimeError("it needs\nvalues")

    dcgan = algorithms["dcgan"]
    broken = Algorithm(config=dcgan.config, build=build, updater=dcgan.updater)
    monkeypatch.setattr(planning, "algorithms", {"dcgan": broken})
    with pytest.raises(UserError, match="An update of dcgan cannot be gone through .* it needs"):
        planned()


FLAGS = ("plan", "-a", "dcgan", "--dataset", "ring8", "--batch-size", "4")


def test_a_table_of_80_columns(main_here: Call) -> None:
    done = main_here(*FLAGS, "--card", "a100", "--gpus", "2")
    assert done.returncode == 0
    title, *lines = done.stdout.splitlines()
    assert title == "dcgan on ring8, batches of 4, tf32, a100-40, shared by 2"
    assert all(len(line) <= 80 for line in lines)
    words = ["memory", "an iteration", "training", "disk", "card"]
    assert [name for line in lines for name in words if line.strip().startswith(name)] == words


def test_json(main_here: Call) -> None:
    found = json.loads(main_here(*FLAGS, "--card", "t4", "--json").stdout)
    assert found["settings"]["batch_size"] == 4
    assert found["card"] == "t4"


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--card", "b200"), "The card 'b200' is not known: give one of t4,"),
        (("--card", "h100", "--gpus", "3"), "cannot be shared in 3 parts: 3 or 6 images can"),
        (("--card", "cpu", "--gpus", "2"), "--gpus counts GPUs: name theirs by --card"),
        (("--algorithm", "dcgan,sngan"), "A plan is that of one run: give --algorithm one name."),
        (("--sweep", "z_dim=1,2"), "--sweep is a flag of train alone: a plan is that of one run."),
        (("--gpus", "0"), "--gpus is 0; give a whole number of at least 1."),
    ],
)
def test_mistakes_are_sentences(flags: tuple[str, ...], words: str, main_here: Call) -> None:
    done = main_here(*FLAGS, *flags)
    assert done.returncode == 2
    assert words in done.stderr
