"""The projection discriminator: the authors' sizes, the losses, and the labels that are drawn."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from parameters import count
from torch import Tensor, nn

from ganlib.common.data import DataSet, DataSpec
from ganlib.common.layers.conditional import ClassBatchNorm2d
from ganlib.common.layers.spectral_norm import SNConv2d, SNEmbedding, SNLinear
from ganlib.registry import algorithms

Make = Callable[..., Any]
ALGORITHM = algorithms["sngan_projection"]
SIDES = {"cifar10": 32, "imagenet64": 64, "imagenet128": 128, "imagenet128_concat": 128}
SIDES |= {"quick": 32, "mlp": 32}


def build(architecture: str, image: tuple[int, int, int], n_classes: int = 10, width: float = 1.0):
    torch.manual_seed(0)
    config = ALGORITHM.config(architecture=architecture, width=width)
    networks = ALGORITHM.build(config, DataSpec(image, image, n_classes=n_classes))
    assert list(networks) == ["gen", "dis"]
    return networks.values()


def some(n: int, n_classes: int) -> Tensor:
    return torch.arange(n) % n_classes


@pytest.mark.parametrize(
    ("architecture", "n_classes", "gen_count", "dis_count"),
    [
        ("cifar10", 10, 4_304_387, 1_055_104),
        ("imagenet64", 1000, 17_974_915, 11_165_441),
        ("imagenet128", 1000, 41_996_931, 30_041_857),
    ],
)
def test_the_authors_sizes(
    architecture: str, n_classes: int, gen_count: int, dis_count: int
) -> None:
    side = SIDES[architecture]
    with torch.device("meta"):
        gen, dis = build(architecture, (3, side, side), n_classes)
        y = some(2, n_classes)
        images = gen(gen.make_hidden(2), y)
        assert images.shape == (2, 3, side, side) and dis(images, y).shape == (2, 1)
    assert (count(gen), count(dis)) == (gen_count, dis_count)
    assert (gen.n_hidden, gen.latent) == (128, "normal")


def test_the_concat_discriminator_by_hand() -> None:
    """A block is two 3x3 with the first's channels between them, and a 1x1 if the size changes."""

    def block(a: int, b: int, between: int, shortcut: bool) -> int:
        return 9 * (a * between + between * b) + between + b + shortcut * (a * b + b)

    with torch.device("meta"):
        gen, dis = build("imagenet128_concat", (3, 128, 128), 1000)
        y = some(2, 1000)
        assert dis(gen(gen.make_hidden(2), y), y).shape == (2, 1)
    assert count(gen) == 41_996_931
    first = block(3, 64, 64, True) + block(64, 128, 64, True) + block(128, 256, 128, True)
    second = block(384, 512, 384, True) + block(512, 1024, 512, True)
    last = block(1024, 1024, 1024, False)
    assert count(dis) == first + 1000 * 128 + second + last + 1025


@pytest.mark.parametrize("architecture", SIDES)
@pytest.mark.parametrize("channels", [1, 3])
def test_other_channels_and_widths(architecture: str, channels: int) -> None:
    side = SIDES[architecture]
    for width in (0.05, 1e-6):
        gen, dis = build(architecture, (channels, side, side), 7, width)
        y = some(3, 7)
        x = gen(gen.make_hidden(3), y)
        assert x.shape == (3, channels, side, side) and dis(x, y).shape == (3, 1)
        assert x.std() > 0 or width < 0.05
        assert x.abs().max() <= 1 or architecture == "mlp"


@pytest.mark.parametrize("architecture", SIDES)
def test_every_parameter_has_a_gradient_and_biases_start_at_zero(architecture: str) -> None:
    side = SIDES[architecture]
    gen, dis = build(architecture, (1, side, side), 3, 0.05)
    y = some(3, 3)
    logits = dis(gen(gen.make_hidden(3), y), y)
    for net in (gen, dis):
        gradients = torch.autograd.grad(logits.sum(), list(net.parameters()), retain_graph=True)
        assert all(g.isfinite().all() for g in gradients)
        assert not any(p.any() for name, p in net.named_parameters() if name.endswith("bias"))


@pytest.mark.parametrize("architecture", SIDES)
def test_all_of_the_discriminator_is_normalised(architecture: str) -> None:
    side = SIDES[architecture]
    _, dis = build(architecture, (3, side, side), width=0.05)
    layers = [m for m in dis.modules() if isinstance(m, nn.Linear | nn.Conv2d | nn.Embedding)]
    assert layers and all(isinstance(m, SNConv2d | SNLinear | SNEmbedding) for m in layers)
    assert sum(isinstance(m, SNEmbedding) for m in layers) == 1


def test_the_generator_is_told_in_its_blocks() -> None:
    gen, _ = build("cifar10", (3, 32, 32), width=0.05)
    norms = [m for m in gen.modules() if isinstance(m, ClassBatchNorm2d)]
    plain = [m for m in gen.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == 6 and len(plain) == 7  # the last one is of no class


@pytest.mark.parametrize("architecture", ["cifar10", "mlp"])
def test_classes_in_parts_are_their_numbers(architecture: str) -> None:
    gen, dis = build(architecture, (1, 16, 16), 4, 0.05)
    z, y = gen.eval().make_hidden(5), some(5, 4)
    parts = nn.functional.one_hot(y, 4).float()
    x = gen(z, y)
    torch.testing.assert_close(gen(z, parts), x)
    torch.testing.assert_close(dis.eval()(x, parts), dis(x, y))


def test_sizes_of_images() -> None:
    sizes = {name: ALGORITHM.config(architecture=name).image_size(28, 28)[0] for name in SIDES}
    assert sizes == SIDES


# --- Training


def test_the_losses_by_hand(make_updater: Make) -> None:
    updater = make_updater("sngan_projection", dtype=torch.float64, batch_size=6)
    updater.dis.eval()
    x, fake = torch.rand(2, 6, 1, 32, 32, dtype=torch.float64)
    y, y_fake = torch.tensor([[0, 1, 2, 2, 1, 0], [2, 2, 0, 1, 1, 0]])
    loss, d_real = updater.loss_dis(x, y, fake, y_fake)
    real, gone = updater.dis(x, y), updater.dis(fake, y_fake)
    assert torch.equal(d_real, real) and not torch.allclose(updater.dis(x, y_fake), real)
    hinges = [max(0.0, 1 - d) for d in real[:, 0].tolist()]
    hinges += [max(0.0, 1 + d) for d in gone[:, 0].tolist()]
    assert loss.item() == pytest.approx(sum(hinges) / 6)
    z = updater.hidden(6)
    wanted = -updater.dis(updater.gen(z, y_fake), y_fake).mean()
    torch.testing.assert_close(updater.loss_gen(z, y_fake), wanted)


def test_both_networks_are_told_the_same_class(
    make_updater: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real images their own, generated ones that of their making; G's batch is twice as large."""
    updater = make_updater("sngan_projection", n_dis=2)
    told: list[tuple[str, Tensor]] = []
    for name in ("gen", "dis"):
        getattr(updater, name).register_forward_pre_hook(
            lambda _, inputs, name=name: told.append((name, inputs[1]))
        )
    batches: list[Tensor] = []
    original = type(updater.data).__next__

    def note(loader: Any) -> Any:
        batch = original(loader)
        batches.append(batch.y)
        return batch

    monkeypatch.setattr(type(updater.data), "__next__", note)
    updater.update()
    names = [name for name, _ in told]
    assert names == ["gen", "dis", "dis", "gen", "dis", "dis", "gen", "dis"]
    y = [labels for _, labels in told]
    for k in (0, 3):
        assert torch.equal(y[k + 1], batches[k // 3]) and torch.equal(y[k + 2], y[k])
    assert torch.equal(y[7], y[6]) and len(y[6]) == 2 * len(y[0]) == 8


def test_all_classes_are_drawn_alike_whatever_their_part_of_the_data(make_updater: Make) -> None:
    y = torch.tensor([0] * 28 + [1] * 3 + [2])
    data = DataSet("uneven", torch.zeros(32, 1, 16, 16, dtype=torch.uint8), y, classes=tuple("abc"))
    updater = make_updater("sngan_projection", data=data)
    n = 30_000
    drawn = updater.uniform_labels(n)
    assert drawn.dtype == torch.int64 and drawn.shape == (n,)
    parts = drawn.bincount(minlength=3) / n
    torch.testing.assert_close(parts, torch.full((3,), 1 / 3), atol=0.012, rtol=0)
    assert updater.labels(n).bincount(minlength=3)[0] / n > 0.8  # as the data are


def test_the_largest_random_number_is_the_last_class(
    make_updater: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    updater = make_updater("sngan_projection")
    largest = torch.nextafter(torch.tensor(1.0), torch.tensor(0.0))
    monkeypatch.setattr(updater, "uniform", lambda n: torch.stack([largest, torch.zeros(())]))
    for n in (2, 3, 10, 101, 1000, 21_841):
        updater.spec = replace(updater.spec, n_classes=n)
        assert updater.uniform_labels(2).tolist() == [n - 1, 0]
