"""The loop: update, then every extension whose trigger says so, in the order in which they are
listed.
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL.Image import Image
from torch import Tensor

from ganlib.common.errors import UserError
from ganlib.evaluation import Score
from ganlib.training.device import ranks
from ganlib.training.updater import Updater

AGREE = 1.0
"""Seconds, or so, after which several ranks tell each other whether one was asked to stop."""
AT_MOST = 100
"""Iterations until then, should they become slower."""

HANGUP: Any = getattr(signal, "SIGHUP", None)  # which Windows has not
SIGNALS = [number for number in (signal.SIGINT, signal.SIGTERM, HANGUP) if number is not None]
"""What ends a run in good order: Ctrl-C, a request to end, a terminal that was closed."""

Trigger = Callable[["Trainer"], bool]


class Interrupted(Exception):
    """A signal asks to leave something long out."""


def every(n: int) -> Trigger:
    """True after every n iterations; never for n = 0. A pure function of the trainer."""
    return lambda trainer: n != 0 and trainer.iteration % n == 0


class Extension:
    """Something to do around an update. `name` is its key in a snapshot."""

    name: str = ""
    trigger: Trigger = staticmethod(every(1))

    def initialize(self, trainer: "Trainer") -> None:
        """Before the first iteration of this process."""

    def __call__(self, trainer: "Trainer") -> None:
        """After an iteration for which the trigger was true."""

    def ended(self, trainer: "Trainer") -> None:
        """After the last iteration and before anybody's finalize(), which may take long."""

    def finalize(self, trainer: "Trainer") -> None:
        """After the last iteration, unless an exception ended the run."""

    def close(self) -> None:
        """At the end, however it came."""

    def state(self) -> dict[str, Any]:
        """What a resumed run needs: tensors and plain types."""
        return {}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take over what state() gave."""


class Trainer:
    """Runs an updater until `max_iter`, `max_images` or `max_hours`, or until it is asked to stop.

    observation: what the newest iteration returned, with what extensions added. pictures: what they
    drew of it, by name. scores: of an evaluation of it, by name. line: the newest line of the log.
    stopped: why the loop ended, "" while it runs; "done" if it reached its end. signalled: what a
    signal said, "" without one.
    """

    def __init__(
        self,
        updater: Updater,
        out: Path,
        max_iter: int,
        max_images: int | None = None,
        max_hours: float | None = None,
    ) -> None:
        self.updater, self.out = updater, out
        self.max_iter, self.max_images, self.max_hours = max_iter, max_images, max_hours
        self.extensions: dict[str, Extension] = {}
        self.observation: dict[str, Tensor | float] = {}
        self.pictures: dict[str, Image] = {}
        self.scores: Mapping[str, Score] = {}
        self.line: dict[str, Any] = {}
        self.stopped = self.signalled = self._reason = ""
        self.images_before = self.first_iteration = self._asked = 0
        self._agree = ranks.Agreement()
        self.started = time.monotonic()

    @property
    def iteration(self) -> int:
        """Iterations done, over all processes of this run."""
        return self.updater.iteration

    @property
    def stage(self) -> str:
        """The stage of the last iteration in words, "" where there is one alone."""
        return self.updater.stage_name(max(0, self.iteration - 1))

    @property
    def elapsed(self) -> float:
        """Seconds since this process began to train."""
        return time.monotonic() - self.started

    def seconds_left(self, rate: float) -> float:
        """Until max_iter, max_images or max_hours is reached, whichever is first, at so many
        iterations a second.
        """
        left = [(self.max_iter - self.iteration) / rate]
        if self.max_images is not None:
            each = max(1, self.updater.images - self.images_before)
            left.append((self.max_images - self.updater.images) / (each * rate))
        if self.max_hours is not None:
            left.append(_working_seconds(self.max_hours) - self.elapsed)
        return max(0.0, min(left))

    @property
    def is_over(self) -> bool:
        """Whether it has reached its end."""
        images = self.max_images is not None and self.updater.images >= self.max_images
        return self.iteration >= self.max_iter or images

    def extend(self, *extensions: Extension) -> None:
        """Append extensions; they run in this order."""
        for extension in extensions:
            if extension.name in self.extensions:
                raise UserError(f"Two extensions are called '{extension.name}': leave one out.")
            self.extensions[extension.name] = extension

    def stop(self, reason: str) -> None:
        """Ask the loop to end after this iteration, or of several ranks after the next one in which
        they agree.
        """
        self._reason = self._reason or reason

    def run(self) -> None:
        """Train. Every extension is closed, whatever happens."""
        self.started, self.first_iteration = time.monotonic(), self.iteration
        try:
            for extension in self.extensions.values():
                extension.initialize(self)
            with _signals(self):
                while not self._ended():
                    self._iterate()
                for extension in self.extensions.values():
                    extension.ended(self)
                for extension in self.extensions.values():
                    extension.finalize(self)
        finally:
            for extension in self.extensions.values():
                extension.close()

    def state(self) -> dict[str, Any]:
        """Everything that a run goes on from."""
        states = {name: extension.state() for name, extension in self.extensions.items()}
        return {"updater": self.updater.state(), "extensions": states}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take over what state() gave; extensions that were not there before start afresh."""
        self.updater.load_state(state["updater"])
        for name, extension in self.extensions.items():
            if name in state["extensions"]:
                extension.load_state(state["extensions"][name])

    def _iterate(self) -> None:
        self.images_before = self.updater.images
        self.observation, self.pictures = dict(self.updater.update()), {}
        self.scores = {}
        for extension in self.extensions.values():
            if extension.trigger(self):
                extension(self)

    def _ended(self) -> bool:
        if self.is_over:
            self.stopped = "done"
        elif ranks.count() == 1 or self.iteration >= self._asked:
            if self.max_hours is not None and self.elapsed >= _working_seconds(self.max_hours):
                self.stop(f"the {self.max_hours:g} hours are over")
            done = self.iteration - self.first_iteration
            soon = min(max(1, round(AGREE * done / max(AGREE, self.elapsed))), AT_MOST)
            self.stopped, self._asked = self._agree(self._reason, self.iteration + soon)
        return bool(self.stopped)


def _working_seconds(hours: float) -> float:
    """The part of the time limit to train in; the rest, at most a minute, is for a snapshot."""
    seconds = hours * 3600
    return seconds - min(60, 0.02 * seconds)


@contextmanager
def _signals(trainer: Trainer) -> Iterator[None]:
    """Ctrl-C, SIGTERM and SIGHUP end the loop after the iteration, and the last evaluation where it
    is; a second one ends the process, unless it may be the same one, which a cluster sends to
    torchrun too.
    """

    def ask(number: int, _: Any) -> None:
        trainer.signalled = f"{signal.Signals(number).name} received"
        trainer.stop(trainer.signalled)
        if number != signal.SIGTERM or not ranks.launched():  # torchrun passes on what it gets
            signal.signal(number, before[number])

    with heard(ask) as before:
        yield


@contextmanager
def heard(ask: Callable[[int, Any], None]) -> Iterator[dict[int, Any]]:
    """`ask` handles SIGNALS: gives the handlers of before, which are there again afterwards. Only
    the main thread hears them.

    A SIGHUP that whoever started the process has it ignore (nohup) stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield {}
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    if before.get(HANGUP) is signal.SIG_IGN:
        del before[HANGUP]
    for number in before:
        signal.signal(number, ask)
    try:
        yield before
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
