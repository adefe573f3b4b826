"""pix2pixHD: sizes, losses by hand, what moves in each stage, features of instances, and runs that
stop anywhere.
"""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from onnxruntime import InferenceSession
from parameters import count
from scipy.cluster.vq import kmeans2
from straight_run import assert_goes_on, steps_of, straight_run
from torch import Tensor, nn
from vgg_weights import write_vgg

import ganlib
from ganlib.common.data import DataSpec
from ganlib.common.errors import UserError
from ganlib.common.io.jsonl import read_lines
from ganlib.contract import test_contract as contract
from ganlib.contract.fixtures import small_updater
from ganlib.contract.tape import prepare, record
from ganlib.contract.test_contract import assert_same
from ganlib.pix2pixhd.instances import _spread, clusters, largest, numbered, pooled
from ganlib.pix2pixhd.net import COARSE, FIXED, JOINT, Encoder, halved
from ganlib.pix2pixhd.updater import LARGEST, ROUNDS, Config, feature_matching, vgg_distance
from ganlib.registry import algorithms
from ganlib.runs.settings import resolve
from ganlib.sampling.exports.export import CARD, WEIGHTS, load_export, write_card, write_weights
from ganlib.sampling.exports.onnx import write_onnx
from ganlib.speed.compiled import compile_update
from ganlib.speed.costs import Peak
from ganlib.speed.graph import Graphs

ALGORITHM = algorithms["pix2pixhd"]
SMALL: dict[str, Any] = {
    "ema_decay": 0.9,
    "coarse_images": 12,
    "fixed_images": 8,
    "joint_images": 20,
    "width": 0.25,
    "cluster_images": 8,
    "cluster_every": 2,
}
"""Batches of 4: the stages begin in iterations 0, 3 and 5, and end after 10."""


def small(passes: int = 1, **settings: Any) -> Any:
    updater = small_updater("pix2pixhd", 3, 16, **{**SMALL, **settings})
    updater.split(passes)
    return updater


def spec_of(height: int, width: int, **more: Any) -> DataSpec:
    ids = {"n_classes": 35, "source": (2, height, width), "source_kind": "ids"}
    return DataSpec((3, height, width), (3, height, width), **{**ids, **more})


def build(spec: DataSpec, **settings: Any) -> dict[str, Any]:
    torch.manual_seed(0)
    return ALGORITHM.networks(Config(**settings), spec)


def draw(*shape: int, classes: int = 3, instances: int = 4) -> Tensor:
    """Ids (N, 2, H, W) of so many classes and instances."""
    n, height, width = shape
    ids = [torch.randint(most, (n, 1, height, width)) for most in (classes, instances)]
    return torch.cat(ids, 1).int()


# --- Networks


@pytest.mark.parametrize(
    ("settings", "of_gen", "of_dis"),
    [
        ({}, 182_546_755, 5_603_202),
        ({"architecture": "enhancer", "coarse_images": 0, "n_scales": 3}, 182_857_059, 8_404_803),
        ({"architecture": "enhancer", "n_scales": 3}, 182_857_059 + 9_411, 8_404_803),
    ],
)
def test_the_papers_sizes(settings: dict[str, Any], of_gen: int, of_dis: int) -> None:
    """35 classes and a plane of edges; the coarse part's own last layer is only where it trains."""
    with torch.device("meta"):
        networks = build(spec_of(512, 1024), **settings)
    assert {n: count(net) for n, net in networks.items()} == {"gen": of_gen, "dis": of_dis}
    assert networks["gen"].channels == 36


def test_maps_that_know_no_instances_have_no_edges() -> None:
    """The authors' --no_instance: one plane fewer in the first convolution of every network."""
    with torch.device("meta"):
        networks = build(spec_of(512, 1024, instances=False))
    sizes = {"gen": 182_546_755 - 64 * 7 * 7, "dis": 5_603_202 - 2 * 64 * 4 * 4}
    assert {n: count(net) for n, net in networks.items()} == sizes
    ids = torch.cat([torch.randint(3, (2, 1, 8, 8)), torch.zeros(2, 1, 8, 8)], 1).int()
    h = torch.rand(2, 1, 8, 8)
    for n in range(2):  # and its --label_feat: features are of classes
        for k in range(3):
            where = ids[n, 0] == k
            torch.testing.assert_close(
                pooled(h, ids)[n, 0][where], h[n, 0][where].mean().expand(where.sum())
            )


def test_the_size_of_the_encoder() -> None:
    with torch.device("meta"):
        networks = build(spec_of(512, 1024), features=True)
    assert count(networks["enc"]) == 788_803
    assert networks["gen"].channels == 39 and networks["gen"].n_hidden == 35


def test_2048_by_1024_pixels() -> None:
    """Shapes in both kinds of stage, and how many squares each discriminator judges."""
    with torch.device("meta"):
        networks = build(spec_of(1024, 2048), architecture="enhancer", n_scales=3)
        gen, dis = networks["gen"], networks["dis"]
        y = torch.zeros(1, 2, 1024, 2048, dtype=torch.int32)
        coarse, whole = (gen(gen.make_hidden(1), y, stage=stage) for stage in (COARSE, JOINT))
        assert coarse.shape == (1, 3, 512, 1024) and whole.shape == (1, 3, 1024, 2048)
        logits = [[layers[-1].shape[2:] for layers in dis(x, y)] for x in (coarse, whole)]
    assert logits == [
        [(67, 131), (35, 67)],
        [(131, 259), (67, 131), (35, 67)],
    ]


def test_256_pixels_are_judged_by_35_times_35_logits() -> None:
    with torch.device("meta"):
        dis = build(spec_of(256, 256))["dis"]
        found = dis(torch.zeros(1, 3, 256, 256), torch.zeros(1, 2, 256, 256, dtype=torch.int32))
    assert [layers[-1].shape for layers in found] == [(1, 1, 35, 35), (1, 1, 19, 19)]
    assert [[h.shape[1] for h in layers] for layers in found] == 2 * [[64, 128, 256, 512, 1]]


@pytest.mark.slow
def test_one_pass_at_2048_by_1024_pixels() -> None:
    """With real numbers, of the paper's width: some minutes of one thread."""
    gen = build(spec_of(1024, 2048), architecture="enhancer", coarse_images=0)["gen"]
    y = draw(1, 1024, 2048, classes=35)
    with torch.no_grad():
        x = gen(gen.make_hidden(1), y)
    assert x.shape == (1, 3, 1024, 2048) and bool(x.isfinite().all())
    assert float(x.std()) > 0.1


@pytest.mark.parametrize(
    ("stage", "settings", "gigabytes"),
    [
        (JOINT, {"n_scales": 2}, 2.8),
        (COARSE, {"n_scales": 3, "architecture": "enhancer"}, 2.8),
        (FIXED, {"n_scales": 3, "architecture": "enhancer"}, 9.0),
        (JOINT, {"n_scales": 3, "architecture": "enhancer"}, 10.5),
    ],
)
def test_the_memory_of_training(stage: int, settings: dict[str, Any], gigabytes: float) -> None:
    """What the README says of a batch of 1 with VGG left out, in GiB."""
    grows = settings.get("architecture") == "enhancer"
    height, width = (1024, 2048) if grows else (512, 1024)
    with torch.device("meta"):
        networks = build(spec_of(height, width), **settings)
        gen, dis = networks["gen"], networks["dis"]
        gen.coarse.requires_grad_(stage != FIXED)
        moving = [p for p in gen.parameters() if p.requires_grad]
        y = torch.zeros(1, 2, height, width, dtype=torch.int32)
        with Peak() as peak:
            x_fake = (
                gen(gen.make_hidden(1), y, stage=stage) if grows else gen(gen.make_hidden(1), y)
            )
            x_real = torch.zeros_like(x_fake)
            real, fake, judged = dis(x_real, y), dis(x_fake.detach(), y), dis(x_fake, y)
            of_dis = [layers[-1].square().mean() for layers in (*real, *fake)]
            loss_gen = sum(a[-1].square().mean() for a in judged) + feature_matching(real, judged)
            found = torch.autograd.grad(loss_gen, moving, allow_unused=True)
            del found, judged, x_fake, loss_gen
            torch.autograd.grad(sum(of_dis), list(dis.parameters()), allow_unused=True)
    assert peak.most / 2**30 == pytest.approx(gigabytes, rel=0.02)


def test_the_global_generators_layers_are_shared() -> None:
    """An enhancer starts from a run of `global`: its layers have the same names and shapes."""
    spec = spec_of(64, 64)
    alone = build(spec, width=0.125)["gen"]
    around = build(spec, width=0.125, architecture="enhancer")["gen"]
    own = {n: p.shape for n, p in alone.named_parameters()}
    assert own == {n: p.shape for n, p in around.named_parameters() if n in own}


def test_the_enhancer_by_hand() -> None:
    """Its image is of the sum of what both parts see; its coarse part sees half of the source."""
    gen = build(spec_of(32, 32), architecture="quick", downs=2)["gen"]
    z, y = gen.make_hidden(2), draw(2, 32, 32, classes=35)
    seen: list[Tensor] = []
    gen.coarse.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        coarse, whole = gen(z, y, stage=COARSE), gen(z, y)
        planes = gen.shown(y, coarse)
        h = gen.coarse(F.avg_pool2d(planes, 3, 2, 1, count_include_pad=False))
        assert torch.equal(coarse, gen.image(h))
        assert torch.equal(whole, gen.out(h + gen.into(planes)))
    assert [t.shape for t in seen] == 3 * [(2, 36, 16, 16)]


def test_halves_are_means_of_what_there_is() -> None:
    """In a loop: 3x3 pixels around every second one, fewer at the border."""
    x = torch.randn(1, 2, 6, 8, dtype=torch.float64)
    expected = torch.zeros(1, 2, 3, 4, dtype=torch.float64)
    for i in range(3):
        for j in range(4):
            rows = slice(max(0, 2 * i - 1), 2 * i + 2)
            expected[..., i, j] = x[..., rows, max(0, 2 * j - 1) : 2 * j + 2].mean((2, 3))
    torch.testing.assert_close(halved(x), expected)


def test_each_discriminator_sees_half_of_what_the_one_before_it_saw() -> None:
    dis = build(spec_of(32, 32), architecture="quick", n_scales=3, n_layers=1)["dis"]
    seen: list[Tensor] = []
    for one in dis.scales:
        one.layers[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    x, y = torch.rand(2, 3, 32, 32), draw(2, 32, 32, classes=35)
    dis(x, y)
    both = torch.cat([dis.shown(y, x), x], 1)
    assert torch.equal(seen[0], both) and torch.equal(seen[1], halved(both))
    assert torch.equal(seen[2], halved(halved(both)))

    seen.clear()
    small_x = halved(x)
    assert len(dis(small_x, y)) == 2  # the finest waits
    assert torch.equal(seen[0], torch.cat([halved(dis.shown(y, x)), small_x], 1))


def test_the_only_discriminator_judges_both_sizes() -> None:
    dis = build(spec_of(32, 32), architecture="quick", n_scales=1, n_layers=1)["dis"]
    y = draw(1, 32, 32)
    assert len(dis(torch.rand(1, 3, 16, 16), y)) == len(dis(torch.rand(1, 3, 32, 32), y)) == 1


@pytest.mark.parametrize(
    ("downs", "size", "wanted"),
    [
        (4, (512, 1024), (512, 1024)),
        (4, (500, 1000), (512, 1024)),
        (4, (28, 28), (64, 64)),
        (4, (64, 100), (64, 128)),
        (1, (28, 30), (28, 32)),
        (2, (9, 65), (16, 72)),
    ],
)
def test_the_size_of_images(downs: int, size: tuple[int, int], wanted: tuple[int, int]) -> None:
    assert Config(downs=downs).image_size(*size) == wanted


@pytest.mark.parametrize(("architecture", "multiple"), [("global", 4), ("enhancer", 8)])
def test_the_sides_of_sources(architecture: str, multiple: int) -> None:
    gen = build(spec_of(32, 32), architecture=architecture, downs=2, width=0.05)["gen"]
    assert gen.multiple == multiple
    with torch.no_grad():
        assert gen(gen.make_hidden(1), draw(1, 16, 40)).shape == (1, 3, 16, 40)
        with pytest.raises(UserError, match=f"16x18 .* multiples of {multiple}"):
            gen(gen.make_hidden(1), draw(1, 18, 16))


def test_pictures_are_sources_too() -> None:
    spec = spec_of(32, 32, source=(1, 32, 32), source_kind="image")
    networks = build(spec, architecture="quick", downs=2)
    assert networks["gen"].channels == 1
    x = networks["gen"](torch.empty(2, 0), torch.rand(2, 1, 32, 32))
    assert x.shape == (2, 3, 32, 32) and len(networks["dis"](x, torch.rand(2, 1, 32, 32))) == 2
    with pytest.raises(UserError, match="these sources are pictures: leave --features out"):
        build(spec, features=True)
    with pytest.raises(UserError, match="pix2pixhd makes images as large as their sources"):
        build(spec_of(32, 32, source=(2, 16, 16)))


def test_augmentation_moves_what_features_are_compared_of() -> None:
    with pytest.raises(UserError, match="give --lam-feat 0, or no augmentation"):
        small(diffaugment="translation")
    small(diffaugment="translation", lam_feat=0)


@pytest.mark.parametrize(("height", "width", "most"), [(16, 16, 4), (16, 24, 5), (32, 48, 6)])
def test_so_many_discriminators_that_each_has_pixels_to_normalise(
    height: int, width: int, most: int
) -> None:
    spec = spec_of(height, width)
    x, y = torch.rand(1, 3, height, width), draw(1, height, width)
    dis = build(spec, downs=2, width=0.05, n_scales=most)["dis"]
    assert len(dis(x, y)) == most
    sentence = f"n_scales is {most + 1}, and images of {width}x{height} .* give at most {most}"
    with pytest.raises(UserError, match=sentence):
        build(spec, downs=2, width=0.05, n_scales=most + 1)
    dis.scales.append(dis.scales[0])  # one more cannot be
    with pytest.raises(ValueError, match="more than 1 spatial element"):
        dis(x, y)


# --- Losses and steps


def test_the_losses_by_hand() -> None:
    """NumPy's means: over scales and layers as section 3.3 and the authors' code weight them."""
    updater = small()
    torch.manual_seed(0)
    x, g = torch.rand(2, 4, 3, 16, 16) * 2 - 1
    y = draw(4, 16, 16)
    with torch.no_grad():
        loss_dis, real = updater.loss_dis(x, g, y)
        loss_gan, loss_feat = updater.loss_gen(g, y, real)
        of_x, of_g = (
            [[h.double().numpy() for h in layers] for layers in updater.dis(t, y)] for t in (x, g)
        )
    n_layers = 2
    assert len(of_x) == 2 and all(len(layers) == n_layers + 2 for layers in of_x)
    expected_dis = expected_gan = expected_feat = 0.0
    for a, b in zip(of_x, of_g, strict=True):
        expected_dis += 0.5 * (((a[-1] - 1) ** 2).mean() + (b[-1] ** 2).mean())
        expected_gan += ((b[-1] - 1) ** 2).mean()
        for j in range(n_layers + 1):
            expected_feat += 1 / 2 * 4 / (n_layers + 1) * np.abs(a[j] - b[j]).mean()
    assert float(loss_dis) == pytest.approx(expected_dis, rel=1e-5)
    assert float(loss_gan) == pytest.approx(expected_gan, rel=1e-5)
    assert float(loss_feat) == pytest.approx(expected_feat, rel=1e-5)


def test_features_are_matched_from_one_side() -> None:
    real, fake = ([[torch.randn(2, 3, requires_grad=True) for _ in range(3)]] for _ in range(2))
    feature_matching(real, fake).backward()  # type: ignore[no-untyped-call]
    assert all(h.grad is None for h in real[0])
    assert [h.grad is not None for h in fake[0]] == [True, True, False]  # not the logits


def test_vggs_layers_have_the_authors_weights() -> None:
    names = [f"relu{i}_1" for i in range(1, 6)]
    real = {name: torch.zeros(2, 3) for name in names}
    for name, weight in zip(names, (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1), strict=True):
        fake = {**real, name: torch.full((2, 3), -2.0)}
        assert float(vgg_distance(real, fake)) == 2 * weight


def test_vgg_is_there_with_its_file(tmp_path: Path) -> None:
    write_vgg(tmp_path / "vgg.pth", 13)
    updater = small_updater("pix2pixhd", 3, 32, vgg_weights=tmp_path / "vgg.pth", lam_vgg=3)
    taken = steps_of(updater)
    seen = {name: float(value) for name, value in updater.update().items()}
    expected = seen["loss_gen"] + 10 * seen["loss_feat"] + 3 * seen["loss_vgg"]
    assert taken["gen"] == pytest.approx(expected, rel=1e-5) and seen["loss_vgg"] > 0
    assert list(taken) == ["gen", "dis"] and not updater.remarks()
    with pytest.raises(UserError, match="1 or 3 channels from 32 pixels on"):
        small(vgg_weights=tmp_path / "vgg.pth")


def test_without_its_file_a_run_says_so() -> None:
    (line,) = small().remarks()
    assert "left out: --vgg-weights FILE, torchvision's vgg19-dcbb9e9d.pth" in line
    assert small(lam_vgg=0).remarks() == []
    assert set(small().update()) == {"loss_dis", "loss_gen", "loss_feat"}


def test_both_steps_are_of_one_forward_pass() -> None:
    """By hand: D's step is by the loss of before the generator's, and of the same fakes."""
    updater, other = (small(architecture="global", lam_feat=2) for _ in range(2))
    adams = {
        name: torch.optim.Adam(getattr(other, name).parameters(), 2e-4, (0.5, 0.999))
        for name in ("gen", "dis")
    }
    values = updater.update()
    x, y = next(other.data)
    g = other.gen(other.gen.make_hidden(4), y)
    real, fake, judged = other.dis(x, y), other.dis(g.detach(), y), other.dis(g, y)
    loss_dis: Any = sum(
        ((a[-1] - 1) ** 2).mean() / 2 + (b[-1] ** 2).mean() / 2
        for a, b in zip(real, fake, strict=True)
    )
    loss_gan: Any = sum(((a[-1] - 1) ** 2).mean() for a in judged)
    loss_gen = loss_gan + 2 * feature_matching(real, judged)
    of_gen = torch.autograd.grad(loss_gen, list(other.gen.parameters()), retain_graph=True)
    of_dis = torch.autograd.grad(loss_dis, list(other.dis.parameters()))
    for name, gradients in (("gen", of_gen), ("dis", of_dis)):
        for p, gradient in zip(getattr(other, name).parameters(), gradients, strict=True):
            p.grad = gradient
        adams[name].step()
    assert float(values["loss_dis"]) == pytest.approx(float(loss_dis.detach()), rel=1e-5)
    assert float(values["loss_gen"]) == pytest.approx(float(loss_gan.detach()), rel=1e-5)
    for name in ("gen", "dis"):
        # biases before a norm have no effect, and gradients of rounding alone
        mine, theirs = (dict(getattr(u, name).named_parameters()) for u in (updater, other))
        for n, p in mine.items():
            if p.dim() > 1:
                torch.testing.assert_close(p, theirs[n], rtol=1e-3, atol=1e-5)


# --- Stages


def weights_of(network: Any) -> dict[str, Tensor]:
    return {n: p.detach().clone() for n, p in network.named_parameters()}


def test_what_moves_in_each_stage() -> None:
    updater, names, sides = small(features=True), [], []
    loss_dis = updater.loss_dis

    def watch(x: Tensor, *rest: Any) -> Any:
        sides.append(x.shape[-1])
        return loss_dis(x, *rest)

    updater.loss_dis = watch
    moved: list[set[str]] = []
    for k in range(updater.length()):
        before = {n: weights_of(getattr(updater, n)) for n in ("gen", "dis", "enc")}
        names.append(updater.stage_name(k))
        updater.update()
        now = {n: weights_of(getattr(updater, n)) for n in before}
        moved.append(
            {
                ".".join([net, *name.split(".")[: 2 if net == "dis" else 1]])
                for net, weights in before.items()
                for name, p in weights.items()
                if not torch.equal(p, now[net][name])
            }
        )
    enc, scales = {"enc.layers"}, {"dis.scales.0", "dis.scales.1"}
    stages = [
        enc | {"gen.coarse", "gen.image", "dis.scales.1"},
        enc | {"gen.into", "gen.out"} | scales,
        enc | {"gen.coarse", "gen.into", "gen.out"} | scales,
    ]
    assert moved == 3 * stages[:1] + 2 * stages[1:2] + 5 * stages[2:]
    assert sides == 3 * [8] + 7 * [16]
    words = ["8x8, coarse", "16x16, enhancer alone", "16x16, both"]
    assert names == 3 * words[:1] + 2 * words[1:2] + 5 * words[2:]


@pytest.mark.parametrize("passes", [1, 2])
@pytest.mark.parametrize("coarse_images", [0, 12])
def test_what_the_encoder_descends(coarse_images: int, passes: int) -> None:
    """In the stages FIXED and COARSE, against finite differences of the loss of the generator: also
    through a coarse part whose weights stand still.
    """
    settings = {"features": True, "coarse_images": coarse_images, "dtype": torch.float64}
    updater, other = small(passes, **settings), small(**settings)
    parameters, slopes = list(updater.enc.parameters()), dict[int, Tensor]()
    updater.optimizer["gen"].register_step_pre_hook(
        lambda *_: slopes.update({id(p): p.grad.clone() for p in parameters})
    )
    updater.update()

    x, y = next(other.data)
    stage = COARSE if coarse_images else FIXED
    weights = [p.detach().clone() for p in other.enc.parameters()]
    directions = [torch.randn_like(p) for p in weights]

    @torch.no_grad()
    def loss(step: float) -> float:
        for p, weight, direction in zip(other.enc.parameters(), weights, directions, strict=True):
            p.copy_(weight + step * direction)
        x_fake = other.gen(other.gen.make_hidden(4), y, other.enc(x, y), stage)
        gan, feat = other.loss_gen(x_fake, y, other.dis(x, y))
        return float(gan + 10 * feat)

    products = zip(parameters, directions, strict=True)
    slope = sum(float((slopes[id(p)] * direction).sum()) for p, direction in products)
    assert slope == pytest.approx((loss(1e-7) - loss(-1e-7)) / 2e-7, rel=1e-5)


def test_of_which_runs_the_encoder_was_revised() -> None:
    settings = {"architecture": "enhancer", "features": True}
    assert len(Config(**settings).revisions()) == 1
    for other in ({"architecture": "global"}, {"features": False}, {"fixed_images": 0}):
        assert Config(**{**settings, **other}).revisions() == ()


def test_adam_begins_anew_where_a_training_does() -> None:
    """G's three times, D's not where the enhancer is only joined by the coarse part."""
    updater, counts = small(), []
    for _ in range(7):
        updater.update()
        steps = [
            max(float(s["step"]) for s in updater.optimizer[name].state.values())
            for name in ("gen", "dis")
        ]
        counts.append(tuple(steps))
    assert counts == [(1, 1), (2, 2), (3, 3), (1, 1), (2, 2), (1, 3), (2, 4)]
    fixed = small(fixed_images=0)
    for _ in range(4):
        fixed.update()
    assert {float(s["step"]) for s in fixed.optimizer["dis"].state.values()} == {1.0}


def test_the_learning_rate_falls_twice() -> None:
    updater = small(coarse_images=32, fixed_images=4, joint_images=12)
    rates = [updater.schedule(k)["lr"] for k in range(12)]
    assert rates == pytest.approx([1, 1, 1, 1, 1, 0.75, 0.5, 0.25, 1, 1, 1, 0.5])
    alone = small(architecture="global", coarse_images=32)
    assert [alone.schedule(k)["lr"] for k in (0, 4, 6, 8)] == pytest.approx([1, 1, 0.5, 0])
    assert small(lr_decay="none").schedule(9)["lr"] == 1


@pytest.mark.parametrize(
    ("settings", "length"),
    [
        ({}, 10),
        ({"max_iter": 7}, 7),
        ({"coarse_images": 0}, 7),
        ({"coarse_images": 13, "fixed_images": 0}, 9),
        ({"architecture": "global"}, 3),
    ],
)
def test_how_long_training_is(settings: dict[str, Any], length: int) -> None:
    assert small(**settings).length() == length


def test_the_authors_numbers() -> None:
    """200 epochs of Cityscapes' 2,975 images, then 100, in the first 10 of which G stands still."""
    c = Config()
    assert c.coarse_images == 200 * 2975 and c.fixed_images == 10 * 2975
    assert c.fixed_images + c.joint_images == 100 * 2975
    numbers = (c.batch_size, c.adam_alpha, c.adam_beta1, c.adam_beta2, c.lr_decay_start)
    assert numbers == (1, 2e-4, 0.5, 0.999, 0.5)
    assert (c.lam_feat, c.lam_vgg, c.n_scales, c.n_layers) == (10, 10, 2, 3)
    assert (c.downs, c.blocks, c.enhancer_blocks, c.clusters) == (4, 9, 3, 10)
    whole = {"coarse_images": c.coarse_images, "fixed_images": c.fixed_images, "batch_size": 1}
    assert small(architecture="global", **whole).length() == 595_000
    assert small(joint_images=c.joint_images, **whole).length() == 595_000 + 297_500


@cache
def straight(passes: int, features: bool) -> list[tuple[Any, Tensor]]:
    """After each iteration of a run the state, and samples."""
    return straight_run(small(passes, features=features), 10)


@pytest.mark.parametrize(("passes", "features"), [(1, False), (1, True), (2, True)])
@pytest.mark.parametrize("stop", [2, 3, 4, 5, 7])
def test_a_run_that_goes_on_is_the_straight_one(stop: int, passes: int, features: bool) -> None:
    """Bitwise, from the middle of each stage and from both borders."""
    updater, kept = small(passes, features=features), straight(passes, features)
    assert_goes_on(updater, kept, stop)


def test_captured_updates_follow_the_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the stand-in for a CUDA graph, which refuses to read a value, clusters and all."""
    settings = {"features": True, "coarse_images": 20, "fixed_images": 20, "cluster_every": 3}
    eager, captured = small(**settings), small(**settings)
    prepare(monkeypatch, eager, captured)
    captured.perform = Graphs(captured, record, pytest.fail)
    for _ in range(14):
        assert_same(eager.update(), captured.update())
    assert_same(eager.state(), captured.state())


def test_losses_compile() -> None:
    plain, fast = small(), small()
    compile_update(fast, pytest.fail, "eager")
    for _ in range(4):
        assert_same(plain.update(), fast.update())


RUN: dict[str, Any] = {
    **{k: v for k, v in SMALL.items() if k != "ema_decay"},
    "algorithm": "pix2pixhd",
    "architecture": "quick",
    "downs": 1,
    "blocks": 1,
    "dataset": "wardrobe",
    "size": 16,
    "batch_size": 4,
    "gpu": -1,
    "workers": 0,
    "sample_interval": 0,
    "evaluation_interval": 0,
    "display_interval": 1,
    "tensorboard": False,
}


@pytest.mark.slow
def test_a_run_through_all_stages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its log, what it says, a snapshot of the first stage as a model, an export of the last; by
    way of files it is the unbroken run to the last bit.
    """
    monkeypatch.chdir(tmp_path)
    ganlib.train(**RUN, out="run", features=True, max_images=8)
    early = ganlib.load("run", dataset="wardrobe")
    assert early.sample(2).shape == (2, 3, 16, 16)
    squares = early.sample(1)[0].unfold(1, 2, 2).unfold(2, 2, 2).flatten(3)
    assert torch.equal(squares.amin(3), squares.amax(3))  # of half of the size
    # from inside of every stage, of which gen.image moves in the first alone
    for images in (16, 24, 40):
        model = ganlib.train(**RUN, out="run", features=True, max_images=images, resume="run")
    stages = [line["stage"] for line in read_lines(tmp_path / "run" / "log.jsonl")]
    assert stages == 3 * ["8x8, coarse"] + 2 * ["16x16, enhancer alone"] + 5 * ["16x16, both"]
    said = capsys.readouterr().err
    assert said.count("VGG19's distance is left out") == 4 and "No step has moved" not in said
    whole = ganlib.train(**RUN, out="whole", features=True, max_images=40)
    assert_same(whole.updater.state(), model.updater.state())
    images = model.sample(2)
    write_weights(model, tmp_path / WEIGHTS)
    write_card(model, tmp_path / CARD, tmp_path / WEIGHTS)
    assert torch.equal(load_export(tmp_path, dataset="wardrobe").sample(2), images)


@pytest.mark.slow
def test_onnx_picks_clusters_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = {**RUN, "coarse_images": 0, "cluster_every": 1, "max_iter": 1}
    model = ganlib.train(**run, out="run", features=True)
    assert bool(model.updater.gen.clusters.any())
    inputs = write_onnx(model, tmp_path / "g.onnx")
    assert inputs == {"z": ["n", 11], "y": ["n", 2, "height", "width"]}
    session = InferenceSession(tmp_path / "g.onnx", providers=["CPUExecutionProvider"])
    z, y = model.latents([0, 1, 2])
    assert y is not None
    for codes in (z, -z):
        (images,) = session.run(["images"], {"z": codes.numpy(), "y": y.numpy()})
        torch.testing.assert_close(
            torch.from_numpy(images), model.decode(codes, y), atol=1e-4, rtol=0
        )
    assert not torch.allclose(model.decode(z, y), model.decode(-z, y), atol=1e-3)


def test_an_enhancer_of_a_trained_global_generator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = {**RUN, "width": 0.05}
    alone = ganlib.train(**{**run, "architecture": "global"}, out="alone", max_iter=1)
    more = {"architecture": "enhancer", "coarse_images": 0, "max_iter": 1, "init_from": "alone"}
    around = ganlib.train(**{**run, **more}, out="around")
    assert around.updater.current.number == FIXED
    ours, theirs = (weights_of(m.updater.gen.coarse) for m in (around, alone))
    assert all(torch.equal(p, theirs[n]) for n, p in ours.items())


# --- Instances


def test_instances_are_numbered_without_gaps() -> None:
    ids = draw(2, 5, 7)
    numbers = numbered(ids).reshape(2, 5, 7)
    seen: dict[tuple[int, ...], set[int]] = {}
    for n in range(2):
        for i in range(5):
            for j in range(7):
                seen.setdefault((n, *ids[n, :, i, j].tolist()), set()).add(int(numbers[n, i, j]))
    assert all(len(found) == 1 for found in seen.values())
    assert sorted(found.pop() for found in seen.values()) == list(range(len(seen)))
    top = torch.full((1, 2, 2, 2), 65_535, dtype=torch.int32)
    assert numbered(top).tolist() == 4 * [0]


def test_pooling_against_a_loop() -> None:
    torch.manual_seed(0)
    h, ids = torch.randn(2, 3, 6, 5, dtype=torch.float64), draw(2, 6, 5)
    expected = torch.zeros_like(h)
    for n in range(2):
        for key in {tuple(pixel.tolist()) for pixel in ids[n].flatten(1).T}:
            where = (ids[n, 0] == key[0]) & (ids[n, 1] == key[1])
            expected[n][:, where] = h[n][:, where].mean(1, keepdim=True)
    torch.testing.assert_close(pooled(h, ids), expected)


def test_gradients_go_through_pooling() -> None:
    h = torch.randn(1, 2, 4, 4, dtype=torch.float64, requires_grad=True)
    ids = draw(1, 4, 4)
    assert torch.autograd.gradcheck(lambda t: pooled(t, ids), (h,))


def test_the_encoder_says_one_thing_of_an_instance() -> None:
    torch.manual_seed(0)
    enc = Encoder(3, 2, 1, "transposed")
    ids = draw(2, 16, 16, classes=2, instances=2)
    with torch.no_grad():
        whole, half = enc(torch.rand(2, 3, 16, 16), ids), enc(torch.rand(2, 3, 8, 8), ids)
    for f in (whole, half):
        assert f.shape == (2, 3, 16, 16) and float(f.abs().max()) <= 1
        torch.testing.assert_close(pooled(f, ids), f)


def test_the_largest_instances_of_each_image() -> None:
    ids = torch.zeros(2, 2, 4, 4, dtype=torch.int32)
    ids[0, :, :2] = torch.tensor([3, 9])[:, None, None]
    ids[0, :, 0, 0] = torch.tensor([5, 1])
    f = pooled(torch.rand(2, 1, 4, 4), ids)
    rows = largest(f, ids, 2)
    assert rows.shape == (4, 3)
    assert rows[:, 1].tolist() == [0, 3, 0, 0] and rows[:, 2].tolist() == [1, 1, 1, 0]
    expected = torch.stack([f[0, 0, 3, 0], f[0, 0, 1, 1], f[1, 0, 0, 0], torch.tensor(0.0)])
    torch.testing.assert_close(rows[:, 0], expected)
    assert len(largest(f, ids, 99)) == 2 * 16


def test_clusters_are_scipys() -> None:
    """From the same first centres, class by class; rows that stand for nothing do not count."""
    random = np.random.default_rng(0)
    centres = random.uniform(-1, 1, (3, 4, 2))
    classes = random.integers(0, 2, 200)  # none of class 2
    f = centres[classes, random.integers(0, 4, 200)] + 0.02 * random.normal(size=(200, 2))
    rows = torch.from_numpy(np.column_stack([f, classes, np.ones(200)]))
    nothing = torch.cat([torch.full((50, 2), 7.0), torch.zeros(50, 2)], 1).double()
    beyond = torch.tensor([[5.0, 5.0, 9.0, 1.0]]).double()  # a class that has no plane
    found = clusters(torch.cat([rows, nothing, beyond]), 3, 4, ROUNDS)
    assert found.shape == (3, 4, 2) and not found[2].any()
    own = rows[:, 2] == torch.arange(3)[:, None]
    start = _spread(rows[:, :2], rows[:, 2].long(), own, 4)
    for c in range(2):
        theirs, _ = kmeans2(f[classes == c], start[c].numpy(), ROUNDS, minit="matrix")
        np.testing.assert_allclose(found[c].numpy(), theirs, atol=1e-12)
        distances = np.linalg.norm(found[c].numpy()[:, None] - centres[c], axis=2)
        assert distances.min(0).max() < 0.02  # each of the four has been found


def test_fewer_instances_than_clusters() -> None:
    rows = torch.tensor([[0.5, 0, 1], [-0.5, 0, 1], [0.25, 1, 1]])
    found = clusters(rows, 2, 5, ROUNDS)[..., 0]
    assert set(found[0].tolist()) == {0.5, -0.5} and found[1].tolist() == 5 * [0.25]


def test_z_picks_a_cluster_for_each_class() -> None:
    gen = build(spec_of(16, 16), architecture="quick", downs=1, features=True, clusters=4)["gen"]
    gen.clusters.copy_(torch.randn(35, 4, 3))
    y, z = draw(2, 16, 16, classes=35), gen.make_hidden(2)
    assert z.shape == (2, 35) and float(z.abs().max()) <= 1
    found = gen.picked(z, y)
    for n in range(2):
        for i in range(16):
            for j in range(16):
                c = int(y[n, 0, i, j])
                k = min(3, int((float(z[n, c]) + 1) / 2 * 4))
                assert torch.equal(found[n, :, i, j], gen.clusters[c, k])
    ends = gen.picked(torch.tensor([[-1.0] * 35, [1.0] * 35]), y)
    assert torch.equal(ends[0, :, 0, 0], gen.clusters[int(y[0, 0, 0, 0]), 0])
    assert torch.equal(ends[1, :, 0, 0], gen.clusters[int(y[1, 0, 0, 0]), 3])


def test_clusters_are_those_of_the_encoder() -> None:
    """In an iteration that finds them, of the images of their own stream; samples follow."""
    updater, other = (small(features=True, architecture="global") for _ in range(2))
    updater.update()
    assert not updater.gen.clusters.any()
    y = updater.data.condition_at(torch.zeros(2, dtype=torch.int64))
    a, b = (next(updater.sample(2, seed, y=y)) for seed in (0, 1))
    assert torch.equal(a, b)  # as nothing is known yet
    updater.update()
    stream, rows = other.stream("clusters"), []
    for _ in range(2):
        x, ids = next(stream)
        with torch.no_grad():
            rows.append(largest(updater.enc(x, ids), ids, LARGEST))
    expected = clusters(torch.cat(rows), 3, 10, ROUNDS)
    assert torch.equal(updater.gen.clusters, expected) and bool(expected.any())
    assert torch.equal(updater.average.clusters, expected)  # of a moving average, too, and at once
    a, b = (next(updater.sample(2, seed, y=y)) for seed in (0, 1))
    assert not torch.equal(a, b)
    assert torch.equal(a, next(updater.sample(2, 0, y=y)))
    assert not torch.equal(a[0], a[1])  # one map, two images


def test_the_last_iteration_finds_clusters() -> None:
    updater = small(features=True, cluster_every=100)
    assert [updater.phase(k) for k in range(11)] == 9 * [False] + [True, False]
    assert not any(small().phase(k) for k in range(10))


@pytest.mark.parametrize(
    "promise",
    [
        contract.test_two_updates_are_finite,
        contract.test_every_parameter_moves_by_its_own_loss_alone,
        contract.test_sampling_does_not_disturb_training,
        contract.test_an_update_never_waits_for_the_host,
        contract.test_passes_over_parts_of_a_batch_stay_one_update,
    ],
)
def test_features_keep_what_every_method_promises(
    promise: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(name: str, *shape: int, **settings: Any) -> Any:
        more = {"features": True, "cluster_every": 1, "cluster_images": 8}
        return small_updater(name, *shape, **{**settings, **more})

    given = {"shape": (3, 16), "monkeypatch": monkeypatch, "hint": print}
    names = promise.__code__.co_varnames[: promise.__code__.co_argcount]
    promise("pix2pixhd", make_updater=make, **{n: v for n, v in given.items() if n in names})


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"n_layers": 6}, "n_layers is 6"),
        ({"downs": 0}, "downs is 0"),
        ({"architecture": "local"}, "architecture cannot be 'local'"),
    ],
)
def test_a_wrong_setting_is_a_sentence(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        resolve({"algorithm": "pix2pixhd", **settings})


def test_diffaugment_moves_maps_too() -> None:
    updater = small(diffaugment="color,translation,cutout", lam_feat=0)
    for _ in range(6):
        updater.update()
    updater.check_finite()


def test_norms_are_of_each_image_alone() -> None:
    networks = build(spec_of(32, 32), architecture="quick", downs=2, features=True)
    norms = [m for net in networks.values() for m in net.modules() if "Norm" in type(m).__name__]
    assert norms and all(isinstance(m, nn.InstanceNorm2d) for m in norms)
    assert not any(m.affine or m.track_running_stats for m in norms)
