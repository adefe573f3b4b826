"""An option, toy data and a cache folder of the tests' own; all else is in
ganlib/contract/fixtures.py.
"""

import gc
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from ganlib.common.data import DataSet
from ganlib.common.formats import shared
from ganlib.common.formats.hdf5_writing import write_hdf5
from ganlib.contract.fixtures import toy

# read by cuBLAS when it is first used: what the tests of a GPU ask of deterministic algorithms
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write tests/golden instead of comparing"
    )


def pytest_collection_finish() -> None:
    """What the tests are made of is no garbage: a search for some, of which benchmarks and closing
    files start many, passes it over.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture
def toy_data() -> Callable[..., DataSet]:
    """toy_data(channels=1, side=28, n=32): see toy."""
    return toy


@pytest.fixture
def toy_file(toy_data: Callable[..., DataSet], tmp_path: Path) -> Path:
    """An HDF5 file of 32 training and 8 test images, 1x28x28."""
    path = tmp_path / "toy.h5"
    write_hdf5(path, toy_data(), toy_data(n=8))
    return path


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is kept from one session of tests to the next, nor downloaded, nor outlives a power
    cut; the bundled images are decoded once.
    """
    monkeypatch.setenv("GANLIB_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setenv("GANLIB_INCEPTION", str(tmp_path_factory.getbasetemp() / "missing.pth"))
    monkeypatch.setattr(os, "fsync", lambda file: None)
    monkeypatch.setattr(shared, "WORTH", 0.1)


@pytest.fixture
def switches() -> Iterator[None]:
    """What a test sets for the whole process is as it was afterwards."""
    precision, cudnn = torch.get_float32_matmul_precision(), torch.backends.cudnn
    tf32, benchmark = cudnn.allow_tf32, cudnn.benchmark
    yield
    torch.use_deterministic_algorithms(False)
    torch.utils.deterministic.fill_uninitialized_memory = True
    torch.set_float32_matmul_precision(precision)
    cudnn.allow_tf32, cudnn.benchmark = tf32, benchmark


@pytest.fixture
def usual_signals() -> Iterator[None]:
    """As a terminal has them: nohup, and a script that puts its commands in the background, have
    some ignored, which what they start inherits.
    """
    usual = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: signal.SIG_DFL,
        signal.SIGHUP: signal.SIG_DFL,
    }
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
