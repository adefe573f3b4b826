"""pix2pix: the paper's networks and losses, its order of steps, its noise, and aligned pairs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from parameters import count
from PIL import Image
from straight_run import steps_of
from torch import nn

import ganlib
from ganlib.common.data import DataSet, DataSpec, Loader, fit_spec
from ganlib.common.errors import UserError
from ganlib.common.layers.basic import Dropout, masks_by
from ganlib.contract.fixtures import small_updater
from ganlib.registry import algorithms
from ganlib.speed import bench
from ganlib.training.snapshot import newest_snapshot

ALGORITHM = algorithms["pix2pix"]


def spec_of(height: int, width: int, channels: int = 3, **more: Any) -> DataSpec:
    image = (channels, height, width)
    return DataSpec(image, image, **{"source": image, **more})


def build(spec: DataSpec, **settings: Any) -> Any:
    return ALGORITHM.build(ALGORITHM.config(**settings), spec)


def generator(spec: DataSpec, **settings: Any) -> Any:
    """A narrow one in evaluation mode, whose output depends on all of its source."""
    torch.manual_seed(0)
    gen: Any = build(spec, width=0.1, **settings)["gen"]
    with torch.no_grad():
        for p in gen.parameters():
            if p.dim() == 4:
                p.mul_(8)  # at 0.02 nearly nothing of a narrow network's source comes through
    return gen.eval()


def small(**settings: Any) -> Any:
    return small_updater("pix2pix", 3, 32, **{"jitter": 0, **settings})


# --- Networks


@pytest.mark.parametrize(
    ("architecture", "gen_count"), [("unet", 54_413_955), ("encoder_decoder", 39_075_459)]
)
def test_the_papers_networks(architecture: str, gen_count: int) -> None:
    """The PyTorch code's; without skips each doubling but the first has half as many inputs."""
    with torch.device("meta"):
        networks = build(spec_of(256, 256), architecture=architecture)
        gen, dis = networks["gen"], networks["dis"]
        y = torch.zeros(2, 3, 256, 256)
        x = gen(gen.make_hidden(2), y)
        assert x.shape == y.shape and dis(x, y).shape == (2, 1, 30, 30)
        of_pixels = build(spec_of(256, 256), n_layers=0)["dis"]
    assert (count(gen), count(dis)) == (gen_count, 2_768_705)
    assert count(of_pixels) == 9_024 + 1  # the PyTorch code has no bias behind the norm
    brought = [*[(512, 512)] * 3, (512, 256), (256, 128), (128, 64), (64, 3)]
    assert 54_413_955 - 39_075_459 == 16 * sum(n_in * n_out for n_in, n_out in brought)


@pytest.mark.parametrize(
    ("architecture", "side", "counts"),
    [
        ("unet", 128, (41_828_995, 2_768_705)),
        ("quick", 32, (1_043_619, 176_081)),
        ("quick", 64, (1_830_563, 176_081)),
    ],
)
def test_the_sizes_in_the_readme(architecture: str, side: int, counts: tuple[int, int]) -> None:
    with torch.device("meta"):
        networks = build(spec_of(side, side), architecture=architecture)
    assert (count(networks["gen"]), count(networks["dis"])) == counts


def test_the_layers_of_256_pixels() -> None:
    with torch.device("meta"):
        gen = build(spec_of(256, 256))["gen"]
    convs = [m for m in gen.modules() if isinstance(m, nn.Conv2d)]
    deconvs = [m for m in gen.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert [m.out_channels for m in convs] == [64, 128, 256] + [512] * 5
    assert [m.in_channels for m in deconvs] == [512] + [1024] * 4 + [512, 256, 128]
    assert [m.out_channels for m in deconvs] == [512] * 4 + [256, 128, 64, 3]
    assert [m.bias is not None for m in (*convs, *deconvs)] == [False] * 15 + [True]
    norms = [[isinstance(m, nn.BatchNorm2d) for m in up.modules()] for up in (*gen.downs, *gen.ups)]
    assert [any(layer) for layer in norms] == [0, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 0]


def test_weights_start_as_the_authors() -> None:
    torch.manual_seed(0)
    for network in build(spec_of(64, 64), width=0.5).values():
        for m in network.modules():
            if isinstance(m, nn.Conv2d | nn.ConvTranspose2d) and m.weight.numel() > 10_000:
                assert float(m.weight.detach().std()) == pytest.approx(0.02, rel=0.05)
        gains = torch.cat(
            [m.weight.detach() for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
        )
        assert float(gains.mean()) == pytest.approx(1, abs=0.005)
        assert float(gains.std()) == pytest.approx(0.02, rel=0.2)


@pytest.mark.parametrize(("downs", "noisy"), [(1, 0), (2, 1), (3, 2), (4, 3), (5, 3), (8, 3)])
def test_the_noise_is_in_the_three_layers_after_the_bottleneck(downs: int, noisy: int) -> None:
    with torch.device("meta"):
        gen = build(spec_of(256, 256), downs=downs)["gen"]
    has = [any(isinstance(m, Dropout) and m.p == 0.5 for m in up) for up in gen.ups]
    assert has == [True] * noisy + [False] * (downs - noisy)


def test_a_u_net_of_other_halvings_and_sizes() -> None:
    """Sides need not be powers of two, nor equal; one that does not divide is a sentence."""
    gen = generator(spec_of(96, 160), downs=5)
    assert gen.multiple == 32
    for height, width in ((96, 160), (32, 64), (224, 32)):
        y = torch.rand(1, 3, height, width)
        with torch.no_grad():
            assert gen(gen.make_hidden(1), y).shape == y.shape
    words = "A source of 100x96 pixels cannot be translated: sides that are multiples of 32 can"
    with pytest.raises(UserError, match=f"^{words}, such as 128x96.$"):
        gen(gen.make_hidden(1), torch.rand(1, 3, 96, 100))


@pytest.mark.parametrize(
    ("settings", "size", "wanted"),
    [
        ({}, (256, 256), (256, 256)),
        ({}, (28, 28), (32, 32)),
        ({}, (64, 64), (64, 64)),
        ({}, (96, 160), (128, 256)),
        ({}, (300, 600), (512, 768)),
        ({"downs": 5}, (96, 160), (96, 160)),
        ({"downs": 5}, (100, 160), (128, 160)),
        ({"downs": 2}, (30, 30), (32, 32)),
    ],
)
def test_images_are_brought_to_multiples(
    settings: dict[str, int], size: tuple[int, int], wanted: tuple[int, int]
) -> None:
    config: Any = ALGORITHM.config(**settings)
    assert config.image_size(*size) == wanted
    with torch.device("meta"):
        gen: Any = build(spec_of(*wanted), **settings)["gen"]
    assert all(side % gen.multiple == 0 for side in wanted)


def test_skips_bring_a_source_past_the_bottleneck() -> None:
    """With all else silenced the U-Net's output still follows from the source, pixel by pixel; the
    encoder-decoder's does not.
    """
    spec = spec_of(32, 32)
    with_skips, without = (generator(spec, architecture=a) for a in ("unet", "encoder_decoder"))
    y, z = torch.rand(2, 3, 32, 32), torch.empty(2, 0)
    for gen in (with_skips, without):
        with torch.no_grad():
            gen.downs[-1][1].weight.zero_()
    assert torch.equal(without(z, y)[0], without(z, y)[1])
    x = with_skips(z, y.requires_grad_())
    (slope,) = torch.autograd.grad(x[0, 0, 16, 16], y)
    assert slope[0].abs().max() > 0 and not slope[1].any()


def test_a_skip_is_beside_what_was_made_of_the_smaller_ones() -> None:
    """Each doubling sees the halving of its size: first its own size's, then the bottleneck's."""
    gen, seen = generator(spec_of(32, 32), downs=3), []
    for layer in (*gen.downs, *gen.ups):
        layer.register_forward_hook(lambda layer, inputs, output: seen.append((inputs[0], output)))
    with torch.no_grad():
        gen(torch.empty(1, 0), torch.rand(1, 3, 32, 32))
    (_, d1), (_, d2), (_, d3), (in1, u1), (in2, u2), (in3, _) = seen
    assert torch.equal(in1, d3)
    assert torch.equal(in2, torch.cat([d2, u1], 1)) and torch.equal(in3, torch.cat([d1, u2], 1))


def test_pairs_that_do_not_fit_are_a_sentence() -> None:
    with pytest.raises(UserError, match="as large as their sources, and these are 32x32 and 8x8"):
        build(spec_of(32, 32, source=(3, 8, 8)))
    with pytest.raises(UserError, match="3 layers needs images of 24 pixels at least, .* 16x16"):
        build(spec_of(16, 16))
    dis = build(spec_of(16, 16), n_layers=2, width=0.05)["dis"]
    x = torch.rand(2, 3, 16, 16)
    assert dis(x, x).shape == (2, 1, 2, 2)


@pytest.mark.parametrize("n_layers", range(6))
def test_every_discriminator_takes_the_smallest_images_that_it_allows(n_layers: int) -> None:
    side = 3 << n_layers if n_layers else 1
    spec = spec_of(side + side % 2, side + side % 2)
    with torch.device("meta"):
        dis = build(spec, n_layers=n_layers, width=0.05, downs=1)["dis"]
        x = torch.zeros(2, *spec.image)
        assert min(dis(x, x).shape) >= 1
    with pytest.raises(UserError, match="n_layers is 6"):
        ganlib.train(algorithm="pix2pix", n_layers=6)


def test_the_discriminator_sees_pairs_unless_it_is_not_to() -> None:
    x, y = torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32)
    spec = spec_of(32, 32)
    told, alone = (build(spec, width=0.1, conditional=c)["dis"].eval() for c in (True, False))
    with torch.no_grad():
        assert not torch.equal(told(x, y), told(x, y.flip(0)))
        assert torch.equal(alone(x, y), alone(x, y.flip(0)))
        assert not torch.equal(alone(x, y), alone(x.flip(0), y))


# --- Losses and steps


def test_the_losses_by_hand() -> None:
    """NumPy's logarithms of sigmoids, means over patches and pixels."""
    updater = small()
    torch.manual_seed(0)
    x_real, x_fake, y = torch.randn(3, 4, 3, 32, 32)
    found, y_real = updater.loss_dis(x_real, x_fake, y)
    logits = [updater.dis(x, y).detach().double().numpy() for x in (x_real, x_fake)]
    real, fake = (1 / (1 + np.exp(-t)) for t in logits)
    assert real.shape == (4, 1, 2, 2) and np.allclose(y_real.detach(), logits[0])
    expected = -(np.log(real).mean() + np.log(1 - fake).mean()) / 2
    assert float(found.detach()) == pytest.approx(expected, rel=1e-5)

    gan, l1 = updater.loss_gen(x_real, x_fake, y)
    assert float(gan.detach()) == pytest.approx(-np.log(fake).mean(), rel=1e-5)
    assert float(l1) == pytest.approx(np.abs((x_real - x_fake).numpy()).mean(), rel=1e-5)


@pytest.mark.parametrize(("lam", "lam_gan"), [(100, 1), (0, 1), (100, 0), (10, 0.5)])
def test_the_weights_of_both_terms(lam: float, lam_gan: float) -> None:
    updater = small(lam=lam, lam_gan=lam_gan)
    taken = steps_of(updater)
    values = {name: float(value) for name, value in updater.update().items()}
    assert taken["dis"] == values["loss_dis"]
    expected = lam_gan * values["loss_gen"] + lam * values["loss_l1"]
    assert taken["gen"] == pytest.approx(expected, rel=1e-5)


def test_the_discriminator_steps_first_and_the_generator_meets_the_new_one() -> None:
    """By hand: Adam's steps on the same losses in the PyTorch code's order; without dropout, whose
    masks would not be the same.
    """
    updater, other = small(), small()
    for layer in (*updater.modules(), *other.modules()):
        if isinstance(layer, Dropout):
            layer.p = 0.0
    gen, dis = other.gen, other.dis
    adams = {
        name: torch.optim.Adam(network.parameters(), 2e-4, (0.5, 0.999))
        for name, network in (("gen", gen), ("dis", dis))
    }
    softplus = nn.functional.softplus
    values = updater.update()
    x_real, y = next(other.data)
    x_fake = gen(torch.empty(4, 0), y)
    old = softplus(-dis(x_fake, y)).mean()
    loss = (softplus(-dis(x_real, y)).mean() + softplus(dis(x_fake.detach(), y)).mean()) / 2
    dis.zero_grad()
    loss.backward()
    adams["dis"].step()
    new = softplus(-dis(x_fake, y)).mean()
    gen.zero_grad()
    (new + 100 * (x_fake - x_real).abs().mean()).backward()
    adams["gen"].step()
    assert float(values["loss_dis"]) == pytest.approx(float(loss.detach()), rel=1e-4)
    assert float(values["loss_gen"]) == pytest.approx(float(new.detach()), rel=1e-4)
    assert abs(float(new.detach() - old.detach())) > 1e-3
    for mine, theirs in zip(updater.gen.parameters(), gen.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-5)


def test_the_learning_rate_falls_in_the_second_half() -> None:
    updater = small(max_iter=200)
    rates = [updater.schedule(k)["lr"] for k in (0, 99, 100, 150, 200)]
    assert rates == pytest.approx([1, 1, 1, 0.5, 0])


# --- Noise


def test_dropout_is_the_noise() -> None:
    """Of one source a seed has one image and two seeds two, alone or in a batch."""
    updater = small(statistics="running", batch_size=2)
    for _ in range(3):
        updater.update()
    y = updater.data.condition_at(torch.zeros(4, dtype=torch.int64))
    first, same, other = (next(updater.sample(4, seed, y=y)) for seed in (1, 1, 2))
    assert torch.equal(first, same) and not torch.equal(first, other)
    assert all(not torch.equal(first[0], image) for image in first[1:])
    alone = updater.sample_stream(1).with_condition(y).images([2])
    torch.testing.assert_close(alone[0], first[2], rtol=1e-4, atol=1e-5)


def test_a_generator_without_its_noise_has_one_image() -> None:
    gen = generator(spec_of(32, 32))
    y, z = torch.rand(1, 3, 32, 32), torch.empty(1, 0)
    with torch.no_grad():
        assert torch.equal(gen(z, y), gen(z, y))
        with masks_by(gen, [3]):
            noisy = gen(z, y)
        assert not torch.equal(gen(z, y), noisy)


def test_samples_are_normalised_by_their_own_statistics() -> None:
    """The paper's: running averages play no part."""
    updater = small(batch_size=1)
    updater.update()
    before = next(updater.sample(2, seed=0))
    for m in updater.gen.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.running_mean.fill_(5)
    assert torch.equal(before, next(updater.sample(2, seed=0)))


# --- Data


def checkerboards(n: int = 8, side: int = 32) -> DataSet:
    """Pairs whose source is the image."""
    squares = (torch.arange(side)[:, None] // 4 + torch.arange(side) // 4) % 2
    x = (255 * squares.to(torch.uint8)).expand(n, 1, side, side).contiguous()
    return DataSet("checkerboards", x, source=x.clone())


@pytest.mark.parametrize("flip", [False, True])
def test_jitter_keeps_pairs_together(flip: bool) -> None:
    data = checkerboards()
    spec = fit_spec(data, (32, 32))
    make = {"condition": "images", "jitter": 6, "flip": flip}
    loader, again, other = (Loader(data, spec, 4, seed, **make) for seed in (0, 0, 1))
    batches = [next(loader) for _ in range(3)]
    assert all(torch.equal(x, y) for x, y in batches)
    assert not torch.equal(batches[0].x, batches[1].x)
    again.position = 4
    assert torch.equal(next(again).x, batches[1].x)
    assert not torch.equal(next(other).x, batches[0].x)


def test_maps_of_classes_are_planes_in_both_networks() -> None:
    spec = spec_of(32, 32, n_classes=5, source=(2, 32, 32), source_kind="ids")
    networks = build(spec, width=0.1)
    assert networks["gen"].downs[0].in_channels == 5
    assert networks["dis"].patches.layers[0].in_channels == 5 + 3
    ids = torch.randint(5, (2, 2, 32, 32), dtype=torch.int32)
    x = networks["gen"](torch.empty(2, 0), ids)
    assert x.shape == (2, 3, 32, 32) and networks["dis"](x, ids).shape == (2, 1, 2, 2)


SMALL: dict[str, Any] = {
    "algorithm": "pix2pix",
    "width": 0.05,
    "batch_size": 4,
    "gpu": -1,
    "evaluation_interval": 0,
    "sample_interval": 0,
    "workers": 0,
    "tensorboard": False,
    "max_iter": 2,
}


def test_data_without_sources_are_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="has none: say by source= what it starts from"):
        ganlib.train(**SMALL, dataset="fashion_mnist")
    with pytest.raises(UserError, match="as large as their sources"):
        ganlib.train(**SMALL, dataset="fashion_mnist", source="low-resolution:4", jitter=0)


@pytest.mark.parametrize(
    "settings",
    [
        {"dataset": "emoji", "source": "edges", "diffaugment": "color,translation"},
        {"dataset": "wardrobe", "diffaugment": "translation", "precision": "bf16"},
    ],
)
def test_data_of_the_library(
    settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Maps, pictures, and both moved by augmentation."""
    monkeypatch.chdir(tmp_path)
    model = ganlib.train(**SMALL, **settings)
    assert model.spec.image == (3, 64, 64) and model.sample(2).shape == (2, 3, 64, 64)


def test_maps_of_files_know_no_instances(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of before that was asked goes on: its networks are shown none."""
    monkeypatch.chdir(tmp_path)
    for i in range(4):
        for folder in ("photos", "maps"):
            Path(folder).mkdir(exist_ok=True)
            Image.new("L", (16, 16), 2 * i).save(f"{folder}/{i}.png")
    given: dict[str, Any] = {"dataset": "photos", "source": "label-maps:maps", "lr_decay": "none"}
    given |= {"jitter": 0, "n_layers": 1}
    model = ganlib.train(**SMALL, **given, out="run")
    assert model.spec.instances is False
    path = newest_snapshot(model.out)
    content = torch.load(path, weights_only=True)
    del content["spec"]["instances"]
    torch.save(content, path)
    on = ganlib.train(**{**SMALL, "max_iter": 3}, **given, out="run", resume="run")
    assert on.updater.iteration == 3


def test_pictures_that_are_not_square(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Padded to the next multiples of 8, and back; a translator of files is told of 8."""
    monkeypatch.chdir(tmp_path)
    given = torch.randint(256, (8, 3, 36, 72)).byte()
    more = {"downs": 3, "n_layers": 2, "jitter": 4}
    model = ganlib.train(**SMALL, **more, dataset=given, source="edges")
    assert model.spec.image == (3, 40, 72) and model.sample(2).shape == (2, 3, 36, 72)
    assert model.updater.gen.multiple == 8


def test_its_iterations_are_timed_on_pairs() -> None:
    work = bench.Work("pix2pix", ALGORITHM, ALGORITHM.config(width=0.05, jitter=0), (3, 64, 64))
    updater: Any = bench.assemble(work, torch.device("cpu"))
    x, y = next(updater.data)
    torch.testing.assert_close(x, -y)
    updater.update()
    updater.check_finite()
