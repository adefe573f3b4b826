"""Runs on data that lie in an object store."""

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import fsspec
import pytest

from ganlib.common.data import DataSet
from ganlib.common.errors import UserError
from ganlib.common.formats.hdf5_writing import write_hdf5
from ganlib.common.io import remote
from ganlib.common.query import DataQuery

Main = Callable[..., CompletedProcess[str]]
SMALL = ["--gpu", -1, "--batch-size", 4, "--width", 0.05, "--no-tensorboard"]


def test_a_run_goes_on_with_the_same_data_and_refuses_others(
    main_here: Main,
    toy_data: Callable[..., DataSet],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(remote, "FRESH", -1.0)
    store, path = fsspec.filesystem("memory"), tmp_path / "toy.h5"
    address = "memory://runs-bucket/toy.h5"
    write_hdf5(path, toy_data())
    store.put(str(path), address)
    train = ["train", "-a", "dcgan", *SMALL, "--dataset", address]
    assert main_here(*train, "--max-iter", 1).returncode == 0
    run = tmp_path / "result" / "dcgan_toy" / "seed0"
    assert f"dataset: {address}\n" in (run / "config.yaml").read_text()
    snapshots = {file.name for file in run.glob("snapshots/*")}
    write_hdf5(path, toy_data(n=31))
    store.put(str(path), address)
    answer = main_here("train", f"--resume={run}", "--max-iter", 2)
    assert answer.returncode == 2 and "count was 32 and is now 31" in answer.stderr
    store.rm(address)
    answer = main_here("train", f"--resume={run}", "--max-iter", 2)
    assert answer.returncode == 2
    assert answer.stderr.startswith(f"Error: There is nothing at {address}: see whether")
    assert {file.name for file in run.glob("snapshots/*")} == snapshots


def test_results_lie_on_this_machine(main_here: Main, tmp_path: Path) -> None:
    answer = main_here("train", "-a", "dcgan", *SMALL, "--out", "s3://bucket/run")
    words = "Error: out is 's3://bucket/run', but should be a folder of this machine: copy it from"
    assert answer.returncode == 2 and answer.stderr.startswith(words)
    assert not list(tmp_path.iterdir())


def test_files_that_cannot_be_looked_at_are_not_taken_for_none_to_hold_out(
    main_here: Main, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that answers the second time only would have all of its files trained on."""
    monkeypatch.setattr(remote, "_listed", lost)
    answer = main_here("train", "-a", "pix2pix", *SMALL, "--dataset", "memory://x", "--size", 32)
    assert (answer.returncode, answer.stderr) == (
        2,
        "Error: memory://x cannot be read (ConnectionError: lost).\n",
    )
    with pytest.raises(UserError):
        assert DataQuery("memory://x").holds_out


def lost(*_: object) -> None:
    raise ConnectionError("lost")
