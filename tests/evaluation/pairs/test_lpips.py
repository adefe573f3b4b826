"""evaluation/pairs/lpips.py: LPIPS against its definition, with random weights of AlexNet."""

import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
import torchmetrics
from torch import Tensor
from torchvision.models import alexnet, vgg16

from ganlib.common.errors import UserError
from ganlib.evaluation.pairs.lpips import lpips

LINEAR = Path(torchmetrics.__file__).parent / "functional/image/lpips_models"
BEHIND = {"vgg": (1, 3, 6, 9, 12)}
"""The ReLUs whose activations are compared, by their numbers among them, where not all are."""


def features() -> torch.nn.Sequential:
    torch.manual_seed(0)
    found: torch.nn.Sequential = alexnet(weights=None).features.requires_grad_(False)
    return found


def by_definition(
    network: torch.nn.Sequential, x: Tensor, y: Tensor, net: str = "alex"
) -> list[float]:
    """Zhang et al. 2018, equation 1, with the scaling of their code."""
    shift = torch.tensor([-0.030, -0.088, -0.188])[:, None, None]
    scale = torch.tensor([0.458, 0.448, 0.450])[:, None, None]
    x, y = ((t.float() / 127.5 - 1 - shift) / scale for t in (x, y))
    weights, k = torch.load(LINEAR / f"{net}.pth", "cpu", weights_only=True), 0
    total, relus = torch.zeros(len(x)), -1
    for layer in network:
        x, y = layer(x), layer(y)
        relus += isinstance(layer, torch.nn.ReLU)
        if isinstance(layer, torch.nn.ReLU) and relus in BEHIND.get(net, range(5)):
            a, b = (F.normalize(t, dim=1, eps=1e-10) for t in (x, y))
            w = weights[f"lin{k}.model.1.weight"]
            total += ((a - b).square() * w[0]).sum(1).mean((1, 2))
            k += 1
    assert k == 5
    return total.tolist()


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "alexnet.pth"
    torch.save({f"features.{name}": t for name, t in features().state_dict().items()}, path)
    return path


def test_it_is_the_papers_distance(weights: Path) -> None:
    random = torch.Generator().manual_seed(1)
    x, y = (
        torch.randint(256, (3, 3, 64, 80), dtype=torch.uint8, generator=random) for _ in range(2)
    )
    measure = lpips(weights)
    found = measure.compute(x, y)
    assert found.dtype == torch.float64
    assert found.tolist() == pytest.approx(by_definition(features(), x, y), rel=1e-4)
    assert not measure.compute(x, x).any()
    assert measure.by.extractor == "alexnet" and len(measure.by.extractor_digest) == 64


def test_grey_and_small_images_are_brought_to_what_it_takes(weights: Path) -> None:
    random = torch.Generator().manual_seed(1)
    x, y = (torch.randint(256, (2, 1, 28, 28), dtype=torch.uint8, generator=random) for _ in "ab")
    found = lpips(weights).compute(x, y)
    large = [
        F.interpolate(t.float().expand(-1, 3, -1, -1), (64, 64), mode="bilinear") for t in (x, y)
    ]
    assert found.tolist() == pytest.approx(by_definition(features(), *large), rel=1e-4)


def test_files_that_hold_no_such_weights(tmp_path: Path) -> None:
    other = tmp_path / "other.pth"
    torch.save({"features.0.weight": torch.zeros(64, 3, 11, 11)}, other)
    for content in (None, b"nothing", b"root:x:0:0:root:/root:/bin/bash\n"):
        if content is not None:
            other.write_bytes(content)
        with pytest.raises(UserError, match="holds no weights of AlexNet"):
            lpips(other)
    with pytest.raises(UserError, match="missing"):
        lpips(tmp_path / "missing.pth")


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "torchmetrics.functional.image.lpips", None)
    (tmp_path / "alexnet.pth").write_bytes(b"")
    with pytest.raises(UserError, match=r"needs the package torchmetrics: run `pip install ganl"):
        lpips(tmp_path / "alexnet.pth")


@pytest.mark.slow
def test_another_file_is_another_network(tmp_path: Path) -> None:
    """VGG16's, of images in 0..255 that are not rounded."""
    torch.manual_seed(0)
    network = vgg16(weights=None).features.requires_grad_(False)
    torch.save(
        {f"features.{name}": t for name, t in network.state_dict().items()}, tmp_path / "vgg.pth"
    )
    for layer in network:
        if isinstance(layer, torch.nn.ReLU):
            layer.inplace = False
    x, y = 255 * torch.rand(2, 2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    measure = lpips(tmp_path / "vgg.pth")
    assert measure.by.extractor == "vgg16"
    assert measure.compute(x, y).tolist() == pytest.approx(
        by_definition(network, x, y, "vgg"), rel=1e-3
    )
