"""The canonical features, by weights drawn at random: the published ones need a download."""

import io
import os
import pickle
import urllib.error
import urllib.request
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from ganlib.common.errors import UserError
from ganlib.evaluation.extractors import base, inception
from ganlib.evaluation.extractors.base import TRAINED, Options, make_extractor

CPU = torch.device("cpu")
FEATURES = ["2048", "logits_unbiased"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of random weights that keep the features apart."""
    torch.manual_seed(0)
    network = inception.unloaded()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    path = tmp_path_factory.mktemp("weights") / "random.pth"
    torch.save(network.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def theirs(weights: Path) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """torch-fidelity's extractor, loaded by its own loader."""
    return FeatureExtractorInceptionV3(  # type: ignore[no-any-return]
        "theirs", FEATURES, feature_extractor_weights_path=str(weights)
    )


def load(weights: Path, options: Options = Options()) -> inception.Inception:  # noqa: B008
    content = weights.read_bytes()
    network = inception.build(content, {sha256(content).hexdigest(): "here"})
    return inception.Inception(network, sha256(content).hexdigest(), CPU, options)


def pictures(side: int, channels: int = 3, n: int = 2) -> Tensor:
    random = torch.Generator().manual_seed(side)
    return torch.randint(0, 256, (n, channels, side, side), generator=random).to(torch.uint8)


@pytest.mark.parametrize("side", [28, 32, 64, 299, 512])
def test_features_are_torch_fidelitys(
    side: int, weights: Path, theirs: Callable[[Tensor], tuple[Tensor, Tensor]]
) -> None:
    x = pictures(side)
    pool, logits = load(weights)(x)
    assert logits is not None
    expected_pool, expected_logits = theirs(x)
    assert pool.shape == (2, 2048) and logits.shape == (2, 1008)
    assert torch.equal(pool, expected_pool) and torch.equal(logits, expected_logits)
    assert pool.std() > 1e-3 and not torch.equal(pool[0], pool[1])


def test_grey_is_three_times_the_same(weights: Path) -> None:
    extractor, x = load(weights), pictures(28, channels=1)
    assert torch.equal(extractor(x).pool, extractor(x.repeat(1, 3, 1, 1)).pool)


def test_blocks_are_cut_for_the_processor(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(base.BATCH, "cpu", 2)
    x = pictures(28, n=3)
    torch.testing.assert_close(load(weights)(x).pool[:2], load(weights)(x[:2]).pool)


def test_other_arithmetic_is_stamped(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    fast = load(weights, Options(precision="bf16", channels_last=True))
    x = pictures(28)
    assert fast.describe()["precision"] == "bf16, folded, channels_last"
    pool = fast(x).pool
    assert pool.dtype == torch.float32
    assert not any(isinstance(module, nn.BatchNorm2d) for module in fast.body.modules())
    exact = load(weights)(x).pool
    assert 0 < (pool - exact).norm() / exact.norm() < 0.1


def test_its_distance_is_the_fid(weights: Path) -> None:
    assert (load(weights).score_name, load(weights).suffix) == ("FID", "")


class Bomb:
    """Unpickled without restrictions, this makes a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("archive", [True, False])
def test_a_bomb_is_refused_and_does_not_go_off(archive: bool, tmp_path: Path) -> None:
    marker, file = tmp_path / "boom", tmp_path / "bomb.pth"
    if archive:
        torch.save({"fc.bias": Bomb(marker)}, file)
    else:
        file.write_bytes(pickle.dumps(Bomb(marker), protocol=2))
    with pytest.raises(UserError, match="not a published one"):
        make_extractor("inception", CPU, Options(weights=file))
    content = file.read_bytes()
    with pytest.raises(UserError, match="does not hold"):
        inception.build(content, {sha256(content).hexdigest(): "here"})
    assert not marker.exists()


def test_other_weights_are_refused(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match="SHA-256 is .* 6726825d.* nor 7ff4a85c"):
        make_extractor("inception", CPU, Options(weights=weights))
    monkeypatch.setenv("GANLIB_INCEPTION", str(weights))
    with pytest.raises(UserError, match="SHA-256 is .* 6726825d.* nor 7ff4a85c"):
        make_extractor("inception", CPU)
    cut = weights.read_bytes()[: 10**6]
    with pytest.raises(UserError, match="does not hold"):
        inception.build(cut, {sha256(cut).hexdigest(): "here"})
    with pytest.raises(UserError, match="cannot be read"):
        make_extractor("inception", CPU, Options(weights=tmp_path / "none.pth"))


@pytest.fixture
def unpackaged(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the package with the weights were not installed."""
    monkeypatch.setattr(inception, "PACKAGE", "ganlib-no-such-package")


@pytest.mark.usefixtures("unpackaged")
def test_a_failed_download_says_what_to_do(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(url: str, timeout: float) -> None:
        raise urllib.error.URLError("no route")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    with pytest.raises(UserError, match="no route") as error:
        make_extractor("inception", CPU)
    for word in (
        "https://github.com/toshas",
        "pip install ganlib[fid]",
        str(cache),
        "GANLIB_INCEPTION",
        *TRAINED.values(),
    ):
        assert word in str(error.value)


@pytest.mark.usefixtures("unpackaged")
def test_a_wrong_download_is_not_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(urllib.request, "urlopen", lambda url, timeout: io.BytesIO(b"login page"))
    with pytest.raises(UserError, match="not the published file"):
        make_extractor("inception", CPU)
    assert not list(cache.glob("*.pth"))


@pytest.mark.usefixtures("unpackaged")
def test_a_download_is_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inception, "SHA256", sha256(b"weights").hexdigest())
    monkeypatch.setattr(urllib.request, "urlopen", lambda url, timeout: io.BytesIO(b"weights"))
    path = inception.find_weights(None)
    monkeypatch.delattr(urllib.request, "urlopen")
    assert inception.find_weights(None) == path and path.read_bytes() == b"weights"
