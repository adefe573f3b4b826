"""What a run will take, told before it begins: memory, time, disk, and a card that is enough."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import ganlib
from ganlib.common.data import DataSet, Shape
from ganlib.common.data.transfer import PART
from ganlib.common.errors import UserError, one_line
from ganlib.common.io.files import as_user_error
from ganlib.common.pictures import SIDE
from ganlib.registry import algorithms
from ganlib.runs.run import fitted, open_data
from ganlib.runs.settings import Settings
from ganlib.speed.accelerate import Precision
from ganlib.speed.bench import Cost, Row
from ganlib.speed.cards import CARDS, Card, find_card, measured
from ganlib.speed.costs import Costs, Files, rehearse
from ganlib.training.extensions.sample_grid import CLASSES, EACH, SOURCES
from ganlib.training.snapshot import kept
from ganlib.training.updater import Updater

RESULTS = Path(ganlib.__file__).parents[1] / "benchmarks" / "results"
BENCHED = Path("result") / "bench"
"""Where rows of measurements lie, of the library and of `ganlib bench`."""
ROOM, CONTEXT = 1.1, 5e8
"""A card is to have so many times the memory, for pieces that are left over and for what libraries
work in, and so much for CUDA itself.
"""
NO_UPDATE = "An update of {} cannot be gone through on tensors without values: {}"
RATES = ("adam_", "lr_", "max_iter", "ada_", "statistics")
"""Settings that begin so do not decide how long an iteration takes."""
ENLARGED, PLAIN = 1.2, 0.5  # bytes of a .png for each number of its images
A_LINE, A_VALUE, A_SCALAR = 130, 32, 60  # bytes of the log, and of TensorBoard's
FEW = 10_000  # bytes of the small files


@dataclass(frozen=True)
class Disk:
    """Bytes that a run's folder has at the end, or at most before."""

    snapshots: int
    pictures: int
    logs: int

    @property
    def total(self) -> int:
        return self.snapshots + self.pictures + self.logs


@dataclass(frozen=True)
class Plan:
    """Memory in bytes, of each GPU or of the CPU. weights: with averages and what optimizers keep;
    update: what comes to them at the peak; data: images that lie there. seconds: of an iteration,
    the mean over training; known_by: a measurement, or what the estimate is by. fits: the card of
    the smallest memory that is enough, None if none is.
    """

    settings: Settings
    card: Card
    gpus: int
    iterations: int
    weights: int
    update: int
    data: int
    seconds: float
    known_by: str
    disk: Disk
    fits: Card | None

    @property
    def memory(self) -> int:
        return self.weights + self.update + self.data

    @property
    def hours(self) -> float:
        return self.iterations * self.seconds / 3600

    def to_dict(self) -> dict[str, Any]:
        """In plain types."""
        own = {
            name: value for name, value in vars(self).items() if name not in ("settings", "fits")
        }
        own |= {"card": self.card.name, "disk": asdict(self.disk), "memory": self.memory}
        own |= {"hours": self.hours, "fits": self.fits and self.fits.name}
        return {**own, "settings": self.settings.flat()}


def make_plan(settings: Settings, card: str | None = None, gpus: int = 1) -> Plan:
    """Of checked settings, on the data that they name, which are opened and not read. card: see
    find_card(). UserError for what keeps a run from beginning, and batches that cannot be shared.
    """
    data, place = open_data(settings)[0], find_card(card)
    config = settings.algorithm
    if settings.run.precision == "auto" and place.name != "cpu":
        bf16 = config.architecture in config.learns_in_bf16 and place.bf16 > place.tf32
        told = {"precision": "bf16" if bf16 else "tf32"}
        settings = replace(settings, run=settings.run.model_copy(update=told))
    settings = fitted(settings, data.shape, len(data), torch.device("cpu"))
    if gpus > 1 and place.name == "cpu":
        raise UserError("--gpus counts GPUs: name theirs by --card, such as h100.")
    s, config = settings.run, settings.algorithm
    # what networks do that were not written for this is no fixed set
    with as_user_error(lambda e: NO_UPDATE.format(s.algorithm, one_line(e))):
        costs = rehearse(algorithms[s.algorithm], config, s, data, gpus)
    seen = sum(part.iterations * part.images for part in costs.parts)
    part = min(1.0, (s.max_images or seen) / seen)
    iterations = round(costs.iterations * part)
    seconds, known_by = _time(settings, costs, data.shape, place, gpus)
    if s.max_hours is not None:
        iterations = min(iterations, int(3600 * s.max_hours / seconds))
    memory = (costs.weights, costs.peak - costs.weights)
    needs = {c: ROOM * (sum(memory) + _held(data, c)) + CONTEXT for c in CARDS}
    return Plan(
        *(settings, place, gpus, iterations, *memory, _held(data, place), seconds, known_by),
        _disk(settings, data, iterations, costs),
        next((c for c, nbytes in needs.items() if nbytes <= 1e9 * c.memory), None),
    )


def snapshots_of(settings: Settings, each: Files, iterations: int) -> int:
    """Bytes of the snapshots that a run of so many iterations keeps, the best one beside the
    newest, and of the averages that it stores.
    """
    s = settings.run
    written = -(-iterations // s.snapshot_interval) if s.snapshot_interval else 1
    newest, best = kept(s.keep_snapshots)
    stored = iterations // s.ema_every if s.ema_every else 0
    snapshot = each.snapshot + each.averages * bool(s.ema_every)  # which goes on with them
    kept_of_them = min(newest, written) + best + settings.evaluates
    return kept_of_them * snapshot + stored * each.averages


def _disk(settings: Settings, data: DataSet, iterations: int, costs: Costs) -> Disk:
    """By the settings' intervals."""
    s, config = settings.run, settings.algorithm
    shown = 3 * SOURCES if config.translates else 64
    if config.condition == "labels":
        shown = EACH * min(CLASSES, len(data.classes) or CLASSES)
    grids = 2 + iterations // s.sample_interval if s.sample_interval else 1
    own = algorithms[s.algorithm].updater.pictures is not Updater.pictures
    picture = shown * prod(data.shape) * (ENLARGED if 2 * data.shape[2] <= SIDE else PLAIN)
    board = "tensorboard" in s.trackers
    line = A_LINE + A_VALUE * costs.values + board * A_SCALAR * (costs.values + 4)
    return Disk(
        snapshots_of(settings, costs.files, iterations),
        round(picture * grids * (1 + own) * (1 + board)),
        line * max(1, iterations // s.display_interval) + FEW,
    )


def _time(
    settings: Settings, costs: Costs, image: Shape, card: Card, gpus: int
) -> tuple[float, str]:
    """Seconds of an iteration, and how they are known."""
    s, cpu = settings.run, card.name == "cpu"
    precision: Precision = "fp32" if cpu and s.precision == "tf32" else s.precision
    graph, compiled = s.graph is not False and not cpu, s.compile or (s.compile is None and not cpu)
    mode = "+".join(["graph"] * graph + ["compile"] * compiled) or "eager"
    wanted: dict[str, Any] = {"mode": mode, "precision": precision, "image": image}
    if len(costs.parts) == gpus == 1:
        work, own = costs.parts[0], settings.algorithm.model_dump(mode="json")
        wanted["cost"] = Cost(work.images, work.flops)
        for told, row in _rows(card):
            alike = all(getattr(row, name) == value for name, value in wanted.items())
            if alike and row.timing is not None and _alike(row.settings, own):
                return row.timing.seconds, f"measured {told}"
    card = measured(card, precision) if cpu else card
    seconds = sum(
        part.iterations * n * card.seconds(operation, precision)
        for part in costs.parts
        for operation, n in part.operations.items()
    )
    return seconds / costs.iterations, "estimate, by the roofline"


def _rows(card: Card) -> Iterator[tuple[str, Row]]:
    """What was measured on such a card, with the date and the file; files that hold no rows are
    left out.
    """
    for path in [*sorted(BENCHED.glob("*.json"), reverse=True), *sorted(RESULTS.glob("*.json"))]:
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            record = json.loads(path.read_text("utf-8"))
            if record["card"] == card.called or (
                card.name != "cpu" and card.called in record["card"]
            ):
                for report in record.get("runs", {"": record}).values():
                    for row in (row for row in report["rows"] if "cost" in row):
                        yield f"{report['date']}, {path.name}", Row.from_dict(row)


def _alike(row: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """By the settings that both know and that the time depends on."""
    names = [name for name in row.keys() & now.keys() if not name.startswith(RATES)]
    return all(row[name] == now[name] for name in names)


def _held(data: DataSet, card: Card) -> int:
    """Bytes of the images that lie on the card, as common/data/transfer.py places them."""
    tensors = (part for part in (data.x, data.source) if isinstance(part, Tensor))
    return sum(
        t.nbytes for t in tensors if card.name == "cpu" or t.nbytes <= PART * 1e9 * card.memory
    )
