"""The loop, its triggers and its state."""

import itertools
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from ganlib.common.errors import UserError
from ganlib.training.trainer import Extension, Trainer, every

Make = Callable[..., Any]


class Recorder(Extension):
    """Notes what happens to it."""

    def __init__(self, name: str = "recorder", interval: int = 1) -> None:
        self.name, self.trigger = name, every(interval)
        self.calls: list[Any] = []

    def initialize(self, trainer: Trainer) -> None:
        self.calls.append("initialize")

    def __call__(self, trainer: Trainer) -> None:
        self.calls.append(trainer.iteration)

    def finalize(self, trainer: Trainer) -> None:
        self.calls.append("finalize")

    def close(self) -> None:
        self.calls.append("close")

    def state(self) -> dict[str, Any]:
        return {"calls": len(self.calls)}

    def load_state(self, state: Mapping[str, Any]) -> None:
        self.calls = [None] * state["calls"]


@pytest.mark.parametrize(
    ("n", "expected"),
    [
        (1, [1, 1, 1, 1, 1, 1, 1, 1]),
        (3, [0, 0, 1, 0, 0, 1, 0, 0]),
        (0, [0, 0, 0, 0, 0, 0, 0, 0]),
    ],
)
@pytest.mark.parametrize("resumed_after", [0, 2, 5])
def test_triggers(
    n: int,
    expected: list[int],
    resumed_after: int,
    make_updater: Make,
    toy_data: Make,
    tmp_path: Path,
) -> None:
    def make() -> Trainer:
        return Trainer(make_updater("dcgan", data=toy_data(n=10)), tmp_path, len(expected))

    trigger, trainer, fired = every(n), make(), []
    for k in range(len(expected)):
        if k == resumed_after:
            state, trainer = trainer.state(), make()
            trainer.load_state(state)
        trainer._iterate()
        fired.append(int(trigger(trainer)))
    assert fired == expected


def test_extensions_run_in_their_order_and_are_closed(make_updater: Make, tmp_path: Path) -> None:
    order: list[str] = []

    class Noted(Recorder):
        def __call__(self, trainer: Trainer) -> None:
            super().__call__(trainer)
            order.append(self.name)

    trainer = Trainer(make_updater("dcgan"), tmp_path, max_iter=2)
    first, second = Noted("first"), Noted("second", interval=2)
    trainer.extend(first, second)
    trainer.run()
    assert order == ["first", "first", "second"]
    assert first.calls == ["initialize", 1, 2, "finalize", "close"]
    assert trainer.stopped == "done"


def test_two_extensions_of_one_name_are_refused(make_updater: Make, tmp_path: Path) -> None:
    trainer = Trainer(make_updater("dcgan"), tmp_path, max_iter=2)
    with pytest.raises(UserError, match="Two extensions are called 'recorder'"):
        trainer.extend(Recorder(), Recorder())


def test_extensions_are_closed_but_not_finalized_by_an_exception(
    make_updater: Make, tmp_path: Path
) -> None:
    class Failing(Recorder):
        def __call__(self, trainer: Trainer) -> None:
            raise RuntimeError("full disk")

    trainer = Trainer(make_updater("dcgan"), tmp_path, max_iter=2)
    recorder = Recorder()
    trainer.extend(recorder, Failing("failing"))
    with pytest.raises(RuntimeError, match="full disk"):
        trainer.run()
    assert recorder.calls == ["initialize", 1, "close"]


def test_state_reaches_every_extension(make_updater: Make, tmp_path: Path) -> None:
    first = Trainer(make_updater("dcgan"), tmp_path, max_iter=3)
    first.extend(Recorder())
    first.run()
    second = Trainer(make_updater("dcgan"), tmp_path, max_iter=5)
    recorder, new = Recorder(), Recorder("new")
    second.extend(recorder, new)
    second.load_state(first.state())
    assert second.iteration == 3
    assert len(recorder.calls) == 6 and new.calls == []


@pytest.mark.usefixtures("usual_signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_loop_after_the_iteration(
    number: signal.Signals, make_updater: Make, tmp_path: Path
) -> None:
    class Sender(Recorder):
        def __call__(self, trainer: Trainer) -> None:
            super().__call__(trainer)
            if trainer.iteration == 2:
                os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    trainer = Trainer(make_updater("dcgan"), tmp_path, max_iter=9)
    sender = Sender()
    trainer.extend(sender)
    trainer.run()
    assert sender.calls == ["initialize", 1, 2, "finalize", "close"]
    assert number.name in trainer.stopped
    assert signal.getsignal(number) == before


@pytest.mark.usefixtures("usual_signals")
@pytest.mark.parametrize("launched", [False, True])
def test_a_second_request_ends_the_process_but_for_what_torchrun_passes_on(
    launched: bool, make_updater: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Sender(Recorder):
        def __call__(self, trainer: Trainer) -> None:
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGTERM)

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    monkeypatch.setenv("WORLD_SIZE", "2" if launched else "1")
    trainer = Trainer(make_updater("dcgan"), tmp_path, max_iter=9)
    trainer.extend(Sender())
    with nullcontext() if launched else pytest.raises(KeyboardInterrupt):
        trainer.run()
    assert (trainer.iteration, trainer.stopped) == (1, "SIGTERM received" if launched else "")


def test_a_hang_up_that_is_ignored_stays_ignored(make_updater: Make, tmp_path: Path) -> None:
    """As under nohup."""

    class Sender(Recorder):
        def __call__(self, trainer: Trainer) -> None:
            os.kill(os.getpid(), signal.SIGHUP)

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        trainer = Trainer(make_updater("dcgan"), tmp_path, max_iter=3)
        trainer.extend(Sender())
        trainer.run()
    finally:
        signal.signal(signal.SIGHUP, before)
    assert trainer.iteration == 3 and trainer.stopped == "done"


def test_limits(make_updater: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    by_images = Trainer(make_updater("wgan_gp", n_dis=2), tmp_path, max_iter=9, max_images=17)
    by_images.run()
    assert by_images.iteration == 3  # 8 real images an iteration: 24 is the first count past 17
    assert by_images.stopped == "done"
    seconds = itertools.count()  # of which one is over at each look
    monkeypatch.setattr("time.monotonic", lambda: next(seconds))
    by_time = Trainer(make_updater("dcgan"), tmp_path, max_iter=10**9, max_hours=10 / 3600)
    by_time.run()
    assert "hours are over" in by_time.stopped and 1 < by_time.iteration < 10
