"""Streams of batches: positions, batches, and none without data."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from ganlib.common.data import DataSet, Loader, fit_spec
from ganlib.common.errors import UserError
from ganlib.training.update.accumulation import MicroBatches
from ganlib.training.update.streams import Stage, Streams

Make = Callable[..., Any]


def test_a_second_stream_has_its_own_position(make_updater: Make) -> None:
    updater = make_updater("dcgan")
    x, _ = next(updater.data)
    other, _ = next(updater.stream("labelled"))
    assert not torch.equal(x, other)
    next(updater.stream("labelled"))
    assert updater.state()["positions"] == {"": 4, "labelled": 8}
    fresh = make_updater("dcgan")
    fresh.load_state(updater.state())
    assert torch.equal(next(fresh.stream("labelled")).x, next(updater.stream("labelled")).x)


def make(batches: MicroBatches, toy_data: Callable[..., DataSet]) -> tuple[Streams, Loader]:
    data = toy_data()
    loader = Loader(data, fit_spec(data, (28, 28)), 4, 0)
    return Streams(loader, batches), loader


def test_passes_share_a_batch_and_go_on_from_one_position(
    toy_data: Callable[..., DataSet],
) -> None:
    batches = MicroBatches(2)
    streams, whole = make(batches, toy_data)
    streams.split()
    for k in (0, 1, 0):
        batches.current = k
        assert len(next(streams.get()).x) == 2
    assert streams.state() == {"": 8}
    streams.load_state({"": 12, "other": 4})
    assert batches.current == 0
    whole.position = 12
    parts = []
    for batches.current in (0, 1):
        parts.append(next(streams.get()).x)
    assert torch.equal(torch.cat(parts), next(whole).x)
    assert streams.state() == {"": 16, "other": 4}


def test_a_stream_may_be_over_other_data(toy_data: Callable[..., DataSet]) -> None:
    streams, loader = make(MicroBatches(), toy_data)
    few = loader.over(toy_data(n=4))
    assert len(streams.get("few", few).data) == 4 and streams.get("few").stream == "few"
    assert len(streams.get("many").data) == 32


class Wrapper:
    def __init__(self, loader: Loader) -> None:
        self.loader = loader


def test_all_loaders_are_wrapped_those_to_come_too(toy_data: Callable[..., DataSet]) -> None:
    batches = MicroBatches()
    streams, loader = make(batches, toy_data)
    streams.get("other")
    streams.wrap(Wrapper)
    first = streams.wrapped
    assert first.keys() == {("", 0), ("other", 0)} and first["", 0].loader is loader
    assert isinstance(streams.get(), Wrapper) and streams.wrapped == first
    batches.count = 2
    streams.split()
    assert all(isinstance(w, Wrapper) and w.loader.ranks == 2 for w in streams.wrapped.values())


def test_all_loaders_are_closed(
    toy_data: Callable[..., DataSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[str] = []
    monkeypatch.setattr(Loader, "close", lambda self: closed.append(self.stream))
    streams, _ = make(MicroBatches(), toy_data)
    streams.get("other")
    streams.wrap(Wrapper)
    streams.close()
    assert closed == ["", "other"]


def test_all_loaders_follow_a_stage(toy_data: Callable[..., DataSet]) -> None:
    batches = MicroBatches(2)
    streams, _ = make(batches, toy_data)
    streams.get("other")
    streams.split()
    streams.resize(Stage(8, (14, 7)))
    shapes = []
    for batches.current in (0, 1):
        shapes += [next(streams.get(name)).x.shape for name in ("", "other", "made later")]
    assert shapes == 6 * [(4, 1, 14, 7)]
    assert streams.state() == {"": 8, "other": 8, "made later": 8}
    with pytest.raises(UserError, match="3 images cannot be shared in 2 parts"):
        streams.resize(Stage(3))


def test_without_data_there_is_nothing_to_train_on() -> None:
    streams = Streams(None, MicroBatches())
    assert not streams and streams.state() == {}
    with pytest.raises(UserError, match="no data to train on"):
        streams.get()
