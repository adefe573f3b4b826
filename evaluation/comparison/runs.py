"""A run: what its folder holds, and what follows from its log."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

_PROCESSOR = re.compile(r"cpu|x86|amd64|i\d86|intel64|aarch64|arm|ppc|riscv|s390|$", re.IGNORECASE)
_PICTURE = re.compile(r"(?:(\w+)_)?(\d+)\.(gif|png)")

REAL = "real images"
MEASURED = ("images", "seconds", "images_per_second", "images_per_cpu_second", "gpu_memory")
"""What the lines of a log may have besides the iteration and what was observed."""


DOCTOR = "doctor"
"""In a line of a log, what the doctor said of the run there: a sentence a line."""


@dataclass(frozen=True)
class Recorded:
    """A score as a file has it; two may share a column only if their hashes are equal.

    by_class: its value for each class, if it has some. real: the same of real images, in their
    place. baselines: what trivial translations reach, and REAL images, by their names. better: as
    Score has it, "" if its name tells. error: its standard error over draws of samples, if known.
    """

    value: float
    protocol: dict[str, Any]
    hash: str
    by_class: Mapping[str, float] = field(default_factory=dict)
    real: Mapping[str, float] = field(default_factory=dict)
    baselines: Mapping[str, float] = field(default_factory=dict)
    better: str = ""
    error: float | None = None


@dataclass(frozen=True)
class Evaluation:
    """The scores of one iteration: the run's own by name, and trials, which may share a name."""

    iteration: int
    scores: dict[str, Recorded]
    trials: tuple[tuple[str, Recorded], ...] = ()

    def every(self) -> Iterator[tuple[str, Recorded]]:
        """All of them with their names, the run's own first."""
        yield from self.scores.items()
        yield from self.trials


@dataclass(frozen=True)
class Run:
    """What the folder of a run holds; evaluations are in the order of their iterations.

    settings and environment: plain values. log: lines with an iteration, and numbers for MEASURED.
    swept: the settings to which the grid that it is of gave several values, by name. external: it
    is the file `path` of scores, and no folder.
    """

    path: Path
    settings: dict[str, Any]
    environment: dict[str, Any]
    log: list[dict[str, Any]]
    evaluations: list[Evaluation]
    done: bool
    external: bool = False
    swept: tuple[str, ...] = ()

    @property
    def algorithm(self) -> str:
        return str(self.settings["algorithm"])

    @property
    def seed(self) -> int:
        return int(self.settings.get("seed", 0))

    @property
    def dataset(self) -> str:
        """The data set, with the size of its images and what translations to them start from."""
        size, source = self.settings.get("size"), self.settings.get("source")
        words = [str(self.settings["dataset"])]
        words += [f"at {size} pixels"] if size else []
        words += [f"from {source}"] if source else []
        return " ".join(words)

    @property
    def iteration(self) -> int:
        """How far the log goes."""
        return int(self.log[-1]["iteration"]) if self.log else 0

    def at(self, iteration: int) -> str:
        """An iteration in words, with the stage if the last line of the log up to it has one."""
        lines = [line for line in self.log if line["iteration"] <= iteration]
        stage = str(lines[-1].get("stage", "")) if lines else ""
        return ", ".join(filter(None, [f"{iteration:,}", stage]))

    @cached_property
    def images_per_second(self) -> float | None:
        """The median over the log's lines."""
        return self._typical("images_per_second")

    @cached_property
    def images_per_cpu_second(self) -> float | None:
        """The same for each second of a processor's core: other processes hardly change it."""
        return self._typical("images_per_cpu_second")

    def _typical(self, name: str) -> float | None:
        known = [float(x) for line in self.log if (x := line.get(name)) is not None]
        return float(median(known)) if known else None

    @cached_property
    def elapsed(self) -> list[float]:
        """Seconds spent up to each line of the log, over all processes that trained this run; what
        was lost between a snapshot and a crash is not in them.
        """
        found, before, earlier = list[float](), dict[str, Any](), 0.0
        for line in self.log:
            if before and _other_process(before, line):
                earlier += float(before.get("seconds", 0))
            found.append(earlier + float(line.get("seconds", 0)))
            before = line
        return found

    @property
    def hours(self) -> float | None:
        """Time spent on what the log tells."""
        return self.elapsed[-1] / 3600 if self.log else None

    @property
    def device(self) -> str:
        """ "GPU" or "CPU", "" where nothing is known."""
        if self.external:
            return ""
        if (kind := self.environment.get("device_type")) is not None:
            return "CPU" if kind == "cpu" else "GPU"
        # environment.json of before has no type, and its names are a guess
        asked, name = str(self.settings.get("device")), str(self.environment.get("device", ""))
        known = self.settings.get("gpu") == -1 or asked.startswith("cpu")
        return "CPU" if known or _PROCESSOR.match(name) else "GPU"

    @property
    def diagnoses(self) -> list[tuple[int, str]]:
        """Sentences of the doctor, by the iterations at which they were said."""
        told = [(int(line["iteration"]), line.get(DOCTOR)) for line in self.log]
        return [(i, text) for i, said in told if isinstance(said, str) for text in said.split("\n")]

    @property
    def pictures(self) -> "list[Picture]":
        """The newest of each kind, sample grids first, films before still pictures of a name."""
        return sorted({p[:2]: p for p in pictures_in(self.path)}.values())

    @property
    def grids(self) -> "list[Picture]":
        """Sample grids by their iterations."""
        return [picture for picture in pictures_in(self.path) if picture.is_grid]


class Picture(NamedTuple):
    """A file of samples/: what its name begins with, "" for a sample grid."""

    name: str
    suffix: str
    iteration: int
    path: Path

    @property
    def is_grid(self) -> bool:
        return self[:2] == ("", "png")


def pictures_in(run: Path) -> list[Picture]:
    """Those in the folder of a run, by their iterations."""
    paths = (run / "samples").glob("*")
    named = [(path, match) for path in paths if (match := _PICTURE.fullmatch(path.name))]
    found = [Picture(m[1] or "", m[3], int(m[2]), path) for path, m in named]
    return sorted(found, key=lambda picture: picture.iteration)


def evenly(pictures: Sequence[Picture], n: int) -> list[Picture]:
    """n of them, or all if there are fewer, the first and the last among them."""
    n = min(n, len(pictures))
    return [pictures[i * (len(pictures) - 1) // max(1, n - 1)] for i in range(n)]


def _other_process(before: Mapping[str, Any], line: Mapping[str, Any]) -> bool:
    """Whether a run was resumed between two lines of its log.

    `seconds` starts again with the process, so it does not contain the time that the line's own
    images took; it need not fall, if the first process wrote little.
    """
    rate = line.get("images_per_second") or math.inf
    took = (line.get("images", 0) - before.get("images", 0)) / rate
    return bool(line.get("seconds", 0.0) - before.get("seconds", 0.0) < took / 2)
