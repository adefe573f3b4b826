"""Progressive growing: sizes, fades, the schedule, and runs that stop anywhere in it."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from parameters import count
from straight_run import assert_goes_on, straight_run
from torch import Tensor
from two_ranks import two_ranks

import ganlib
from ganlib.common.data import DataSpec
from ganlib.common.errors import UserError
from ganlib.common.io.jsonl import read_lines
from ganlib.common.losses import gradient_penalty
from ganlib.config import RunConfig
from ganlib.contract.fixtures import small_updater, toy
from ganlib.contract.tape import record
from ganlib.contract.test_contract import assert_same
from ganlib.progressive.net import doubled, faded, halved
from ganlib.registry import algorithms
from ganlib.runs.settings import read_yaml, resolve
from ganlib.sampling.exports.export import CARD, WEIGHTS, load_export, write_card, write_weights
from ganlib.speed.accelerate import accelerate
from ganlib.speed.compiled import compile_update
from ganlib.speed.costs import Peak
from ganlib.speed.graph import Graphs

ALGORITHM = algorithms["progressive"]
EXAMPLES = Path(ganlib.__file__).parent / "example_configs"
SMALL: dict[str, Any] = {
    "width": 0.05,
    "ema_decay": 0.9,
    "stage_images": 12,
    "last_images": 6,
    "max_resolution": 16,
    "batch_sizes": "16=2",
    "reset_adam": True,
}
STARTS = [0, 3, 6, 9, 15]
"""Iterations in which the stages of SMALL begin, of batches of 4 and, from 16 pixels on, 2."""


def small(passes: int = 1, **settings: Any) -> Any:
    updater = small_updater("progressive", **{**SMALL, **settings})
    updater.split(passes)
    return updater


def build(architecture: str, side: int, **settings: Any) -> tuple[Any, Any]:
    config = ALGORITHM.config(architecture=architecture, **settings)
    networks = ALGORITHM.build(config, DataSpec((3, side, side), (3, side, side)))
    return networks["gen"], networks["dis"]


# --- Networks


@pytest.mark.parametrize(
    ("architecture", "side", "gen_count", "dis_count"),
    [
        ("chainer", 32, 17_769_228, 17_776_385),
        ("cifar10", 32, 1_296_908, 1_298_689),
        ("paper", 32, 20_719_628, 20_726_785),
        ("paper", 128, 22_933_394, 22_941_313),
        ("paper", 256, 23_044_309, 23_052_353),
        ("paper", 1024, 23_079_115, 23_087_249),
    ],
)
def test_the_authors_sizes(architecture: str, side: int, gen_count: int, dis_count: int) -> None:
    with torch.device("meta"):
        gen, dis = build(architecture, side)
        images = gen(gen.make_hidden(4))
        assert images.shape == (4, 3, side, side) and dis(images).shape == (4, 1)
    assert (count(gen), count(dis)) == (gen_count, dis_count)
    assert (gen.n_hidden, gen.latent) == (128 if architecture == "cifar10" else 512, "normal")


def test_the_channels_of_1024_pixels() -> None:
    with torch.device("meta"):
        gen, dis = build("paper", 1024)
    expected = [512, 512, 512, 512, 256, 128, 64, 32, 16]
    assert [head.in_channels for head in gen.heads] == expected
    assert [head.out_channels for head in dis.heads] == expected


@pytest.fixture(params=["chainer", "paper"])
def networks(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    """Narrow ones for up to 32 pixels, whose biases are not 0."""
    torch.manual_seed(0)
    both = build(request.param, 32, width=0.02)
    with torch.no_grad():
        for network in both:
            for p in network.parameters():
                if p.dim() == 1:
                    p.normal_()
    return both


@pytest.mark.parametrize("level", [1, 2, 3])
def test_a_fade_goes_from_the_smaller_images_to_the_larger(
    networks: tuple[Any, Any], level: int
) -> None:
    """Exactly at both ends, in both networks, and in a straight line between them in G."""
    gen, dis = networks
    z, side = torch.randn(3, 512), 4 << level
    zero, half, one = (torch.tensor(alpha) for alpha in (0.0, 0.5, 1.0))
    with torch.no_grad():
        before, after = doubled(gen(z, None, level - 1)), gen(z, None, level)
        assert after.shape == (3, 3, side, side)
        assert torch.equal(gen(z, None, level, zero), before)
        assert torch.equal(gen(z, None, level, one), after)
        torch.testing.assert_close(gen(z, None, level, half), (before + after) / 2)
        x = torch.randn(3, 3, side, side)
        assert torch.equal(dis(x, zero), dis(halved(x)))
        assert torch.equal(dis(x, one), dis(x))
        assert not torch.allclose(dis(x, half), dis(x))


def test_smaller_images_on_the_way_are_those_of_their_stages(networks: tuple[Any, Any]) -> None:
    gen, _ = networks
    z = gen.make_hidden(3)
    for level, x in enumerate(gen.growing(z)):
        assert torch.equal(x, gen(z, None, level))
    assert level == len(gen.blocks) - 2


def test_real_images_fade_as_the_discriminator_expects(networks: tuple[Any, Any]) -> None:
    _, dis = networks
    x = torch.rand(4, 3, 16, 16)
    zero, one = torch.tensor(0.0), torch.tensor(1.0)
    by_hand = x.numpy().reshape(4, 3, 8, 2, 8, 2).mean((3, 5)).repeat(2, 2).repeat(2, 3)
    torch.testing.assert_close(faded(x, zero), torch.from_numpy(by_hand))
    assert torch.equal(faded(x, one), x) and faded(x, None) is x
    with torch.no_grad():
        assert torch.equal(dis(faded(x, zero), zero), dis(halved(x)))


def test_the_length_of_z_does_not_matter(networks: tuple[Any, Any]) -> None:
    gen, _ = networks
    z = torch.randn(2, 512)
    with torch.no_grad():
        torch.testing.assert_close(gen(3 * z), gen(z))


@pytest.mark.parametrize(("architecture", "group"), [("paper", 6), ("cifar10", 6), ("quick", 3)])
def test_whose_deviation_the_discriminator_sees(architecture: str, group: int) -> None:
    """Of the batch, as in the Theano program; of groups of 4 or less in small networks."""
    _, dis = build(architecture, 4, width=0.1)
    x = torch.randn(6, 3, 4, 4)
    seen: list[Tensor] = []
    dis.blocks[0].c0.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        h = torch.nn.functional.leaky_relu(dis.heads[0](x), 0.2)
        dis(x)
    deviation = seen[0][:, -1, 0, 0]
    for k in range(6 // group):
        rows = h[k :: 6 // group]
        expected = (rows.var(0, correction=0) + 1e-8).sqrt().mean()
        torch.testing.assert_close(deviation[k :: 6 // group], expected.expand(group))


def test_where_norm_and_slope_stand() -> None:
    """chainer-gan-lib's last map has a leaky slope in it, the paper's a mean square of 1."""
    for architecture, last in (("paper", True), ("chainer", False)):
        gen, _ = build(architecture, 8, width=0.1)
        with torch.no_grad():
            h = gen.blocks[1](gen.blocks[0](torch.randn(4, 512)))
        assert torch.allclose(h.square().mean(1), torch.ones(4, 8, 8), atol=1e-3) == last


def test_a_step_at_1024_pixels() -> None:
    """Forward and backward through both networks, with a penalty, while the last size fades in."""
    data = toy(3, 1024, n=1)
    settings = {"architecture": "paper", "width": 0.03, "batch_size": 1}
    updater = small_updater("progressive", 3, 1024, data, **settings)
    updater.iteration = updater.stages.starts[-2]
    assert updater.stage_name(updater.iteration) == "1024x1024, fading in 0%"
    values = updater.update()
    updater.check_finite()
    assert all(torch.isfinite(value) for value in values.values())
    assert updater.level == 8 and updater.alpha is not None
    touched = [float(s["exp_avg_sq"].sum()) for s in updater.optimizer["gen"].state.values()]
    assert len(touched) == len(list(updater.gen.parameters())) and any(touched)


def test_the_memory_of_1024_pixels() -> None:
    """What the README says of D's step and G's, of batches of 4, in GiB."""
    with torch.device("meta"):
        gen, dis = build("paper", 1024)
        x, z, eps = torch.randn(4, 3, 1024, 1024), torch.randn(4, 512), torch.rand(4, 1, 1, 1)
        with Peak() as of_dis:
            with torch.no_grad():
                x_fake = gen(z)
            loss = 10 * gradient_penalty(dis, torch.lerp(x_fake, x, eps))
            loss = loss + dis(x_fake).mean() - dis(x).mean()
            torch.autograd.grad(loss, list(dis.parameters()), allow_unused=True)
        with Peak() as of_gen:
            loss = -dis(gen(z)).mean()
            torch.autograd.grad(loss, list(gen.parameters()), allow_unused=True)
    assert of_dis.most / 2**30 == pytest.approx(13.2, abs=0.3)
    assert of_gen.most / 2**30 == pytest.approx(7.0, abs=0.3)


# --- Losses


@pytest.mark.parametrize("loss", ["wgan_gp", "hinge"])
@pytest.mark.parametrize("gamma", [1.0, 750.0])
def test_the_loss_by_hand(loss: str, gamma: float) -> None:
    updater = small(loss=loss, gamma=gamma, max_resolution=8)
    torch.manual_seed(0)
    x_real, x_fake, eps = torch.randn(4, 1, 8, 8), torch.randn(4, 1, 8, 8), torch.rand(4, 1, 1, 1)
    alpha = torch.tensor(0.3)
    found = updater.loss_dis(x_real, x_fake, eps, alpha)
    real, fake = updater.dis(x_real, alpha), updater.dis(x_fake, alpha)
    mid = (eps * x_real + (1 - eps) * x_fake).requires_grad_()
    (slope,) = torch.autograd.grad(updater.dis(mid, alpha).sum(), mid)
    norms = torch.stack([row.norm() for row in slope])
    expected = fake.mean() - real.mean()
    if loss == "hinge":
        expected = (1 - real).clamp(min=0).mean() + (1 + fake).clamp(min=0).mean()
    penalty = ((norms - gamma) ** 2).mean() / gamma**2
    torch.testing.assert_close(found, (expected, penalty, (real**2).mean()))


@pytest.mark.parametrize("gamma", [1.0, 750.0])
@pytest.mark.parametrize(("side", "alpha"), [(4, None), (8, 0.3), (8, None), (16, 0.7), (16, None)])
def test_the_penalty_at_the_full_size(side: int, alpha: float | None, gamma: float) -> None:
    """As the paper's programs take it: of images that are enlarged by repeating pixels, and that
    the critic halves by means to the size of the stage.
    """
    updater = small(penalty_at="full", gamma=gamma, dtype=torch.float64)
    torch.manual_seed(0)
    x_real, x_fake = torch.randn(2, 4, 1, side, side, dtype=torch.float64)
    eps = torch.rand(4, 1, 1, 1, dtype=torch.float64)
    faded_in = None if alpha is None else torch.tensor(alpha, dtype=torch.float64)
    _, penalty, _ = updater.loss_dis(x_real, x_fake, eps, faded_in)

    n = 16 // side
    mid = np.kron((eps * x_real + (1 - eps) * x_fake).numpy(), np.ones((n, n)))
    x = torch.from_numpy(mid).requires_grad_()
    assert x.shape == (4, 1, 16, 16)
    small_x = x.unflatten(3, (side, n)).unflatten(2, (side, n)).mean((3, 5))
    (slope,) = torch.autograd.grad(updater.dis(small_x, faded_in).sum(), x)
    expected = ((slope.square().sum((1, 2, 3)).sqrt() - gamma) ** 2).mean() / gamma**2
    torch.testing.assert_close(penalty, expected, rtol=1e-10, atol=0)


def test_the_papers_recipes_take_it_there() -> None:
    names = ("cifar10_paper", "lsun256", "celebahq1024")
    configs = [resolve(read_yaml(EXAMPLES / f"progressive_{n}.yaml")).algorithm for n in names]
    assert {c.penalty_at for c in configs} == {"full"}
    assert ALGORITHM.config().penalty_at == "stage"
    assert [len(c.revisions()) for c in configs] == [0, 1, 1]


def test_without_a_penalty_there_is_none() -> None:
    updater = small(lam=0)
    updater.update()
    assert float(updater.update()["loss_gp"]) == 0


def test_gradients_lie_as_their_weights_do() -> None:
    """A penalty's do not: where they come first, each that is added to them takes several times as
    long, and Adam's copy too.
    """
    torch.manual_seed(0)
    _, dis = build("cifar10", 16)
    updater = small()
    updater.dis = dis.to(memory_format=torch.channels_last)
    x_real, x_fake = torch.randn(2, 4, 3, 16, 16)
    loss, penalty, _ = updater.loss_dis(x_real, x_fake, torch.rand(4, 1, 1, 1), None)
    weights = [p for p in dis.parameters() if p.dim() == 4 and p.shape[-1] == 3]
    gradients = torch.autograd.grad(loss + penalty, weights)
    assert [g.stride() for g in gradients] == [w.stride() for w in weights]


# --- Schedule


def test_the_schedule_as_a_table() -> None:
    """What an iteration sees after so many images: side, batch, alpha, and its stage's name."""
    updater, seen = small(n_dis=1), []
    loss = updater.loss_dis

    def watch(x: Tensor, *rest: Any) -> Any:
        alpha = None if rest[-1] is None else float(rest[-1])
        seen.append((updater.images - len(x), updater.current.number, x.shape[-1], len(x), alpha))
        return loss(x, *rest)

    updater.loss_dis = watch
    for k in range(updater.length()):
        assert updater.images == updater.stages.images(k)
        updater.update()
    thirds, sixths = [0.0, 1 / 3, 2 / 3], [k / 6 for k in range(6)]
    expected = [(k, 0, 4, 4, None) for k in (0, 4, 8)]
    expected += [(12 + 4 * k, 1, 8, 4, alpha) for k, alpha in enumerate(thirds)]
    expected += [(k, 2, 8, 4, None) for k in (24, 28, 32)]
    expected += [(36 + 2 * k, 3, 16, 2, alpha) for k, alpha in enumerate(sixths)]
    expected += [(k, 4, 16, 2, None) for k in (48, 50, 52)]
    assert [row[:4] for row in seen] == [row[:4] for row in expected]
    for row, other in zip(seen, expected, strict=True):
        assert row[4] == (None if other[4] is None else pytest.approx(other[4]))
    assert updater.stages.starts == STARTS
    names = [updater.stage_name(k) for k in (0, 3, 4, 8, 12, 99)]
    assert names == ["4x4", "8x8, fading in 0%", "8x8, fading in 33%", "8x8"] + [
        "16x16, fading in 50%",
        "16x16",
    ]


@pytest.mark.parametrize("passes", [1, 2])
def test_it_is_that_of_a_batch_however_it_is_taken(passes: int) -> None:
    updater = small(passes)
    for _ in range(5):
        updater.update()
    assert (updater.images, float(updater.now["alpha"])) == (20, pytest.approx(1 / 3))


@pytest.mark.parametrize(
    ("settings", "length"),
    [
        ({"max_resolution": 32}, 400_000),  # chainer-gan-lib's
        ({"max_resolution": 4, "last_images": 33, "batch_size": 16}, 3),
        ({"max_resolution": 8, "stage_images": 100, "last_images": 100, "batch_size": 10}, 30),
        ({"max_resolution": 8, "stage_images": 100, "last_images": 100, "n_dis": 2}, 12),
        ({"max_resolution": 8, "max_iter": 7}, 7),
        ({"max_resolution": 16, "start_resolution": 16, "last_images": 64}, 4),
    ],
)
def test_how_long_training_is(settings: dict[str, Any], length: int) -> None:
    assert small_updater("progressive", **{"batch_size": 16, **settings}).length() == length


def test_a_size_has_its_own_learning_rate() -> None:
    updater = small(adam_alpha=1e-3, adam_alphas={8: 0.002, 16: 5e-4})
    rates = [1e-3 * updater.schedule(k)["lr"] for k in (0, 3, 8, 9, 20)]
    assert rates == pytest.approx([1e-3, 2e-3, 2e-3, 5e-4, 5e-4])
    decayed = small(adam_alphas="8=0.002", lr_decay="linear")
    assert decayed.schedule(9)["lr"] == pytest.approx(2 * 9 / 18)


@pytest.mark.parametrize("resets", [True, False])
def test_adam_forgets_where_a_stage_begins(resets: bool) -> None:
    updater, counts = small(reset_adam=resets), []
    for _ in range(7):
        updater.update()
        counts.append(max(float(s["step"]) for s in updater.optimizer["dis"].state.values()))
    assert counts == ([1, 2, 3, 1, 2, 3, 1] if resets else [1, 2, 3, 4, 5, 6, 7])


def test_a_new_block_counts_its_own_steps() -> None:
    """Where Adam goes on; chainer-gan-lib's counts the optimizer's."""
    updater = small(reset_adam=False)
    for _ in range(STARTS[1] + 2):
        updater.update()
    state = updater.optimizer["gen"].state
    assert [float(state[block.c1.weight]["step"]) for block in updater.gen.blocks] == [5, 2, 0]


def test_training_may_begin_with_larger_images() -> None:
    updater = small(start_resolution=8)
    assert updater.sides == [8, 16, 16] and updater.level == 1 and updater.alpha is None
    with pytest.raises(UserError, match=r"begin with 32 pixels and end with 16"):
        small(start_resolution=32)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"start_resolution": 6}, "start_resolution is 6, but should be 4, 8, 16"),
        ({"max_resolution": 48}, "max_resolution is 48, but should be 4, 8, 16"),
        ({"batch_sizes": "32:8"}, "batch_sizes is '32:8', but should be SIDE=VALUE pairs"),
        ({"batch_sizes": "32=1.5"}, "batch_sizes is '32=1.5', but should have whole numbers"),
        ({"adam_alphas": "32=0"}, "adam_alphas is '32=0', but should have values above 0"),
        ({"adam_alphas": "8=nan"}, "adam_alphas is '8=nan', but should have values above 0"),
        ({"adam_alphas": "8=inf"}, "adam_alphas is '8=inf', but should have values above 0"),
        ({"batch_sizes": "8=nan"}, "batch_sizes is '8=nan', but should have whole numbers"),
    ],
)
def test_a_wrong_setting_is_a_sentence(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        resolve({"algorithm": "progressive", **settings})


def test_the_size_of_the_networks() -> None:
    config = ALGORITHM.config()
    assert config.image_size(28, 28) == (32, 32)
    assert config.image_size(64, 48) == (64, 64) and config.image_size(65, 1) == (128, 128)
    assert ALGORITHM.config(max_resolution=8).image_size(28, 28) == (8, 8)
    assert config.image_size(1, 1) == (1, 1)


@pytest.mark.parametrize("shape", [(1, 28), (2, 1)])
def test_networks_of_one_size_have_one_stage(shape: tuple[int, int]) -> None:
    updater = small_updater("progressive", *shape, architecture="mlp")
    updater.update()
    assert updater.sides == [updater.spec.image[1]] and updater.alpha is None
    assert updater.stage_name(0) == "" and next(updater.sample(3, 0)).shape == (3, *shape, shape[1])


# --- Runs that stop


@cache
def straight(passes: int) -> list[tuple[Any, Tensor]]:
    """After each iteration of a run the state, and samples."""
    return straight_run(small(passes), 19)


@pytest.mark.parametrize("passes", [1, 2])
@pytest.mark.parametrize("stop", [2, 3, 4, 6, 8, 9, 12, 15])
def test_a_run_that_goes_on_is_the_straight_one(stop: int, passes: int) -> None:
    """Bitwise, from the middle of a fade, from both its borders, and between fades."""
    updater, kept = small(passes), straight(passes)
    assert_goes_on(updater, kept, stop)


def test_captured_updates_follow_alpha() -> None:
    """By the stand-in for a CUDA graph: alpha reaches one as a tensor, or a fade would stand."""
    settings = {"stage_images": 24, "max_resolution": 8}
    eager, captured = small(**settings), small(**settings)
    captured.perform = Graphs(captured, record, pytest.fail)
    replayed = []
    for _ in range(14):
        assert_same(eager.update(), captured.update())
        replayed.append(len(captured.perform._graphs))
    assert_same(eager.state(), captured.state())
    assert replayed[6:12] == [0, 0, 0, 1, 1, 1]  # within the fade


@pytest.mark.slow
def test_two_ranks_stop_and_go_on(tmp_path: Path) -> None:
    """Bitwise, from the middle and the border of a fade, also in two passes; see the worker."""
    worker = Path(__file__).with_name("progressive_rank_worker.py")
    results = two_ranks(worker, tmp_path / "meeting")
    assert results.pop("stops") == [4, 6]
    alphas = results.pop("alphas")  # of two passes as of one
    assert alphas == 2 * [pytest.approx([1, 1, 1, 0, 1 / 3, 2 / 3, 1, 1])]
    assert results == {"resumed differs": [], "ranks differ": []}


RUN: dict[str, Any] = {
    "algorithm": "progressive",
    "architecture": "quick",
    "width": 0.1,
    "batch_size": 4,
    "stage_images": 8,
    "last_images": 8,
    "gpu": -1,
    "sample_interval": 0,
    "evaluation_interval": 0,
    "display_interval": 1,
    "tensorboard": False,
}


def test_a_run_from_its_stages_alone(
    toy_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its length, its log, and a snapshot of an early stage as a model of its own."""
    monkeypatch.chdir(tmp_path)
    straight = ganlib.train(**RUN, dataset=str(toy_file), out="run", keep_snapshots=99)
    assert straight.updater.iteration == 14
    stages = [line["stage"] for line in read_lines(tmp_path / "run" / "log.jsonl")]
    sides = [stage.partition(",")[0] for stage in stages]
    assert sides == ["4x4"] * 2 + ["8x8"] * 4 + ["16x16"] * 4 + ["32x32"] * 4
    assert stages[2:4] == ["8x8, fading in 0%", "8x8, fading in 50%"]
    for end, resume in ((3, None), (4, "parts"), (14, "parts")):
        parts = ganlib.train(**RUN, dataset=str(toy_file), out="parts", max_iter=end, resume=resume)
    assert_same(straight.updater.state(), parts.updater.state())
    early = ganlib.load(tmp_path / "parts/snapshots/iter_0000004.pt")
    images = early.sample(2)
    assert images.shape == (2, 1, 28, 28)
    assert early.updater.level == 1 and float(early.updater.now["alpha"]) == 0.5
    assert all(len(image.unique()) <= 64 for image in images)  # of 8x8 pixels
    write_weights(early, tmp_path / WEIGHTS)
    write_card(early, tmp_path / CARD, tmp_path / WEIGHTS)
    assert torch.equal(load_export(tmp_path).sample(2), images)


# --- Speed


def in_a_fade(**speed: Any) -> Any:
    updater = small(**{"ema_decay": 0.0})
    accelerate(updater, RunConfig(algorithm="progressive", **speed), 10, pytest.fail)
    for _ in range(5):
        values = updater.update()
    updater.check_finite()
    assert float(updater.now["alpha"]) == pytest.approx(1 / 3)
    return values, updater.state()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_blocks_that_are_computed_twice_fade_alike(precision: str) -> None:
    plain, twice = (in_a_fade(precision=precision, checkpoint_blocks=on) for on in (False, True))
    assert_same(plain, twice)


def test_bfloat16_is_near_float32() -> None:
    (exact, _), (rounded, _) = in_a_fade(precision="fp32"), in_a_fade(precision="bf16")
    for name, value in exact.items():
        assert rounded[name].dtype == torch.float32
        torch.testing.assert_close(rounded[name], value, rtol=0.2, atol=0.2)
    assert any(not torch.equal(rounded[name], value) for name, value in exact.items())


@pytest.mark.slow
def test_compiled_losses_are_traced_once_in_a_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for every alpha, however many stages; and they compute what the eager ones do."""
    from torch._dynamo.utils import counters

    monkeypatch.setattr(torch._dynamo.config, "recompile_limit", 2)
    torch._dynamo.reset()
    counters.clear()
    eager, compiled = small(), small()
    compile_update(compiled, pytest.fail, "aot_eager")
    for _ in range(STARTS[2] + 2):
        a, b = eager.update(), compiled.update()
        for name in a:
            torch.testing.assert_close(a[name], b[name], rtol=1e-3, atol=1e-4)
    assert counters["stats"]["unique_graphs"] == 2 * 3  # two losses in three stages
    torch._dynamo.reset()
