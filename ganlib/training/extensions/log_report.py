"""The log: one JSON line per interval with the means of what was observed."""

import time
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ganlib.common.io.jsonl import append_line, cut_lines
from ganlib.training.trainer import Extension, Trainer, every

TIMES = ("seconds", "images_per_second")  # what differs between two equal runs


class LogReport(Extension):
    """Adds observations up on the device; every `interval` iterations their means become a line of
    log.jsonl, which says the stage too where there are several.

    The line is also `trainer.line`. Sums are part of the snapshot, so an interrupted interval goes
    on. What is observed once the run has reached its end joins the last line.
    """

    name = "log_report"

    def __init__(self, interval: int) -> None:
        self._due = every(interval)
        self._sums: dict[str, Tensor | float] = {}
        self._counts: dict[str, int] = {}
        self._since = (0.0, 0)
        self._logged: set[str] = set()

    def initialize(self, trainer: Trainer) -> None:
        lines = cut_lines(trainer.out / "log.jsonl", trainer.iteration)
        trainer.line = dict(lines[-1]) if lines else {}
        self._since = (time.monotonic(), trainer.updater.images)

    def __call__(self, trainer: Trainer) -> None:
        for name, value in trainer.observation.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
            self._counts[name] = self._counts.get(name, 0) + 1
        self._logged = set(trainer.observation)
        if self._due(trainer):
            self._write(trainer)

    def finalize(self, trainer: Trainer) -> None:
        late = trainer.observation.keys() - self._logged
        if not late:
            return
        line = trainer.line
        if line.get("iteration") != trainer.iteration:
            line = {"iteration": trainer.iteration, "images": trainer.updater.images}
        more = {name: float(trainer.observation[name]) for name in sorted(late)}
        trainer.line = {**line, **more}
        cut_lines(trainer.out / "log.jsonl", trainer.iteration - 1, trainer.line)

    def state(self) -> dict[str, Any]:
        return {"sums": dict(self._sums), "counts": dict(self._counts)}

    def load_state(self, state: Mapping[str, Any]) -> None:
        self._sums, self._counts = dict(state["sums"]), dict(state["counts"])

    def _write(self, trainer: Trainer) -> None:
        now, images = time.monotonic(), trainer.updater.images
        means = {name: float(total) / self._counts[name] for name, total in self._sums.items()}
        seconds = now - self._since[0]
        stage = trainer.stage
        trainer.line = {
            "iteration": trainer.iteration,
            "images": images,
            **({"stage": stage} if stage else {}),
            **means,
            "seconds": round(trainer.elapsed, 3),
            "images_per_second": round((images - self._since[1]) / seconds, 1),
        }
        append_line(trainer.out / "log.jsonl", trainer.line)
        self._sums, self._counts, self._since = {}, {}, (now, images)
