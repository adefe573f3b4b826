"""Small snapshots of real generators, made in milliseconds instead of trained."""

import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result
from small_methods import FOLDER
from torch import nn

import ganlib
from ganlib.__main__ import cli, main
from ganlib.common.data import DataSpec
from ganlib.common.formats.hdf5_writing import write_hdf5
from ganlib.contract.fixtures import small_updater, toy
from ganlib.evaluation import metrics as place_of_metrics
from ganlib.evaluation.metrics.base import metrics
from ganlib.registry import add_plugins, algorithms
from ganlib.runs.settings import resolve
from ganlib.training.snapshot import write_snapshot

SPEC = DataSpec((1, 32, 32), (1, 28, 28), "pad", 10)

Make = Callable[..., Path]
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """ganlib's command line in this process and in a folder of its own: run("sample", ...)."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: Any) -> Result:
        return CliRunner().invoke(cli, [str(argument) for argument in arguments])

    return call


@pytest.fixture
def main_here(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    plugins: None,
    usual_signals: None,
) -> Callable[..., CompletedProcess[str]]:
    """main_here("sample", ...): `ganlib` in this process as `run` has it, with its sentences and
    its status, which another would take seconds to import everything for; main_here(...,
    verb="train"): the script train.py. What main sets in a process is as it was afterwards.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)

    def call(*arguments: Any, verb: str | None = None) -> CompletedProcess[str]:
        monkeypatch.setattr(sys, "argv", ["ganlib", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main(verb)
        return CompletedProcess(arguments, int(ended.value.code or 0), *capsys.readouterr())

    return call


@pytest.fixture
def make_snapshot(tmp_path: Path) -> Make:
    """make_snapshot("dcgan", spec, iteration=7, **settings) writes a snapshot in a run's folder."""

    def make(
        algorithm: str = "dcgan", spec: DataSpec = SPEC, iteration: int = 7, **settings: Any
    ) -> Path:
        flat = resolve({"width": 0.05, "algorithm": algorithm, **settings}).flat()
        updater = _updater(flat, spec)
        updater.iteration = iteration
        path = tmp_path / "run" / "snapshots" / f"iter_{iteration:07d}.pt"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_snapshot(path, flat, spec, {"updater": updater.state(), "extensions": {}})
        return path

    return make


def _updater(flat: dict[str, Any], spec: DataSpec) -> Any:
    from ganlib.sampling.model import assemble

    torch.manual_seed(0)
    updater = assemble(flat, spec)
    # Weights and statistics as of a trained network: of new ones, pictures are all but grey.
    with torch.no_grad():
        # in one order: that of a set, and with it who gets which numbers, changes by process
        for gen in filter(None, (getattr(updater, name, None) for name in ("gen", "average"))):
            for parameter in gen.parameters():
                if parameter.dim() > 1:
                    nn.init.kaiming_normal_(parameter)
            labelled = updater.config.condition == "labels"
            gen.train()(
                gen.make_hidden(64), torch.arange(64) % spec.n_classes if labelled else None
            )
    return updater


@pytest.fixture
def snapshot(make_snapshot: Make) -> Path:
    """A snapshot of dcgan with padded images."""
    return make_snapshot()


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test registers is forgotten after it."""
    entries, places = dict(algorithms.entries), list(ganlib.__path__)
    yield
    algorithms.entries.clear()
    algorithms.entries.update(entries)
    ganlib.__path__[:] = places


@pytest.fixture
def small_methods(monkeypatch: pytest.MonkeyPatch) -> None:
    """The methods of tests/methods are registered, and the metrics there."""
    for registry in (algorithms, metrics):
        monkeypatch.setattr(registry, "entries", dict(registry.entries))
    monkeypatch.setattr(place_of_metrics, "__path__", list(place_of_metrics.__path__))
    add_plugins(FOLDER)


@pytest.fixture
def small_snapshot(small_methods: None, tmp_path: Path) -> Make:
    """small_snapshot("dropped", run={"crop": 8}, **settings): two iterations of a method of
    tests/methods on its example, which lies in data.h5.
    """

    def make(name: str, side: int = 28, run: dict[str, Any] | None = None, **settings: Any) -> Path:
        data = (algorithms[name].example or toy)(1, side)
        write_hdf5(tmp_path / "data.h5", data)
        settings = {"batch_size": 4, "width": 0.1, **settings}
        updater = small_updater(name, data=data, **settings)
        for _ in range(2):
            updater.update()
        named = {"algorithm": name, "dataset": str(tmp_path / "data.h5"), **(run or {})}
        path = tmp_path / "run" / "snapshots" / "iter_0000002.pt"
        path.parent.mkdir(parents=True)
        state = {"updater": updater.state(), "extensions": {}}
        write_snapshot(path, resolve({**named, **settings}).flat(), updater.spec, state)
        return path

    return make
