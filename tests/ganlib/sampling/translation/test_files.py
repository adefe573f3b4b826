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
from ganlib.common.generator import Generator
from ganlib.common.pictures import to_uint8
from ganlib.sampling.translation.files import TranslatedFiles
from ganlib.sampling.translation.jobs import jobs
from ganlib.sampling.translation.side_by_side import cell
from ganlib.sampling.translation.source_images import Reader
from ganlib.sampling.translation.translate import Translator

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
    files = TranslatedFiles(Translator(updater), Reader(updater.spec), shown=True)
    files.make(jobs([tmp_path / "a.png"], tmp_path / "out", 1, False))
    with Image.open(tmp_path / "out/a.png") as picture:
        film = np.array(picture)
    assert np.array_equal(film, np.concatenate([x, 255 - x]))
    [[source, output]] = files.rows
    assert torch.equal(to_uint8(source), to_uint8(cell(torch.from_numpy(x)[None] / 127.5 - 1)))
    assert torch.equal(to_uint8(output), to_uint8(cell(torch.from_numpy(film)[None] / 127.5 - 1)))
    assert files.told() == [] and files.done == 1
