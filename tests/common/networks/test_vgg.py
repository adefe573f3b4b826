"""VGG19's activations against torchvision's layers run one by one, and against plain functions."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from vgg_weights import write_vgg

from ganlib.common.errors import UserError
from ganlib.common.networks.vgg import FILE, URL, VGG19

ALL = ["relu1_1", "relu2_1", "relu2_2", "relu3_1", "relu4_1", "relu5_1", "relu5_4"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Tensor]]:
    """A file with random weights of all convolutions, and what is in it."""
    path = tmp_path_factory.mktemp("vgg") / "vgg19.pth"
    return path, write_vgg(path, 16)


def test_the_names_are_those_of_torchvisions_layers(whole: tuple[Path, dict[str, Tensor]]) -> None:
    """relu2_2 is what goes into the second pooling, relu5_4 what goes into the fifth, relu_i_1
    the first one behind pooling i - 1.
    """
    from torchvision.models import vgg19

    path, weights = whole
    with torch.device("meta"):
        model = vgg19(weights=None)
    layers = model.features.to_empty(device="cpu")
    layers.load_state_dict({k.removeprefix("features."): v for k, v in weights.items()})
    x = torch.rand(1, 3, 32, 32) * 2 - 1
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    h = ((x + 1) / 2 - mean[:, None, None]) / std[:, None, None]
    expected, block, first = {}, 1, True
    with torch.no_grad():
        for layer in layers:
            before, h = h, layer(h.clone())
            if isinstance(layer, nn.MaxPool2d):
                expected[f"relu{block}_{4 if block > 2 else 2}"] = before
                block, first = block + 1, True
            if isinstance(layer, nn.ReLU) and first:
                expected[f"relu{block}_1"], first = h, False
        found = VGG19(ALL, path)(x)
    assert block == 6 and list(found) == ALL
    for name, activation in found.items():
        torch.testing.assert_close(activation, expected[name])
    assert found["relu5_4"].shape == (1, 512, 2, 2)


def test_the_first_layers_by_hand(whole: tuple[Path, dict[str, Tensor]]) -> None:
    path, weights = whole
    w = [(weights[f"features.{k}.weight"], weights[f"features.{k}.bias"]) for k in (0, 2, 5, 7)]
    x = torch.rand(2, 3, 8, 8) * 2 - 1
    means, stds = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    channels = [(x[:, c] / 2 + 0.5 - means[c]) / stds[c] for c in range(3)]
    h = torch.stack(channels, 1)
    h = F.conv2d(F.conv2d(h, *w[0], padding=1).relu(), *w[1], padding=1).relu()
    h = h.unflatten(2, (4, 2)).unflatten(4, (4, 2)).amax((3, 5))
    h = F.conv2d(F.conv2d(h, *w[2], padding=1).relu(), *w[3], padding=1).relu()
    network = VGG19(["relu2_2"], path)
    assert len(network.features) == 9
    torch.testing.assert_close(network(x)["relu2_2"], h)


def test_the_file_is_torchvisions() -> None:
    from torchvision.models import VGG19_Weights

    assert VGG19_Weights.IMAGENET1K_V1.url == URL and FILE == "vgg19-dcbb9e9d.pth"


def test_grey_images_are_three_equal_channels(whole: tuple[Path, dict[str, Tensor]]) -> None:
    network, x = VGG19(["relu1_2"], whole[0]), torch.rand(2, 1, 8, 8) * 2 - 1
    grey, colour = network(x)["relu1_2"], network(x.repeat(1, 3, 1, 1))["relu1_2"]
    assert torch.equal(grey, colour)


def test_what_goes_into_a_relu_is_kept_for_gradients(
    whole: tuple[Path, dict[str, Tensor]],
) -> None:
    network = VGG19(["relu1_1", "relu2_1"], whole[0])
    x = torch.rand(1, 3, 8, 8, requires_grad=True)
    loss = sum((h.square().sum() for h in network(x).values()), torch.zeros(()))
    (slope,) = torch.autograd.grad(loss, x)
    assert slope.isfinite().all() and slope.any()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "There is no file .*vgg.pth of VGG19's weights: give torchvision's vgg19-dcbb9e9d"),
        (b"no weights", "vgg.pth is damaged, or does not hold the weights of VGG19"),
        ({"features.0.weight": torch.zeros(64, 3, 3, 3)}, "does not hold the weights of VGG19"),
        ({"weight": torch.zeros(1)}, "does not hold the weights of VGG19"),
        ([torch.zeros(1)], "does not hold the weights of VGG19"),
        ("narrow", "does not hold the weights of VGG19"),
        ("code", "vgg.pth is damaged, or does not"),
    ],
)
def test_a_wrong_file_is_a_sentence(content: Any, words: str, tmp_path: Path) -> None:
    path = tmp_path / "vgg.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content == "narrow":
        torch.save({k: t[:1] for k, t in write_vgg(path, 1).items()}, path)
    elif content == "code":
        torch.save(nn.Linear(1, 1), path)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(UserError, match=words):
        VGG19(["relu1_1"], path)


def test_half_a_file_is_damaged(whole: tuple[Path, dict[str, Tensor]], tmp_path: Path) -> None:
    part = tmp_path / "part.pth"
    with whole[0].open("rb") as file:
        part.write_bytes(file.read(10**6))
    with pytest.raises(UserError, match=r"part.pth is damaged"):
        VGG19(["relu1_1"], part)
