"""A translator applied to files; ganlib translate has more tests of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from ganlib.common.data import DataSpec
from ganlib.common.errors import UserError
from ganlib.common.generator import Generator
from ganlib.sampling.translation.source_images import Reader
from ganlib.sampling.translation.translated_files import TranslatedFiles, jobs
from ganlib.sampling.translation.translator import Translator

Make = Callable[..., Any]


class Film(Generator):
    """Two frames: the source, and what is dark in it bright."""

    multiple = 1

    def __init__(self) -> None:
        super().__init__(n_hidden=0, latent="normal")
        self.like = torch.nn.Parameter(torch.zeros(()))

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        assert y is not None
        return torch.cat([y, -y], 1)


@pytest.mark.usefixtures("small_methods")
def test_frames_lie_below_each_other(make_updater: Make, tmp_path: Path) -> None:
    updater = make_updater("unpaired", side=8)
    updater.gen = Film()
    updater.spec = DataSpec((2, 8, 8), (2, 8, 8), source=(1, 8, 8), frames=2)
    x = np.random.default_rng(0).integers(0, 256, (5, 7), dtype=np.uint8)
    Image.fromarray(x).save(tmp_path / "a.png")
    files = TranslatedFiles(Translator(updater), Reader(updater.spec))
    files.make(jobs([tmp_path / "a.png"], tmp_path / "out", 1, False))
    with Image.open(tmp_path / "out/a.png") as picture:
        film = np.array(picture)
    assert np.array_equal(film, np.concatenate([x, 255 - x]))
    assert files.remarks() == [] and files.done == 1


def test_names(tmp_path: Path) -> None:
    (tmp_path / "in/x").mkdir(parents=True)
    for name in ("a.b.jpg", "x/c.PNG", ".hidden.png", "text.txt"):
        (tmp_path / "in" / name).touch()
    (tmp_path / "odd").touch()  # given by name, it is tried
    out = tmp_path / "out"
    found = jobs([tmp_path / "in", tmp_path / "odd"], out, 1, False)
    assert [job.source.name for job in found] == ["a.b.jpg", "c.PNG", "odd"]
    assert [job.targets for job in found] == [
        (out / "a.b.png",),
        (out / "x/c.PNG",),
        (out / "odd.png",),
    ]
    several = jobs([tmp_path / "in/a.b.jpg"], out, 2, False)
    assert several[0].targets == (out / "a.b_0.png", out / "a.b_1.png")
    assert not out.exists()


def test_names_are_not_made_without_end(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).touch()
    sentence = (
        "2 files with 1,000,000,000 outputs each are too many to write: give --outputs 500000"
    )
    with pytest.raises(UserError, match=sentence):
        jobs([tmp_path], tmp_path / "out", 10**9, False)


def test_one_file_twice_is_two_files_of_one_name(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    with pytest.raises(UserError, match="would both become"):
        jobs([tmp_path / "a.jpg", tmp_path / "a.jpg"], tmp_path / "out", 1, False)


def test_what_is_there_already(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    (tmp_path / "a_1.png").touch()
    jobs([tmp_path / "a.jpg"], tmp_path, 1, False)
    with pytest.raises(UserError, match=r"a_1\.png is there already: give --force"):
        jobs([tmp_path / "a.jpg"], tmp_path, 2, False)
    assert len(jobs([tmp_path / "a.jpg"], tmp_path, 2, True)) == 1


def test_an_input_stays_even_by_force_and_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.png").touch()
    (tmp_path / "link").symlink_to(tmp_path / "in", target_is_directory=True)
    with pytest.raises(UserError, match="is an input, which stays as it is"):
        jobs([tmp_path / "in"], tmp_path / "link", 1, True)
