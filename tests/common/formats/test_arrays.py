"""Arrays in files, as a data set to train on."""

from pathlib import Path

import numpy as np
import pytest
import torch

import ganlib
from ganlib.common.errors import UserError
from ganlib.common.query import DataQuery, open_dataset

X = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 3), np.uint8)
Y = np.arange(40) % 3


@pytest.mark.parametrize("name", ["x.npz", "x.npy", "floats.npz"])
def test_the_images_and_labels_of_a_file(name: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", images=X, labels=Y)
    np.savez(tmp_path / "floats.npz", images=(X / np.float32(127.5) - 1), labels=Y)
    np.save(tmp_path / "x.npy", X)
    data = open_dataset(str(tmp_path / name))
    assert torch.equal(
        torch.as_tensor(data.x[torch.arange(40)]).permute(0, 2, 3, 1), torch.tensor(X)
    )
    assert (data.name, DataQuery(str(tmp_path / name)).label) == 2 * (name[:-4],)
    if name.endswith("npz"):
        assert data.y is not None and data.y.tolist() == Y.tolist()
        assert data.classes == ("0", "1", "2")
    with pytest.raises(UserError, match="has no test images"):
        open_dataset(str(tmp_path / name), split="test")
    assert open_dataset(str(tmp_path / name), size=8).shape == (3, 8, 8)


def test_a_run_trains_on_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("mine.npz", images=X, labels=Y)
    small = {"width": 0.05, "batch_size": 4, "max_iter": 2, "gpu": -1, "evaluation_interval": 0}
    model = ganlib.train(algorithm="cgan", dataset="mine.npz", tensorboard=False, **small)
    assert model.out == Path("result/cgan_mine/seed0") and model.spec.n_classes == 3


def test_what_holds_no_images_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_text("text")
    with pytest.raises(UserError, match=r"x.npz cannot be read as an array of images"):
        open_dataset(str(tmp_path / "x.npz"))
    with pytest.raises(UserError, match=r"y.npy cannot be read .* No such file"):
        open_dataset(str(tmp_path / "y.npy"))
