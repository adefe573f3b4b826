"""Pipes, devices and files of any length, where a user names a file to be read."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ganlib.common.errors import UserError
from ganlib.common.formats.decode import Unusable, header
from ganlib.common.formats.hdf5 import read_hdf5
from ganlib.common.io.jsonl import read_lines
from ganlib.common.networks.vgg import VGG19
from ganlib.evaluation.comparison.external import read_external
from ganlib.evaluation.comparison.reading import read_run
from ganlib.evaluation.extractors.base import read_weights
from ganlib.evaluation.formats import open_images
from ganlib.evaluation.pairs.lpips import lpips
from ganlib.runs.settings import read_yaml
from ganlib.sampling.exports.export import load_export
from ganlib.training.snapshot import peek_snapshot, read_snapshot

# a name for the file, and what reads it
READERS: list[tuple[str, Callable[[Path], Any]]] = [
    ("a.pt", read_snapshot),
    ("a.pt", peek_snapshot),
    ("a.npz", open_images),
    ("a.npy", open_images),
    ("a.h5", open_images),
    ("a.h5", lambda path: read_hdf5(path, "test")),
    ("a.yaml", read_yaml),
    ("a.json", read_external),
    ("a.jsonl", read_lines),
    ("config.yaml", lambda path: read_run(path.parent)),
    ("model_card.json", lambda path: load_export(path.parent)),
    ("a.pth", read_weights),
    ("a.pth", lpips),
    ("a.pth", lambda path: VGG19(["relu1_1"], path)),
    ("a.png", header),
]


@pytest.mark.timeout(60)  # whoever opens the pipe waits for ever
@pytest.mark.parametrize(("name", "reader"), READERS)
@pytest.mark.parametrize("special", ["pipe", "device"])
def test_what_is_no_file_is_refused_unread(
    name: str, reader: Callable[[Path], Any], special: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    os.mkfifo(path) if special == "pipe" else path.symlink_to(os.devnull)
    with pytest.raises((UserError, Unusable), match="pipe|device"):
        reader(path)


@pytest.mark.parametrize("reader", [read_weights, lpips, read_external, read_yaml])
def test_the_size_is_looked_at_first(reader: Callable[[Path], Any], tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    with path.open("wb") as file:
        file.truncate(2**40)  # of which the disk holds nothing
    with pytest.raises(UserError, match="has 1,048,576 MiB, and what belongs there at most"):
        reader(path)
