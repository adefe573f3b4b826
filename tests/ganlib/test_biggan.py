"""BigGAN: the authors' sizes, z in parts, a class's vector, the orthogonal term, the average."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from parameters import count
from torch import Tensor, nn

from ganlib.biggan.deep import DeepDisBlock, DeepGenBlock
from ganlib.common.data import DataSpec
from ganlib.common.layers.attention import SelfAttention
from ganlib.common.layers.conditional import ClassBatchNorm2d, VectorBatchNorm2d
from ganlib.common.layers.spectral_norm import SNConv2d, SNEmbedding, SNLinear
from ganlib.contract import test_contract as contract
from ganlib.registry import algorithms

Make = Callable[..., Any]
ALGORITHM = algorithms["biggan"]
SIDES = {
    "cifar10": 32,
    "imagenet128": 128,
    "imagenet256": 256,
    "imagenet512": 512,
    "deep128": 128,
    "quick": 32,
    "mlp": 32,
}
SMALL = ["cifar10", "imagenet128", "deep128", "quick", "mlp"]
TOLD_Z = ["imagenet128", "deep128", "quick"]


def build(architecture: str, image: tuple[int, int, int], n_classes: int = 10, width: float = 1.0):
    torch.manual_seed(0)
    config = ALGORITHM.config(architecture=architecture, width=width)
    networks = ALGORITHM.build(config, DataSpec(image, image, n_classes=n_classes))
    assert list(networks) == ["gen", "dis"]
    return networks.values()


def narrow(architecture: str) -> Any:
    """Of 0.03 of the channels (of quick a quarter): generator and discriminator."""
    side = SIDES[architecture]
    return build(architecture, (1, side, side), 3, 0.25 if architecture == "quick" else 0.03)


@pytest.mark.parametrize(
    ("architecture", "n_classes", "n_hidden", "gen_count", "dis_count"),
    [
        ("cifar10", 10, 128, 4_304_387, 4_207_361),
        ("imagenet128", 1000, 120, 70_433_988, 87_982_370),
        ("imagenet256", 1000, 140, 82_235_844, 99_225_890),
        ("imagenet512", 1000, 160, 82_468_068, 99_401_282),
        ("deep128", 1000, 128, 50_244_484, 34_590_210),
    ],
)
def test_the_authors_sizes(
    architecture: str, n_classes: int, n_hidden: int, gen_count: int, dis_count: int
) -> None:
    side = SIDES[architecture]
    with torch.device("meta"):
        gen, dis = build(architecture, (3, side, side), n_classes)
        y = torch.arange(2)
        images = gen(gen.make_hidden(2), y)
        assert images.shape == (2, 3, side, side) and dis(images, y).shape == (2, 1)
    assert (count(gen), count(dis)) == (gen_count, dis_count)
    assert (gen.n_hidden, gen.latent) == (n_hidden, "normal")


@pytest.mark.parametrize(
    ("architecture", "expected"),
    [
        ("cifar10", []),
        ("imagenet128", [(192, 64, 64), (96, 64, 64)]),
        ("imagenet256", [(384, 64, 64), (192, 64, 64)]),
        ("imagenet512", [(384, 64, 64), (192, 64, 64)]),
        ("deep128", [(256, 64, 64), (256, 64, 64)]),
        ("quick", [(32, 16, 16), (32, 16, 16)]),
    ],
)
def test_where_attention_is(architecture: str, expected: list[tuple[int, int, int]]) -> None:
    side, seen = SIDES[architecture], []
    with torch.device("meta"):
        gen, dis = build(architecture, (3, side, side))
        for m in [*gen.modules(), *dis.modules()]:
            if isinstance(m, SelfAttention):
                m.register_forward_hook(lambda _, inputs, y: seen.append(tuple(y.shape[1:])))
        y = torch.arange(2)
        dis(gen(gen.make_hidden(2), y), y)
    assert seen == expected


@pytest.mark.parametrize("architecture", [name for name in SIDES if name != "mlp"])
def test_all_layers_but_the_classes_vectors_are_normalised(architecture: str) -> None:
    side = SIDES[architecture]
    with torch.device("meta"):
        gen, dis = build(architecture, (3, side, side))
    for net in (gen, dis):
        layers = [m for m in net.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
        assert layers and all(isinstance(m, SNConv2d | SNLinear) for m in layers)
    assert isinstance(dis.head.embedding, SNEmbedding) and dis.head.linear.bias is not None
    assert not any(isinstance(m, SNEmbedding) for m in gen.modules())
    norms = {type(m) for m in gen.modules() if isinstance(m, ClassBatchNorm2d | VectorBatchNorm2d)}
    assert norms == {ClassBatchNorm2d if architecture == "cifar10" else VectorBatchNorm2d}
    assert {m.eps for m in gen.modules() if isinstance(m, nn.BatchNorm2d)} == {1e-5}


def told(gen: Any, z: Tensor, y: Tensor) -> list[Tensor]:
    """What the first layer and the norms of the stages are given, a distinct one each."""
    seen: list[list[Tensor]] = [[] for _ in range(1 + len(gen.stages))]
    handles = [gen.first.register_forward_pre_hook(lambda _, inputs: seen[0].append(inputs[0]))]
    for number, stage in enumerate(gen.stages, 1):
        for m in stage.modules():
            if isinstance(m, VectorBatchNorm2d):
                hook = lambda _, inputs, number=number: seen[number].append(inputs[1])  # noqa: E731
                handles.append(m.register_forward_pre_hook(hook))
    gen(z, y)
    for handle in handles:
        handle.remove()
    for of_one in seen:
        assert of_one and all(torch.equal(of_one[0], other) for other in of_one)
    return [of_one[0] for of_one in seen]


@pytest.mark.parametrize("architecture", ["imagenet128", "quick"])
def test_each_block_sees_the_class_and_its_own_part_of_z(architecture: str) -> None:
    gen, _ = narrow(architecture)
    z, y = gen.make_hidden(3), torch.tensor([2, 0, 1])
    e, n = gen.shared.weight[y], gen.n_hidden // (1 + len(gen.stages))
    first, *others = told(gen, z, y)
    assert torch.equal(first, z[:, :n])
    for k, found in enumerate(others, 1):
        assert torch.equal(found, torch.cat((e, z[:, k * n : (k + 1) * n]), 1))


def test_the_deep_ones_blocks_see_the_class_and_all_of_z() -> None:
    gen, _ = narrow("deep128")
    z, y = gen.make_hidden(3), torch.tensor([2, 0, 1])
    expected = torch.cat((gen.shared.weight[y], z), 1)
    assert all(torch.equal(found, expected) for found in told(gen, z, y))


@pytest.mark.parametrize("architecture", ["imagenet128", "deep128", "quick"])
def test_weights_start_orthogonal(architecture: str) -> None:
    for net in narrow(architecture):
        for m in net.modules():
            if isinstance(m, nn.Linear | nn.Conv2d | nn.Embedding):
                w = m.weight.detach().flatten(1)
                w = w if len(w) <= w.shape[1] else w.mT
                torch.testing.assert_close(w @ w.mT, torch.eye(len(w)), rtol=0, atol=1e-5)
        assert not any(p.any() for name, p in net.named_parameters() if name.endswith("bias"))


def test_the_published_32_pixel_weights_start_normal() -> None:
    gen, dis = build("cifar10", (3, 32, 32))
    for m in [*gen.modules(), *dis.modules()]:
        if isinstance(m, nn.Linear | nn.Conv2d):
            assert m.weight.std().item() == pytest.approx(0.02, rel=0.2)
    norm = gen.blocks[0].b1
    assert norm.gains.weight.mean().item() == pytest.approx(1, abs=0.002)
    assert norm.betas.weight.mean().item() == pytest.approx(0, abs=0.002)
    for weight in (norm.gains.weight, norm.betas.weight, dis.head.embedding.weight):
        assert weight.std().item() == pytest.approx(0.02, rel=0.1)


def test_a_deep_block_of_the_generator_drops_channels() -> None:
    block, x = DeepGenBlock(8, 4, 2, n_told=3), torch.randn(2, 8, 5, 5)
    assert block(x, torch.randn(2, 3)).shape == (2, 4, 10, 10)
    shortcut = F.interpolate(x[:, :4], scale_factor=2)
    block.c4 = nn.Conv2d(2, 4, 1)  # in place of the last convolution one of zeros
    nn.init.zeros_(block.c4.weight)
    nn.init.zeros_(block.c4.bias)
    assert torch.equal(block(x, torch.randn(2, 3)), shortcut)


def test_a_deep_block_of_the_discriminator_adds_channels() -> None:
    block, x = DeepDisBlock(4, 10, 2), torch.randn(2, 4, 6, 6)
    block.c4 = nn.Conv2d(2, 10, 1)
    nn.init.zeros_(block.c4.weight)
    nn.init.zeros_(block.c4.bias)
    block.eval()
    found, pooled = block(x), F.avg_pool2d(x, 2)
    assert torch.equal(found[:, :4], pooled)
    assert torch.equal(found[:, 4:], block.c_sc(pooled)) and found.shape == (2, 10, 3, 3)


def test_the_deep_discriminator_is_the_authors_function() -> None:
    """BigGANdeep.py's, from its description and ours' weights: 128 pixels are halved five times."""
    _, dis = narrow("deep128")
    dis = dis.double().eval()
    weights, x, y = (
        dict(dis.state_dict()),
        torch.randn(2, 1, 128, 128).double(),
        torch.tensor([2, 0]),
    )
    with torch.no_grad():
        for name in weights:
            if name.endswith(("gamma", "bias")):
                weights[name].normal_()

    def weight(name: str) -> Tensor:
        w, u = weights[f"{name}.weight"], weights[f"{name}.u"]
        v = F.normalize(u @ w.flatten(1), dim=0)
        return w / (F.normalize(w.flatten(1) @ v, dim=0) @ w.flatten(1) @ v)

    def conv(name: str, h: Tensor) -> Tensor:
        w = weight(name)
        return F.conv2d(h, w, weights.get(f"{name}.bias"), padding=w.shape[-1] // 2)

    def block(name: str, x: Tensor, halve: bool) -> Tensor:
        h = conv(f"{name}.c1", x.relu())
        h = conv(f"{name}.c3", conv(f"{name}.c2", h.relu()).relu()).relu()
        h, x = (F.avg_pool2d(t, 2) if halve else t for t in (h, x))
        more = [conv(f"{name}.c_sc", x)] if f"{name}.c_sc.weight" in weights else []
        return conv(f"{name}.c4", h) + torch.cat([x, *more], 1)

    def attention(name: str, x: Tensor) -> Tensor:
        theta = conv(f"{name}.theta", x).flatten(2)
        phi, g = (F.max_pool2d(conv(f"{name}.{k}", x), 2).flatten(2) for k in ("phi", "g"))
        beta = torch.einsum("bct,bcs->bts", theta, phi).softmax(-1)
        o = torch.einsum("bcs,bts->bct", g, beta).unflatten(2, x.shape[2:])
        return x + weights[f"{name}.gamma"] * conv(f"{name}.o", o)

    h, k, side = conv("features.first", x), iter(range(11)), 128
    for stage in range(5):
        h = block(f"features.blocks.{next(k)}", h, halve=True)
        h = block(f"features.blocks.{next(k)}", h, halve=False)
        side //= 2
        assert h.shape[2:] == (side, side)
        if stage == 0:
            h = attention(f"features.blocks.{next(k)}", h)
    assert side == 4 and next(k, None) is None
    h = h.relu().sum((2, 3))
    logits = F.linear(h, weight("head.linear"), weights["head.linear.bias"])
    logits = logits + (weight("head.embedding")[y] * h).sum(1, keepdim=True)
    torch.testing.assert_close(dis(x, y), logits, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("architecture", SMALL)
def test_every_parameter_has_a_gradient(architecture: str) -> None:
    gen, dis = narrow(architecture)
    for m in [*gen.modules(), *dis.modules()]:
        if isinstance(m, SelfAttention):
            nn.init.ones_(m.gamma)  # at 0 nothing of it has one but gamma
    y = torch.arange(3)
    logits = dis(gen(gen.make_hidden(3), y), y).sum()
    for net in (gen, dis):
        gradients = torch.autograd.grad(logits, list(net.parameters()), retain_graph=True)
        assert all(g.isfinite().all() for g in gradients)


@pytest.mark.parametrize("architecture", SMALL)
def test_other_widths(architecture: str) -> None:
    side = SIDES[architecture]
    gen, dis = build(architecture, (1, side, side), 7, 1e-6)
    y = torch.tensor([6, 0, 3])
    x = gen(gen.make_hidden(3), y)
    assert x.shape == (3, 1, side, side) and dis(x, y).shape == (3, 1)


def test_sizes_of_images() -> None:
    sizes = {name: ALGORITHM.config(architecture=name).image_size(28, 28)[0] for name in SIDES}
    assert sizes == SIDES
    with torch.device("meta"):
        gen, dis = build("quick", (3, 64, 64))
        y = torch.arange(2)
        assert dis(gen(gen.make_hidden(2), y), y).shape == (2, 1)


def test_truncated_latents_vary_less(make_updater: Make) -> None:
    updater = make_updater("biggan", architecture="quick", statistics="running")
    whole, half = (
        torch.cat(list(updater.sample(64, 0, truncation=psi, y=0))).var(0).mean()
        for psi in (None, 0.3)
    )
    assert half < 0.5 * whole


@pytest.mark.parametrize("architecture", ["quick", "cifar10"])
def test_the_orthogonal_term_is_of_all_matrices_but_the_shared_vectors(
    architecture: str, make_updater: Make
) -> None:
    """BigGAN-PyTorch's matrices, whose tables of gains are what is added to 1."""
    settings = {"architecture": architecture, "width": 0.1, "orthogonal": 0.1}
    updater = make_updater("biggan", dtype=torch.float64, **settings)
    with torch.no_grad():
        for p in updater.gen.parameters():
            p.add_(0.1 * torch.randn_like(p))
    named = dict(updater.gen.named_parameters())
    expected, tables = torch.zeros((), dtype=torch.float64), 0
    for name, p in named.items():
        if p.dim() > 1 and name != "shared.weight":
            w = p.flatten(1)
            if "gains" in name:
                w, tables = w - torch.ones_like(w), tables + 1
            expected += (w @ w.mT * (1 - torch.eye(len(w)))).square().sum()
    assert tables == (6 if architecture == "cifar10" else 0)
    term = updater.loss_orthogonal()
    torch.testing.assert_close(term, 0.1 * expected)
    gradients = torch.autograd.grad(term, list(named.values()), allow_unused=True)
    unseen = {name for (name, p), g in zip(named.items(), gradients, strict=True) if g is None}
    assert unseen == {name for name, p in named.items() if p.dim() < 2 or name == "shared.weight"}
    assert set(updater.update()) == {"loss_dis", "loss_gen", "loss_orthogonal"}


def test_the_orthogonal_term_keeps_rows_apart(make_updater: Make) -> None:
    """It goes down where it outweighs the other loss."""
    updater = make_updater("biggan", architecture="quick", orthogonal=10.0, adam_alpha=1e-2)
    with torch.no_grad():
        for p in updater.gen.parameters():
            p.add_(0.1 * torch.randn_like(p))
    before = updater.loss_orthogonal().item()
    for _ in range(5):
        updater.update()
    assert updater.loss_orthogonal().item() < 0.8 * before


def test_real_and_generated_images_pass_the_discriminator_together(make_updater: Make) -> None:
    updater = make_updater("biggan", architecture="mlp", n_dis=3)
    sizes: list[int] = []
    updater.dis.register_forward_hook(lambda _, inputs, y: sizes.append(len(inputs[0])))
    updater.update()
    n = updater.config.batch_size
    assert sizes == [2 * n] * 3 + [n] and updater.images == 3 * n


def test_the_discriminators_loss_is_that_of_two_passes(make_updater: Make) -> None:
    updater = make_updater("biggan", architecture="mlp", dtype=torch.float64).eval()
    x_real, y = next(updater.data)
    z, y_fake = updater.hidden(len(y)), updater.uniform_labels(len(y))
    x_fake = updater.fake(z, y_fake)
    loss, d_real = updater.loss_dis(x_real, y, x_fake, y_fake)
    real, fake = updater.dis(x_real, y), updater.dis(x_fake, y_fake)
    torch.testing.assert_close(d_real, real)
    torch.testing.assert_close(
        loss, (1 - real).clamp(min=0).mean() + (1 + fake).clamp(min=0).mean()
    )


def test_each_network_has_its_own_rate_and_epsilon(make_updater: Make) -> None:
    settings = {"adam_alpha": 1e-3, "adam_alpha_dis": 4e-3, "adam_epsilon": 1e-6}
    updater = make_updater("biggan", architecture="mlp", **settings)
    groups = {name: updater.optimizer[name].param_groups[0] for name in ("gen", "dis")}
    assert {name: (float(g["lr"]), g["eps"]) for name, g in groups.items()} == {
        "gen": (1e-3, 1e-6),
        "dis": (4e-3, 1e-6),
    }


@pytest.mark.parametrize("start", [0, 1, 3])
def test_the_average_starts_late(start: int, make_updater: Make) -> None:
    """BigGAN-PyTorch counts updates from 1; before number `start` the average is the generator."""
    updater = make_updater("biggan", architecture="mlp", ema_decay=0.75, ema_start=start)
    average = next(updater.average.parameters()).clone()
    for number in range(1, 5):
        updater.update()
        weight = next(updater.gen.parameters()).detach()
        average = weight.clone() if number < start else 0.75 * average + 0.25 * weight
        torch.testing.assert_close(next(updater.average.parameters()), average)


def test_what_was_revised_is_told_to_the_runs_that_it_concerns() -> None:
    settings: list[dict[str, Any]] = [{}, {"ema_decay": 0}, {"ema_start": 0}]
    settings += [{"ema_start": 0, "architecture": "deep128"}, {"orthogonal": 1e-4}]
    found = [len(ALGORITHM.config(**of_one).revisions()) for of_one in settings]
    assert found == [1, 0, 0, 1, 2]


def test_standing_statistics_are_those_of_pooled_passes(make_updater: Make) -> None:
    """Of a norm of the copy that samples, which has the hooks of the original."""
    updater = make_updater("biggan", architecture="quick", ema_decay=0, statistics="standing:3")
    passes: list[Tensor] = []
    means: list[Tensor] = []

    def watch(norm: nn.BatchNorm2d, inputs: tuple[Tensor]) -> None:
        if norm.running_mean is None:
            passes.append(inputs[0])
        else:
            means.append(norm.running_mean.clone())

    updater.update()
    updater.gen.stages[1][0].b1.norm.register_forward_pre_hook(watch)
    updater.sample_stream(0).images(range(2))
    assert len(passes) == 3 and len(means) == 1
    pooled = torch.cat(passes)
    torch.testing.assert_close(means[0], pooled.mean((0, 2, 3)))


@pytest.mark.parametrize(
    "rule",
    [
        contract.test_sampling_does_not_disturb_training,
        contract.test_resume_is_bitwise,
        contract.test_passes_over_parts_of_a_batch_stay_one_update,
        contract.test_labels_matter_to_a_method_that_asks_for_them,
    ],
)
def test_networks_with_all_of_it_keep_the_contract(
    rule: Callable[[str, Make], None], make_updater: Make
) -> None:
    """The contract's own runs are of the default networks, which have no parts of z."""
    quick = {"architecture": "quick", "width": 0.25, "n_dis": 1, "orthogonal": 1e-4}
    rule("biggan", partial(make_updater, **quick))
