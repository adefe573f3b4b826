"""CycleGAN: networks, losses by hand, the order of its steps, pools, and rates."""

from typing import Any

import numpy as np
import pytest
import torch
from parameters import count
from torch import Tensor, nn

from ganlib.common.augment import POLICIES
from ganlib.common.data import DataSet, DataSpec
from ganlib.common.errors import UserError
from ganlib.contract.fixtures import small_updater
from ganlib.contract.test_contract import assert_same, copied
from ganlib.cyclegan import ALGORITHM
from ganlib.cyclegan.net import Translator
from ganlib.cyclegan.updater import Config

SMALL: dict[str, Any] = {"width": 0.05, "blocks": 1, "n_layers": 2, "batch_size": 1}


def small(channels: int = 1, side: int = 16, data: DataSet | None = None, **settings: Any) -> Any:
    return small_updater("cyclegan", channels, side, data, **{**SMALL, **settings})


def spec_of(side: int, channels: int = 3, sources: int = 3) -> DataSpec:
    image = (channels, side, side)
    return DataSpec(image, image, source=(sources, side, side))


# --- Networks


@pytest.mark.parametrize(
    ("side", "blocks", "of_gen"),
    [(128, 0, 7_837_699), (256, 0, 11_378_179), (128, 9, 11_378_179), (256, 6, 7_837_699)],
)
def test_the_papers_networks(side: int, blocks: int, of_gen: int) -> None:
    with torch.device("meta"):
        networks = ALGORITHM.networks(Config(blocks=blocks), spec_of(side))
        assert networks["dis"](torch.zeros(1, 3, side, side)).shape[2:] == (side // 8 - 2,) * 2
    counts = {name: count(network) for name, network in networks.items()}
    assert counts == {"gen": of_gen, "back": of_gen, "dis": 2_764_737, "dis_back": 2_764_737}


def test_the_layers_of_a_generator() -> None:
    gen = Translator(3, 1, blocks=2, ch=8, upsampling="transposed")
    layers = [m for m in gen.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    found = [(m.in_channels, m.out_channels, m.kernel_size[0], m.stride[0]) for m in layers]
    blocks = 4 * [(32, 32, 3, 1)]
    up = [(32, 16, 3, 2), (16, 8, 3, 2), (8, 1, 7, 1)]
    assert found == [(3, 8, 7, 1), (8, 16, 3, 2), (16, 32, 3, 2), *blocks, *up]
    pads = [m.padding[0] for m in gen.modules() if isinstance(m, nn.ReflectionPad2d)]
    assert pads == [3, 1, 1, 1, 1, 3]
    assert all(m.bias is not None and not m.bias.any() for m in layers)
    weights = torch.cat([m.weight.detach().flatten() for m in layers])
    assert float(weights.std()) == pytest.approx(0.02, rel=0.02)
    norms = [m for m in gen.modules() if isinstance(m, nn.InstanceNorm2d)]
    assert len(norms) == len(layers) - 1
    for norm in norms:
        assert norm.eps == 1e-5 and not norm.affine and not norm.track_running_stats


def test_a_generator_by_hand() -> None:
    """In NumPy's padding and sums: its first layer, and what a block adds to."""
    torch.manual_seed(0)
    gen = Translator(1, 1, blocks=1, ch=2, upsampling="transposed").double()
    for p in gen.parameters():
        nn.init.normal_(p, 0, 0.3)
    y = torch.rand(1, 1, 8, 12, dtype=torch.float64)
    first, block = gen.layers[0], gen.layers[3]
    conv: Any = first[1]  # type: ignore[index]
    padded = np.pad(y[0, 0].numpy(), 3, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (7, 7))
    h = np.einsum("ijkl,okl->oij", windows, conv.weight[:, 0].detach().numpy())
    h = h - h.mean((1, 2), keepdims=True)
    h = np.maximum(h / np.sqrt(h.var((1, 2), keepdims=True) + 1e-5), 0)
    with torch.no_grad():
        torch.testing.assert_close(first(y)[0], torch.from_numpy(h))
        x = torch.randn(1, 8, 2, 3, dtype=torch.float64)
        assert torch.equal(block(x), x + block.layers(x))  # type: ignore[operator]
        assert (block(x) < 0).any()  # no ReLU behind the sum


@pytest.mark.parametrize("size", [(8, 8), (12, 20), (32, 16)])
def test_sides_that_are_multiples_of_four_stay(size: tuple[int, int]) -> None:
    gen = Translator(3, 1, blocks=1, ch=2, upsampling="transposed")
    x = gen(gen.make_hidden(2), torch.rand(2, 3, *size))
    assert x.shape == (2, 1, *size) and float(x.detach().abs().max()) <= 1
    assert gen.multiple == 4 and gen.n_hidden == 0


def test_an_image_is_normalised_alone() -> None:
    gen = Translator(1, 1, blocks=1, ch=4, upsampling="transposed")
    y = torch.rand(3, 1, 8, 8)
    with torch.no_grad():
        whole, alone = gen(gen.make_hidden(3), y), gen.eval()(gen.make_hidden(1), y[1:2])
    torch.testing.assert_close(whole[1:2], alone)


@pytest.mark.parametrize("size", [(10, 12), (12, 14)])
def test_other_sides_are_a_sentence(size: tuple[int, int]) -> None:
    gen = Translator(1, 1, blocks=1, ch=2, upsampling="transposed")
    with pytest.raises(UserError, match=f"{size[1]}x{size[0]} .* multiples of 4"):
        gen(gen.make_hidden(1), torch.rand(1, 1, *size))


@pytest.mark.parametrize(
    ("n_layers", "size", "wanted"),
    [
        (3, (28, 28), (28, 28)),
        (3, (62, 65), (64, 68)),
        (3, (8, 256), (24, 256)),
        (2, (8, 8), (12, 12)),
        (0, (8, 9), (8, 12)),
        (3, (1, 1), (1, 1)),
    ],
)
def test_the_size_of_images(n_layers: int, size: tuple[int, int], wanted: tuple[int, int]) -> None:
    assert Config(n_layers=n_layers).image_size(*size) == wanted


@pytest.mark.parametrize("n_layers", [0, 1, 2, 3, 4])
def test_the_smallest_images_can_be_judged(n_layers: int) -> None:
    side, _ = Config(n_layers=n_layers).image_size(8, 8)
    updater = small(side=side, n_layers=n_layers)
    updater.update()
    updater.check_finite()


def test_what_cannot_be_translated_is_a_sentence() -> None:
    config = Config(width=0.05)
    with pytest.raises(UserError, match=r"have 3 and 1 channels: give --lam-idt 0"):
        ALGORITHM.networks(config, spec_of(32, sources=1))
    ALGORITHM.networks(Config(width=0.05, lam_idt=0), spec_of(32, sources=1))
    other = DataSpec((3, 32, 32), (3, 32, 32), source=(3, 8, 8))
    with pytest.raises(UserError, match="32x32 and sources of 8x8 must be of one size"):
        ALGORITHM.networks(config, other)
    points = DataSpec((2, 1, 1), (2, 1, 1), source=(2, 1, 1))
    with pytest.raises(UserError, match="translates images, and these data are points"):
        ALGORITHM.networks(config, points)


def test_both_discriminators_see_augmented_images() -> None:
    updater = small(diffaugment=tuple(POLICIES))
    x = torch.rand(4, 1, 16, 16)
    for dis in (updater.dis, updater.dis_back):
        assert not torch.equal(dis(x), dis(x))
    updater.update()


# --- Losses


def test_the_losses_by_hand() -> None:
    updater = small(3, lam=7.0, lam_back=3.0, lam_idt=0.25, dtype=torch.float64)
    torch.manual_seed(1)
    x, y, x_fake, y_fake, x_again, y_again = torch.randn(6, 1, 3, 16, 16, dtype=torch.float64)
    none = updater.gen.make_hidden(1)
    logits = {
        name: getattr(updater, name)(t).detach().numpy()
        for name, t in (("dis", x_fake), ("dis_back", y_fake))
    }
    real = updater.dis(x).detach().numpy(), updater.dis_back(y).detach().numpy()
    with torch.no_grad():
        there, back = updater.loss_gen(x_fake, y_fake)
        found = updater.loss_dis(x, x_fake), updater.loss_dis_back(y, y_fake)
    assert float(there) == pytest.approx(np.mean((logits["dis"] - 1) ** 2))
    assert float(back) == pytest.approx(np.mean((logits["dis_back"] - 1) ** 2))
    for loss, seen, name in zip(found, real, ("dis", "dis_back"), strict=True):
        by_hand = 0.5 * (np.mean((seen - 1) ** 2) + np.mean(logits[name] ** 2))
        assert float(loss) == pytest.approx(by_hand)
    cycle = 7 * np.abs((y_again - y).numpy()).mean() + 3 * np.abs((x_again - x).numpy()).mean()
    assert float(updater.loss_cycle(y, y_again, x, x_again)) == pytest.approx(cycle)
    with torch.no_grad():
        of_gen, of_back = updater.gen(none, x) - x, updater.back(none, y) - y
        idt = 0.25 * (3 * np.abs(of_gen.numpy()).mean() + 7 * np.abs(of_back.numpy()).mean())
        assert float(updater.loss_idt(none, x, y)) == pytest.approx(idt)


def test_without_the_identity_loss_there_is_none() -> None:
    assert "loss_idt" in small().update()
    assert "loss_idt" not in small(lam_idt=0).update()


# --- The order of an iteration


def test_what_moves_in_which_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both generators against discriminators as they were; then both discriminators, which are
    shown what the generators made before they moved.
    """
    updater = small(pool_images=0)
    names, moved, step = ("gen", "back", "dis", "dis_back"), [], updater.step
    made: dict[str, list[Tensor]] = {"gen": [], "back": []}
    for name, kept in made.items():
        getattr(updater, name).register_forward_hook(
            lambda _, args, x, kept=kept: kept.append(x.detach().clone())
        )
    shown: dict[str, list[Tensor]] = {"dis": [], "dis_back": []}
    for name, seen in shown.items():
        getattr(updater, name).register_forward_pre_hook(
            lambda _, args, seen=seen: seen.append(args[0].detach().clone())
        )

    def weights() -> dict[str, Tensor]:
        vector = nn.utils.parameters_to_vector
        return {n: vector(getattr(updater, n).parameters()).detach().clone() for n in names}

    def watch(**losses: Tensor) -> None:
        before = weights()
        step(**losses)
        after = weights()
        moved.append({n for n in names if not torch.equal(before[n], after[n])})

    monkeypatch.setattr(updater, "step", watch)
    updater.update()
    assert moved == [{"gen", "back"}, {"dis", "dis_back"}]
    for name, fakes in (("dis", made["gen"][0]), ("dis_back", made["back"][0])):
        assert len(shown[name]) == 3  # in the generators' step; a real one and the same fake
        assert torch.equal(shown[name][0], fakes) and torch.equal(shown[name][2], fakes)


def test_one_adam_for_two_networks() -> None:
    updater = small()
    updater.update()
    for name, networks in (("gen", ("gen", "back")), ("dis", ("dis", "dis_back"))):
        (group,) = updater.optimizer[name].param_groups
        parameters = [p for n in networks for p in getattr(updater, n).parameters()]
        assert [id(p) for p in group["params"]] == [id(p) for p in parameters]
        assert group["betas"] == (0.5, 0.999)
    assert Config().adam_alpha == 2e-4


def test_the_rate_falls_in_the_second_half() -> None:
    updater = small(max_iter=200)
    rates = [updater.schedule(k)["lr"] for k in (0, 99, 100, 150, 199)]
    assert rates == pytest.approx([1, 1, 1, 0.5, 0.01])


# --- Pools


def test_discriminators_are_shown_older_images_too() -> None:
    """Against a list for each direction."""
    updater = small(pool_images=2)
    made: dict[str, list[Tensor]] = {"gen": [], "back": []}
    shown: dict[str, list[Tensor]] = {"dis": [], "dis_back": []}
    for name, kept in made.items():
        getattr(updater, name).register_forward_hook(
            lambda _, args, x, kept=kept: kept.append(x.detach().clone())
        )
    for name, kept in shown.items():
        getattr(updater, name).register_forward_pre_hook(
            lambda _, args, kept=kept: kept.append(args[0].detach().clone())
        )
    older = 0
    history: dict[str, list[Tensor]] = {"gen": [], "back": []}
    for k in range(12):
        for kept in (*made.values(), *shown.values()):
            kept.clear()
        updater.update()
        for gen, dis in (("gen", "dis"), ("back", "dis_back")):
            history[gen].append(made[gen][0])
            places = [i for i, x in enumerate(history[gen]) if torch.equal(x, shown[dis][2])]
            assert places  # one that was made, blended with nothing
            assert k >= 2 or places == [k]
            older += places != [k]
    assert 4 <= older <= 18
    assert updater.pool.count == updater.pool_back.count == 2


def test_without_a_pool_all_pass_through() -> None:
    updater = small(pool_images=0)
    x = torch.rand(3, 1, 16, 16)
    assert torch.equal(updater._older(updater.pool, x), x)
    updater.update()


@pytest.mark.parametrize("passes", [1, 2])
def test_a_run_goes_on_with_half_a_pool(passes: int) -> None:
    def fresh() -> Any:
        updater = small(pool_images=8, batch_size=2, ema_decay=0.9)
        updater.split(passes)
        return updater

    straight, stopped, resumed = fresh(), fresh(), fresh()
    for _ in range(2):
        straight.update()
        stopped.update()
    assert straight.pool.count == straight.pool_back.count == 4
    resumed.load_state(copied(stopped.state()))
    for _ in range(6):
        assert_same(straight.update(), resumed.update())
    assert_same(straight.state(), resumed.state())
    assert straight.pool.count == 8


def test_passes_keep_the_pools_of_one_process() -> None:
    one, two = (small(pool_images=6, batch_size=4, dtype=torch.float64) for _ in range(2))
    two.split(2)
    for _ in range(3):
        one.update()
        two.update()
    for name, buffer in one.state_dict().items():
        torch.testing.assert_close(two.state_dict()[name], buffer, rtol=0, atol=1e-9)


# --- The way back


def test_the_average_of_the_way_back_follows_by_hand() -> None:
    updater = small(ema_decay=0.9)
    expected = {n: p.detach().clone() for n, p in updater.back.named_parameters()}
    for k in range(1, 4):
        updater.update()
        decay = min(0.9, (1 + k) / (10 + k))
        for name, p in updater.back.named_parameters():
            expected[name] = decay * expected[name] + (1 - decay) * p.detach()
    for name, p in updater.average_back.named_parameters():
        torch.testing.assert_close(p, expected[name])
    assert set(updater.trained) == {"gen", "back", "dis", "dis_back"}


def test_pictures_show_both_ways() -> None:
    x = torch.randint(256, (9, 3, 14, 14)).byte()
    data = DataSet("set", x, source=x[:5, :1])
    updater = small(3, 14, data, lam_idt=0)
    pictures = updater.pictures(0)
    assert {name: p.shape for name, p in pictures.items()} == {
        "there_and_back": (24, 3, 14, 14),
        "back_and_there": (24, 3, 14, 14),
    }
    there = pictures["there_and_back"]
    sources, made, again = there.split(8)
    shown = {tuple(row) for row in sources[:, 0].flatten(1).tolist()}
    assert shown == {tuple(row) for row in (x[:5, 0] / 127.5 - 1).flatten(1).tolist()}
    assert torch.equal(sources[:, 0], sources[:, 2]) and torch.equal(again[:, 0], again[:, 2])
    assert not torch.equal(made[:, 0], made[:, 2])
    updater.update()
    assert not torch.equal(updater.pictures(0)["there_and_back"], there)
    updater.held_out = None
    assert updater.pictures(0) == {}
