"""SRGAN: sizes, the content losses, the two trainings in one run, and runs that stop in either."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from parameters import count
from straight_run import assert_goes_on, steps_of, straight_run
from torch import Tensor
from vgg_weights import write_vgg

import ganlib
from ganlib.common.data import DataSpec
from ganlib.common.errors import UserError
from ganlib.common.io.jsonl import read_lines
from ganlib.contract.fixtures import small_updater
from ganlib.contract.tape import prepare, record
from ganlib.contract.test_contract import assert_same
from ganlib.registry import algorithms
from ganlib.runs.settings import resolve
from ganlib.sampling.exports.export import CARD, WEIGHTS, load_export, write_card, write_weights
from ganlib.speed.compiled import compile_update
from ganlib.speed.graph import Graphs
from ganlib.srgan.net import doubling

ALGORITHM = algorithms["srgan"]
SMALL: dict[str, Any] = {"pretrain_iter": 3, "max_iter": 9, "ema_decay": 0.9}


def small(passes: int = 1, side: int = 16, **settings: Any) -> Any:
    updater = small_updater("srgan", 3, side, **{**SMALL, **settings})
    updater.split(passes)
    return updater


def spec_of(image: tuple[int, ...], source: tuple[int, ...], **more: Any) -> DataSpec:
    wide = [(3, *size) if len(size) == 2 else size for size in (image, source)]
    return DataSpec(wide[0], wide[0], source=wide[1], **more)  # type: ignore[arg-type]


def build(spec: DataSpec, **settings: Any) -> tuple[Any, Any]:
    networks = ALGORITHM.build(ALGORITHM.config(**settings), spec)
    return networks["gen"], networks["dis"]


def numpy(x: Tensor) -> np.ndarray[Any, Any]:
    array: np.ndarray[Any, Any] = x.detach().double().numpy()
    return array


# --- Networks


def test_the_papers_sizes() -> None:
    with torch.device("meta"):
        gen, dis = build(spec_of((96, 96), (24, 24)))
        images = gen(gen.make_hidden(2), torch.zeros(2, 3, 24, 24))
        assert images.shape == (2, 3, 96, 96) and dis(images).shape == (2, 1)
    assert (count(gen), count(dis)) == (1_549_462, 23_565_505)
    assert gen.n_hidden == 0 and gen.multiple == 1


@pytest.mark.parametrize(
    ("size", "left"),
    [((96, 96), (6, 6)), ((28, 28), (2, 2)), ((40, 100), (3, 7)), ((4, 8), (1, 1))],
)
def test_the_discriminator_takes_every_size(size: tuple[int, int], left: tuple[int, int]) -> None:
    """Its strides round up, so that an odd side keeps its last pixel."""
    with torch.device("meta"):
        _, dis = build(spec_of(size, (size[0] // 2, size[1] // 2)))
        assert dis(torch.zeros(2, 3, *size)).shape == (2, 1)
    assert dis.l4[0].in_features == 512 * left[0] * left[1]
    strides = [layer[0].stride[0] for layer in dis.features[:-1]]
    assert strides == [1, 2, 1, 2, 1, 2, 1, 2]
    assert [len(layer) for layer in dis.features[:-1]] == [2] + 7 * [3]  # no norm in the first


@pytest.mark.parametrize(("factor", "doublings"), [(2, 1), (4, 2), (8, 3)])
def test_the_factor_follows_from_the_data(factor: int, doublings: int) -> None:
    spec = spec_of((1, 6 * factor, 5 * factor), (3, 6, 5))
    gen, _ = build(spec, architecture="quick", blocks=1)
    assert len(gen.doublings) == doublings
    y = torch.rand(2, 3, 6, 5) * 2 - 1
    assert gen(gen.make_hidden(2), y).shape == (2, 1, 6 * factor, 5 * factor)
    other = torch.rand(1, 3, 11, 3)
    assert gen(gen.make_hidden(1), other).shape == (1, 1, 11 * factor, 3 * factor)


@pytest.mark.parametrize(
    ("spec", "sizes"),
    [
        (spec_of((24, 24), (8, 8)), "24x24 have sources of 8x8"),
        (spec_of((24, 24), (12, 6)), "24x24 have sources of 6x12"),
        (spec_of((24, 24), (24, 24)), "24x24 have sources of 24x24"),
        (spec_of((32, 32), (2, 8, 8), source_kind="ids"), "32x32 have sources of 8x8"),
    ],
)
def test_other_factors_are_refused(spec: DataSpec, sizes: str) -> None:
    with pytest.raises(UserError, match=f"2, 4 or 8 times as large as their sources.*{sizes}: giv"):
        build(spec)


def test_four_channels_become_a_square_of_four_pixels() -> None:
    torch.manual_seed(0)
    layers, h = doubling(2), torch.randn(2, 2, 3, 4)
    with torch.no_grad():
        found = layers(h)
        wide = F.conv2d(h, layers[0].weight, layers[0].bias, padding=1)
        expected = torch.zeros(2, 2, 6, 8)
        for c, i, j, a, b in np.ndindex(2, 3, 4, 2, 2):
            value = wide[:, 4 * c + 2 * a + b, i, j]
            expected[:, c, 2 * i + a, 2 * j + b] = torch.where(value > 0, value, 0.25 * value)
    torch.testing.assert_close(found, expected)


def test_sources_are_in_0_to_1_inside() -> None:
    gen, _ = build(spec_of((16, 16), (4, 4)), architecture="quick")
    seen: list[Tensor] = []
    gen.first.register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0]))
    for value in (-1.0, 0.5, 1.0):
        gen(gen.make_hidden(2), torch.full((2, 3, 4, 4), value))
    assert [float(y.unique()) for y in seen] == [0.0, 0.75, 1.0]


def test_residuals_are_added_twice() -> None:
    """Where every block and the layer behind them add nothing, the first layer alone is left."""
    gen, _ = build(spec_of((16, 16), (4, 4)), architecture="quick", blocks=2)
    for norm in (*(block.layers[-1] for block in gen.blocks), gen.middle[-1]):
        torch.nn.init.zeros_(norm.weight)
    y = torch.rand(2, 3, 4, 4)
    expected = gen.last(gen.doublings(gen.first((y + 1) / 2)))
    torch.testing.assert_close(gen(gen.make_hidden(2), y), expected)


# --- Losses


def softplus(x: Any) -> Any:
    return np.log1p(np.exp(x))


def test_the_losses_by_hand() -> None:
    updater = small()
    torch.manual_seed(0)
    x, g = torch.rand(2, 4, 3, 16, 16) * 2 - 1
    y_x, y_g = numpy(updater.dis(x)), numpy(updater.dis(g))
    square = ((numpy(x) - numpy(g)) ** 2).mean()
    with torch.no_grad():
        (dis, y_real), gen = updater.loss_dis(x, g), updater.loss_gen(x, g)
    np.testing.assert_array_equal(y_real, y_x)
    assert [float(v) for v in gen] == pytest.approx([square, softplus(-y_g).mean()], rel=1e-5)
    expected = softplus(-y_x).mean() + softplus(y_g).mean()
    assert float(dis) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_content_of_vgg_by_hand(channels: int, tmp_path: Path) -> None:
    """The mean square of the activations' difference, each divided by 12.75."""
    weights = write_vgg(tmp_path / "vgg.pth", 4)
    settings = {"content": "vgg22", "vgg_weights": tmp_path / "vgg.pth"}
    updater = small_updater("srgan", channels, 16, **settings)
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])

    def activations(x: Tensor) -> np.ndarray[Any, Any]:
        pixels = numpy(x.repeat(1, 3 // channels, 1, 1)) / 2 + 0.5
        h = torch.from_numpy((pixels - mean[:, None, None]) / std[:, None, None]).float()
        for k in (0, 2, 5, 7):
            h = F.max_pool2d(h, 2) if k == 5 else h
            h = F.conv2d(h, weights[f"features.{k}.weight"], weights[f"features.{k}.bias"], 1, 1)
            h = h.relu()
        return numpy(h)

    x, g = torch.rand(2, 2, channels, 16, 16) * 2 - 1
    expected = ((activations(x) - activations(g)) ** 2).mean() / 12.75**2
    assert float(updater.content(x, g)) == pytest.approx(expected, rel=1e-4)
    assert 1 / 12.75**2 == pytest.approx(0.006, abs=2e-4)  # the paper's other number for it


def test_both_terms_reach_the_generator_with_their_weights() -> None:
    updater = small(pretrain_iter=0, lam=0.5)
    taken = steps_of(updater)
    seen = {name: float(value) for name, value in updater.update().items()}
    assert taken["gen"] == pytest.approx(seen["loss_content"] + 0.5 * seen["loss_gen"])
    assert list(taken) == ["dis", "gen"] and taken["dis"] == seen["loss_dis"]


@pytest.mark.parametrize(
    ("settings", "side", "words"),
    [
        ({"content": "vgg54"}, 16, "--content vgg54 needs --vgg-weights FILE.*vgg19-dcbb9e9d.pth"),
        ({"vgg_weights": "x.pth"}, 16, "--vgg-weights is for --content vgg22 or vgg54"),
        ({"content": "vgg22", "vgg_weights": "no.pth"}, 16, "There is no file no.pth of VGG19's"),
        ({"content": "vgg22", "vgg_weights": "no.pth"}, 8, "from 16 pixels on: give --content pi"),
    ],
)
def test_content_that_cannot_be_had(settings: dict[str, Any], side: int, words: str) -> None:
    with pytest.raises(UserError, match=words):
        small(side=side, **settings)


# --- The two trainings


def weights_of(network: Any) -> list[Tensor]:
    return [t.clone() for t in network.state_dict().values()]


def test_the_discriminator_waits_for_its_training() -> None:
    updater, moved, names = small(), [], []
    for k in range(6):
        before = weights_of(updater.dis)
        names.append(updater.stage_name(k))
        values = updater.update()
        now = weights_of(updater.dis)
        moved.append(not all(torch.equal(a, b) for a, b in zip(before, now, strict=True)))
        assert set(values) == {"loss_content"} | ({"loss_dis", "loss_gen"} if k >= 3 else set())
    assert moved == 3 * [False] + 3 * [True]
    assert names == 3 * ["content alone"] + 3 * ["adversarial"]
    steps = {n: {int(s["step"]) for s in o.state.values()} for n, o in updater.optimizer.items()}
    assert steps == {"gen": {3}, "dis": {3}}  # both count from where their training began


def test_the_first_training_compares_pixels_always(tmp_path: Path) -> None:
    write_vgg(tmp_path / "vgg.pth", 4)
    settings = {"content": "vgg22", "vgg_weights": tmp_path / "vgg.pth"}
    pixels, features = small(), small(**settings)
    for _ in range(3):
        assert_same(pixels.update(), features.update())
    assert float(pixels.update()["loss_content"]) != float(features.update()["loss_content"])


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"pretrain_iter": 4, "max_iter": 10}, 7 * [1.0] + 3 * [0.1]),
        ({"pretrain_iter": 0, "max_iter": 5}, 3 * [1.0] + 2 * [0.1]),
        ({"pretrain_iter": 5, "max_iter": 5}, 5 * [1.0]),
        ({"pretrain_iter": 5, "max_iter": 3}, 5 * [1.0]),
        ({"pretrain_iter": 2, "max_iter": 4, "lr_decay": "none"}, 4 * [1.0]),
        ({"pretrain_iter": 2, "max_iter": 4, "lr_decay": "linear"}, [1.0, 0.75, 0.5, 0.25]),
    ],
)
def test_the_learning_rate_as_a_table(settings: dict[str, Any], expected: list[float]) -> None:
    updater = small(**settings)
    found = [updater.schedule(k)["lr"] for k in range(len(expected))]
    assert found == pytest.approx(expected)


def test_the_papers_numbers() -> None:
    updater = small_updater("srgan", 3, 16, pretrain_iter=1_000_000)
    borders = (999_999, 1_000_000, 1_099_999, 1_100_000, 1_199_999)
    assert [updater.schedule(k)["lr"] for k in borders] == [1, 1, 1, 0.1, 0.1]
    assert [updater.stage(k).number for k in borders] == [0, 1, 1, 1, 1]
    assert updater.length() == 1_200_000
    c = ALGORITHM.config()
    numbers = (c.batch_size, c.blocks, c.lam, c.adam_alpha, c.adam_beta1, c.adam_beta2)
    assert numbers == (16, 16, 1e-3, 1e-4, 0.9, 0.999)
    assert c.image_size(28, 30) == (28, 30) and c.statistics == "running"


# --- Runs that stop


@cache
def straight(passes: int) -> list[tuple[Any, Tensor]]:
    """After each iteration of a run the state, and samples."""
    return straight_run(small(passes), 8)


@pytest.mark.parametrize("passes", [1, 2])
@pytest.mark.parametrize("stop", [2, 3, 4])
def test_a_run_that_goes_on_is_the_straight_one(stop: int, passes: int) -> None:
    """Bitwise, from the middle of each training and from the border between them."""
    updater, kept = small(passes), straight(passes)
    assert_goes_on(updater, kept, stop)


def test_captured_updates_follow_the_trainings(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the stand-in for a CUDA graph, which refuses to read a value; the rate reaches it."""
    settings = {"pretrain_iter": 6, "max_iter": 18}
    eager, captured = small(**settings), small(**settings)
    prepare(monkeypatch, eager, captured)
    captured.perform = Graphs(captured, record, pytest.fail)
    for _ in range(15):
        assert_same(eager.update(), captured.update())
    assert_same(eager.state(), captured.state())
    assert len(captured.perform._graphs) == 1 and float(captured.now["lr"]) == pytest.approx(0.1)


RUN: dict[str, Any] = {
    "algorithm": "srgan",
    "source": "low-resolution:4",
    "architecture": "quick",
    "width": 0.25,
    "blocks": 1,
    "batch_size": 4,
    "pretrain_iter": 2,
    "gpu": -1,
    "sample_interval": 0,
    "evaluation_interval": 0,
    "display_interval": 1,
    "tensorboard": False,
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_run_and_sources_of_other_sizes(toy_file: Path, here: Path) -> None:
    model = ganlib.train(**RUN, dataset=str(toy_file), out="run", max_iter=4)
    assert model.spec.image == (1, 28, 28) and model.spec.source == (1, 7, 7)
    assert model.sample(3).shape == (3, 1, 28, 28)
    stages = [line["stage"] for line in read_lines(here / "run" / "log.jsonl")]
    assert stages == 2 * ["content alone"] + 2 * ["adversarial"]
    large = model.decode(torch.empty(2, 0), torch.rand(2, 1, 9, 12) * 2 - 1)
    assert large.shape == (2, 1, 36, 48) and large.abs().max() <= 1
    other = {**RUN, "pretrain_iter": 0}
    more = ganlib.train(**other, dataset=str(toy_file), out="more", max_iter=1, init_from="run")
    assert more.updater.stage_name(0) == "adversarial"


def test_weights_may_move_but_not_change(toy_file: Path, here: Path) -> None:
    """A run goes on where the file lies now, samples need none, and no card says where it lay."""
    write_vgg(here / "vgg.pth", 4)
    settings = {**RUN, "dataset": str(toy_file), "content": "vgg22", "lr_decay": "none"}
    whole = ganlib.train(**settings, vgg_weights="vgg.pth", out="whole", max_iter=4)
    assert "vgg_weights: vgg.pth" in (here / "whole" / "config.yaml").read_text()
    ganlib.train(**settings, vgg_weights="vgg.pth", out="parts", max_iter=2)
    (here / "moved").mkdir()
    (here / "vgg.pth").rename(here / "moved" / "vgg.pth")
    settings |= {"resume": "parts", "max_iter": 4}
    with pytest.raises(UserError, match=r"There is no file vgg.pth"):
        ganlib.train(**settings, vgg_weights="vgg.pth")
    write_vgg(here / "vgg.pth", 4, seed=1)
    with pytest.raises(UserError, match="network 'vgg' had the SHA-256"):
        ganlib.train(**settings, vgg_weights="vgg.pth")
    parts = ganlib.train(**settings, vgg_weights="moved/vgg.pth")
    assert_same(whole.updater.state(), parts.updater.state())
    (here / "moved" / "vgg.pth").unlink()
    loaded = ganlib.load(here / "parts", dataset=str(toy_file))
    images = loaded.sample(2)
    assert torch.equal(images, parts.sample(2))
    write_weights(loaded, here / WEIGHTS)
    write_card(loaded, here / CARD, here / WEIGHTS)
    assert "vgg.pth" not in (here / CARD).read_text()
    assert torch.equal(load_export(here, dataset=str(toy_file)).sample(2), images)


def test_where_a_file_lies_is_of_no_trajectory() -> None:
    assert ALGORITHM.config.places() == ["vgg_weights"]
    assert algorithms["sngan"].config.places() == []
    settings = resolve({"algorithm": "srgan", "vgg_weights": "a.pth"})
    assert "vgg_weights" not in settings.trajectory() and settings.flat()["vgg_weights"] == "a.pth"
    assert {"content", "max_iter", "pretrain_iter"} <= settings.trajectory().keys()


@pytest.mark.slow
def test_compiled_losses_are_those_of_both_trainings(tmp_path: Path) -> None:
    write_vgg(tmp_path / "vgg.pth", 4)
    settings = {"content": "vgg22", "vgg_weights": tmp_path / "vgg.pth", "pretrain_iter": 2}
    torch._dynamo.reset()
    eager, compiled = small(**settings), small(**settings)
    compile_update(compiled, pytest.fail, "aot_eager")
    for _ in range(4):
        a, b = eager.update(), compiled.update()
        for name in a:
            torch.testing.assert_close(a[name], b[name], rtol=1e-3, atol=1e-4)
    torch._dynamo.reset()
