"""Snapshots: the file, with settings, data spec and the state of a run as tensors and plain types;
and the extension that keeps the newest few, the best by score, and the last.
"""

import math
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from operator import itemgetter
from pathlib import Path
from shutil import copyfile
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from torch import Tensor

from ganlib.common.data import DataSpec
from ganlib.common.errors import UserError, few
from ganlib.common.io.files import atomic, reading, regular
from ganlib.evaluation.comparison.table import figures
from ganlib.training.device import ranks
from ganlib.training.trainer import Extension, Trainer, Trigger

FORMAT = "ganlib snapshot 1"
BEST = "best.pt"
BESIDE = 2  # of the newest snapshots stay where the best are asked for


class _Settings(BaseModel):
    """By name; which there are is the algorithm's to say."""

    model_config = ConfigDict(strict=True)
    algorithm: str


class _State(BaseModel):
    """Of an updater. frozen: digests; snapshots of before there were any lack them. revision: how
    many of the settings' revisions() it was trained with.
    """

    model_config = ConfigDict(strict=True, arbitrary_types_allowed=True)
    iteration: int = Field(ge=0)
    revision: int = Field(0, ge=0)
    modules: dict[str, Tensor]
    optimizers: dict[str, dict[int, dict[str, Any]]]
    positions: dict[str, int]
    frozen: dict[str, str] = Field(default_factory=dict)


class _Content(BaseModel):
    """What a snapshot holds. data: a fingerprint; snapshots of before there were any lack it."""

    model_config = ConfigDict(strict=True)
    settings: _Settings
    spec: dict[str, Any]
    updater: _State
    extensions: dict[str, dict[str, Any]]
    data: dict[str, Any] | None = None


SPEC = TypeAdapter(DataSpec)


def write_snapshot(
    path: Path,
    settings: Mapping[str, Any],
    spec: DataSpec,
    state: Mapping[str, Any],
    data: Mapping[str, Any] | None = None,
) -> None:
    """Write everything that sampling and resuming need; the file is whole or not there.

    data: the fingerprint of what was trained on.
    """
    content = {"format": FORMAT, "settings": dict(settings), "spec": asdict(spec), **state}
    content["data"] = None if data is None else dict(data)
    with atomic(path) as temporary, temporary.open("wb") as file:
        try:
            torch.save(content, file)
        except RuntimeError as error:  # which PyTorch makes of what the system refused
            refused = error.__context__
            raise refused if isinstance(refused, OSError) else error from None


def read_snapshot(path: Path) -> dict[str, Any]:
    """The content of a snapshot, on the CPU, `spec` as a DataSpec. Runs no code that the file may
    carry.

    Raises UserError if it is damaged, naming another one that is whole, or not what
    write_snapshot wrote.
    """
    if not is_whole(path):
        raise _damaged(path)
    return _checked(path, _load(path))


def peek_snapshot(path: Path) -> dict[str, Any]:
    """The content of a snapshot for its settings and data: tensors are neither read nor checked."""
    return _checked(path, _load(path, mmap=True))


def is_whole(path: Path) -> bool:
    """Whether all parts of the file have the checksums that they were written with, which
    torch.load does not look at. UserError if there is no file.
    """
    if regular(path).is_dir():
        raise UserError(f"{path} is a folder; name a snapshot file in it.")
    with reading(path):
        try:
            with zipfile.ZipFile(path) as archive:
                return archive.testzip() is None
        except FileNotFoundError:
            raise UserError(f"There is no snapshot {path}.") from None
        except PermissionError:
            raise
        except Exception:  # what a damaged archive makes zipfile raise is no fixed set
            return False


def newest_snapshot(path: Path) -> Path:
    """The newest snapshot in a run's folder; a snapshot file as it is."""
    if not path.is_dir():
        return path
    if found := list_snapshots(path / "snapshots"):
        return found[-1]
    if runs := runs_in(path):
        raise UserError(f"{path} holds runs; name the folder of one: {few(runs)}.")
    raise UserError(f"{path} holds no snapshots; name a snapshot file or another run's folder.")


def runs_in(folder: Path) -> list[str]:
    """The folders one or two levels below it, by path, that have snapshots."""
    places = sorted([*folder.glob("*/snapshots"), *folder.glob("*/*/snapshots")])
    return [str(place.parent) for place in places if list_snapshots(place)]


def snapshot_at(path: Path, at: str | int = "last") -> Path:
    """Of a run's folder the "last" snapshot, the "best" one, or that of an iteration; a snapshot
    file, of which only the last may be asked for, as it is. UserError if it is not there.
    """
    if at == "last":
        return newest_snapshot(path)
    folder, best = path / "snapshots", path / "snapshots" / BEST
    if not folder.is_dir():
        raise UserError(f"--at={at} is for a run's folder, and {path} is none: leave it out.")
    if at == "best":
        if not best.is_file():
            raise UserError(
                f"{path} has no snapshots/{BEST}: train with --best-by, or leave --at out."
            )
        return best
    if not str(at).isdecimal():
        raise UserError(f"--at is '{at}'; give best, last, or the number of an iteration.")
    found = {iteration_of(snapshot): snapshot for snapshot in list_snapshots(folder)}
    if int(at) not in found and best.is_file():
        found[peek_snapshot(best)["updater"]["iteration"]] = best
    if int(at) not in found:
        there = ", ".join(map(str, sorted(found))) or "none"
        raise UserError(f"{path} has no snapshot of iteration {at}; of these it has: {there}.")
    return found[int(at)]


def iteration_of(path: Path) -> int:
    """Of a snapshot, by its name; -1 where that says none."""
    number = path.stem.removeprefix("iter_")
    return int(number) if number.isdecimal() else -1


def list_snapshots(folder: Path) -> list[Path]:
    """The snapshots by iteration in a folder, the oldest first."""
    found = [path for path in folder.glob("iter_*.pt") if iteration_of(path) >= 0]
    return sorted(found, key=iteration_of)


def drop_later(folder: Path, iteration: int) -> None:
    """Remove what a course left there that the run goes on from the middle of: by its number it
    would be this one's newest.
    """
    if ranks.rank() == 0:
        for path in list_snapshots(folder):
            if iteration_of(path) > iteration:
                path.unlink()


class Snapshot(Extension):
    """Write snapshots/iter_<iteration>.pt, keep those that `keep` says, and best.pt by the score
    `best_by`; say at the end which that is.

    settings, data: of the run, and the fingerprint of what it trains on, for whoever goes on. keep:
    see kept(). best_by is "min:NAME" or "max:NAME" with the name of a score that an evaluation
    observes.
    """

    name = "snapshot"

    def __init__(
        self,
        trigger: Trigger,
        settings: Mapping[str, Any],
        data: Mapping[str, Any],
        keep: int | str = 2,
        best_by: str | None = None,
        tell: Callable[[str], object] = lambda sentence: None,
    ) -> None:
        self._due, self.settings, self.data, self.tell = trigger, settings, data, tell
        self.newest, self.best = kept(keep)
        self._by, (self._sign, self._score) = best_by, parse(best_by)
        self._best: float | None = None
        self._at: int | None = None  # the iteration of best.pt
        self._scores: dict[int, float] = {}  # of the best iterations, whose snapshots stay
        self._newest: int | None = None  # the iteration whose snapshot was written last

    def initialize(self, trainer: Trainer) -> None:
        drop_later(trainer.out / "snapshots", trainer.iteration)
        if self._best is not None:
            with suppress(UserError):  # of a damaged one, which is in nobody's way
                at = peek_snapshot(trainer.out / "snapshots" / BEST)["updater"]["iteration"]
                self._at = at if at <= trainer.iteration else None

    def __call__(self, trainer: Trainer) -> None:
        if self._is_good(trainer) or self._due(trainer):
            self.save(trainer)

    def ended(self, trainer: Trainer) -> None:
        if self._newest != trainer.iteration:
            self.save(trainer)  # before the last evaluation, in which a run may be killed

    def finalize(self, trainer: Trainer) -> None:
        if self._is_good(trainer):
            self.save(trainer)
        if self._best is not None and self._at is not None:
            value = figures(self._sign * self._best)
            self.tell(f"Best by {self._score}: {value}, {BEST}, of iteration {self._at}.")

    def save(self, trainer: Trainer) -> None:
        """Write this iteration's snapshot, as best.pt too if it is that, and drop those that do not
        stay; none if a loss was not finite.
        """
        trainer.updater.check_finite()
        path = trainer.out / "snapshots" / f"iter_{trainer.iteration:07d}.pt"
        path.parent.mkdir(exist_ok=True)
        write_snapshot(path, self.settings, trainer.updater.spec, trainer.state(), self.data)
        self._newest = trainer.iteration
        for old in list_snapshots(path.parent)[: -self.newest]:
            if iteration_of(old) not in self._scores:
                old.unlink()
        if self._at == trainer.iteration:
            with atomic(path.with_name(BEST)) as temporary:
                copyfile(path, temporary)

    def state(self) -> dict[str, Any]:
        scores = {"scores": dict(self._scores)} if self.best else {}
        return {"best": self._best, "by": self._by, **scores}

    def load_state(self, state: Mapping[str, Any]) -> None:
        if state.get("by", self._by) == self._by:  # another score compares with none of before
            self._best, self._scores = state["best"], dict(state.get("scores", {}))

    def _is_good(self, trainer: Trainer) -> bool:
        """Whether this iteration has a score that was not seen, by which its snapshot stays."""
        signed = self._sign * float(trainer.observation.get(self._score, math.nan))
        if math.isnan(signed):
            return False
        better = self._best is None or signed < self._best
        if better:
            self._best, self._at = signed, trainer.iteration
        if trainer.iteration in self._scores:
            return False
        scores = sorted({**self._scores, trainer.iteration: signed}.items(), key=itemgetter(1))
        self._scores = dict(scores[: self.best])
        return better or trainer.iteration in self._scores


def kept(keep: int | str) -> tuple[int, int]:
    """How many of the newest snapshots stay, and of the best: of "best:3" three and the newest."""
    return (keep, 0) if isinstance(keep, int) else (BESIDE, int(keep.removeprefix("best:")))


def parse(best_by: str | None) -> tuple[int, str]:
    """1 where less of a score is better, -1 where more is, and its name; UserError if it cannot be
    read.
    """
    if best_by is None:
        return 1, ""
    way, _, name = best_by.partition(":")
    if way not in ("min", "max") or not name:
        raise UserError(
            f"best_by is '{best_by}'; write min:NAME or max:NAME, with the name of a score."
        )
    return (1 if way == "min" else -1), name


def _load(path: Path, mmap: bool = False) -> Any:
    regular(path)
    with reading(path):
        try:
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
        except FileNotFoundError:
            raise UserError(f"There is no snapshot {path}.") from None
        except PermissionError:
            raise
        except Exception:  # what torch.load raises for a file of another kind is no fixed set
            raise _damaged(path) from None


def _checked(path: Path, content: Any) -> dict[str, Any]:
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UserError(f"{path} is not a snapshot of this version of ganlib ({FORMAT}).")
    try:
        _Content.model_validate(content)
        spec = SPEC.validate_python(content["spec"])
    except ValidationError as error:
        first = error.errors()[0]
        raise _odd(path, ".".join(map(str, first["loc"])), first["msg"]) from None
    if unknown := content["spec"].keys() - asdict(spec).keys():
        raise _odd(path, "spec", f"there is no {min(unknown)}")
    return {**content, "spec": spec}


def _odd(path: Path, place: str, what: str) -> UserError:
    return UserError(f"{path} is not a snapshot as ganlib writes them: {place}: {what}.")


def _damaged(path: Path) -> UserError:
    sentence = f"{path} is not a whole snapshot: it is damaged, or another kind of file."
    others = [other for other in list_snapshots(path.parent) if other != path and is_whole(other)]
    return UserError(f"{sentence} {others[-1]} is whole." if others else sentence)
