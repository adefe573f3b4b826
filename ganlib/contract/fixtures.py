"""A pytest plugin: options and small data of the contract, and of all the library's tests."""

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
import torch

from ganlib.common.data import DataSet, fit_spec
from ganlib.common.query import DataQuery
from ganlib.common.seeds import generator
from ganlib.registry import add_plugins, algorithms
from ganlib.training.update.streams import loader_of

CLASSES = ("a", "b", "c")
FEW = 32


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--algorithm", help="run the contract test on this algorithm only")
    parser.addoption("--plugin-dir", action="append", default=[], help="a folder of plugins")
    parser.addoption("--dataset", help="data for the contract test, in place of the example")
    parser.addoption("--source", help="what translations start from in it")


def pytest_configure(config: pytest.Config) -> None:
    torch.set_num_threads(1)
    add_plugins(*map(Path, config.getoption("--plugin-dir")))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    marked = any(
        "algorithm" in mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")
    )
    if "algorithm" in metafunc.fixturenames and not marked:
        one = metafunc.config.getoption("--algorithm")
        metafunc.parametrize("algorithm", [one] if one else algorithms.names())


def toy(channels: int = 1, side: int = 28, n: int = FEW, name: str = "toy") -> DataSet:
    """Smooth coloured blobs, a label each, as a data set of n images."""
    coarse = torch.rand(n, channels, 4, 4, generator=generator(0, "toy"))
    x = torch.nn.functional.interpolate(coarse, (side, side), mode="bilinear")
    y = torch.arange(n) % len(CLASSES)
    return DataSet(name, (x * 255).to(torch.uint8), y, classes=CLASSES)


@cache
def data_of(dataset: str | None, source: str | None, channels: int, side: int) -> DataSet:
    """A few images of a data set, by default of toy(), with these sources; see DataQuery."""
    made = toy(channels, side) if dataset is None else None
    data = DataQuery(dataset, size=side, source=source, memory=made).open()
    return data.cycled(min(FEW, len(data)))


def small_updater(
    name: str,
    channels: int = 1,
    side: int = 28,
    data: DataSet | None = None,
    sample: Callable[[int, int], DataSet] | None = None,
    dtype: torch.dtype = torch.float32,
    seed: int = 0,
    device: str = "cpu",
    **settings: Any,
) -> Any:
    """An updater of narrow networks on `data`, by default on those that `sample` makes of channels
    and a side: the algorithm's example, or toy().
    """
    algorithm = algorithms[name]
    config = algorithm.config(**{"batch_size": 4, "width": 0.1, **algorithm.small, **settings})
    data = data or (sample or algorithm.example or toy)(channels, side)
    spec = fit_spec(data, config.image_size(*data.shape[1:]))
    loader = loader_of(config, data, spec, seed, device=device, dtype=dtype)
    torch.manual_seed(seed)
    networks = {k: net.to(device, dtype) for k, net in algorithm.networks(config, spec).items()}
    updater = algorithm.updater(config, loader, spec, networks).to(device)
    if config.translates:
        updater.held_out = loader.over(data)
    return updater


@pytest.fixture
def make_updater(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """make_updater("dcgan", channels=3, side=32, dtype=..., batch_size=4, ...): small networks."""
    return maker(request.config.getoption("--dataset"), request.config.getoption("--source"))


@cache
def maker(dataset: str | None, source: str | None) -> Callable[..., Any]:
    """small_updater, on such data if some are named."""
    if dataset is None and source is None:
        return small_updater
    return partial(small_updater, sample=partial(data_of, dataset, source))


@pytest.fixture
def hint(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """hint("a sentence"): what is worth a word and breaks no promise; report.py shows it."""
    return lambda text: request.node.user_properties.append(("hint", text))
