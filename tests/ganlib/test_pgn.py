"""PGN: networks layer by layer, the LSTM, roll-outs, losses by hand, scores and pictures."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from parameters import count
from PIL import Image
from torch import Tensor, nn

import ganlib
from ganlib.__main__ import cli
from ganlib.common.data import DataSet, DataSpec
from ganlib.common.errors import UserError
from ganlib.common.formats.hdf5_writing import write_hdf5
from ganlib.common.io.jsonl import read_lines
from ganlib.common.query import open_dataset
from ganlib.contract.fixtures import small_updater
from ganlib.evaluation.protocol import BASELINES
from ganlib.pgn import ALGORITHM
from ganlib.training.scores.predictions import frame_scores
from ganlib.training.scores.scorer import Drawing

PAST = 3


def spec_of(channels: int, side: int, frames: int = 1, **more: Any) -> DataSpec:
    image, source = (frames * channels, side, side), (PAST * channels, side, side)
    fields: dict[str, Any] = {"frames": frames, "source_frames": PAST, "source": source, **more}
    return DataSpec(image, image, **fields)


def build(spec: DataSpec, **settings: Any) -> dict[str, Any]:
    config: Any = ALGORITHM.config(**settings)
    return ALGORITHM.networks(config, spec)


def sliding(frames: int = 1, channels: int = 1, side: int = 16, videos: int = 3) -> DataSet:
    """Every pair of noisy pictures that slide by a pixel a frame, of some videos of 16 frames."""
    random = torch.Generator().manual_seed(1)
    first = torch.randint(256, (videos, channels, side, side), generator=random).byte()
    x, source = [], []
    for picture in first:
        video = torch.stack([picture.roll(t, 2) for t in range(16)])
        for t in range(16 - PAST - frames + 1):
            source.append(video[t : t + PAST].flatten(0, 1))
            x.append(video[t + PAST : t + PAST + frames].flatten(0, 1))
    sources = torch.stack(source)
    return DataSet("sliding", torch.stack(x), source=sources, frames=frames, source_frames=PAST)


def small(data: DataSet | None = None, **settings: Any) -> Any:
    return small_updater("pgn", data=sliding() if data is None else data, **settings)


# --- Networks


def conv(n_in: int, n_out: int, side: int) -> int:
    return n_in * n_out * side**2 + n_out


def linear(n_in: int, n_out: int) -> int:
    return n_in * n_out + n_out


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", [32, 64])
@pytest.mark.parametrize(("architecture", "ch", "units"), [("pgn", 32, 1024), ("quick", 16, 256)])
def test_parameters_by_hand(
    architecture: str, ch: int, units: int, side: int, channels: int
) -> None:
    spec = spec_of(channels, side, frames=2)
    with torch.device("meta"):
        networks = build(spec, architecture=architecture)
        y, z = torch.zeros(2, *spec.source or ()), torch.empty(2, 0)
        x = networks["gen"](z, y)
        assert x.shape == (2, 2 * channels, side, side)
        assert networks["dis"](x, y).shape == (2, 2)
    code = 4 * ch * (side // 8) ** 2
    encoder = conv(channels, ch, 4) + conv(ch, 2 * ch, 4) + conv(2 * ch, 4 * ch, 4)
    lstm = 4 * units * (code + units + 2)
    ups = conv(4 * ch, 2 * ch, 3) + conv(2 * ch, ch, 3) + conv(ch, ch, 3)
    decoder = linear(units, code) + ups + conv(ch, channels, 3)
    verdict = linear(units + code, units) + linear(units, units) + linear(units, 1)
    assert count(networks["gen"]) == encoder + lstm + decoder
    assert count(networks["dis"]) == encoder + lstm + verdict
    assert networks["gen"].n_hidden == 0


def frames_of(n: int, channels: int = 1) -> Tensor:
    return torch.randn(2, n * channels, 16, 16, generator=torch.Generator().manual_seed(n))


def generator(frames: int = 1, channels: int = 1) -> Any:
    torch.manual_seed(0)
    return build(spec_of(channels, 16, frames), width=0.1)["gen"].double()


@pytest.mark.parametrize("channels", [1, 3])
def test_the_unrolled_memory_is_torchs_lstm(channels: int) -> None:
    memory = generator(channels=channels).memory
    y = frames_of(4, channels).double()
    found = memory(memory.codes(y))
    cell = memory.cell
    lstm = nn.LSTM(cell.input_size, cell.hidden_size, batch_first=True).double()
    lstm.load_state_dict({f"{name}_l0": value for name, value in cell.state_dict().items()})
    each = [memory.encoder(y[:, k * channels : (k + 1) * channels]) for k in range(4)]
    _, expected = lstm(torch.stack(each, 1))
    for mine, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, theirs[0])


def test_the_memory_by_hand() -> None:
    """Two steps of Hochreiter's and Schmidhuber's cell with forget gates, in NumPy."""
    memory = generator().memory
    y = frames_of(2).double()
    codes = [code.detach().numpy() for code in memory.codes(y)]
    w, u, b, d = (value.detach().numpy() for value in memory.cell.parameters())
    h = c = np.zeros((2, memory.cell.hidden_size))
    for code in codes:
        i, f, g, o = np.split(code @ w.T + b + h @ u.T + d, 4, axis=1)
        i, f, o = (1 / (1 + np.exp(-gate)) for gate in (i, f, o))
        c = f * c + i * np.tanh(g)
        h = o * np.tanh(c)
    found_h, found_c = memory(memory.codes(y))
    assert np.allclose(found_h.detach(), h) and np.allclose(found_c.detach(), c)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_roll_out_is_the_next_frame_again_and_again(channels: int) -> None:
    """Each prediction is the newest past frame of the following one."""
    gen = generator(channels=channels)
    past, found = frames_of(PAST, channels).double(), []
    rolled = gen.roll_out(past, 4)
    for _ in range(4):
        found.append(gen.roll_out(past, 1))
        past = torch.cat([past, found[-1]], 1)
    torch.testing.assert_close(rolled, torch.cat(found, 1))
    assert not torch.allclose(found[0], found[1])


def test_the_order_of_frames_matters_to_both() -> None:
    torch.manual_seed(0)
    networks = build(spec_of(1, 16), width=0.1)
    x, y = frames_of(1), frames_of(PAST)
    with torch.no_grad():
        gen, dis = networks["gen"], networks["dis"]
        assert not torch.equal(gen.roll_out(y, 1), gen.roll_out(y.flip(1), 1))
        assert not torch.equal(dis(x, y), dis(x, y.flip(1)))
        assert not torch.equal(dis(x, y), dis(-x, y))


def test_a_later_frame_is_judged_after_the_earlier_ones() -> None:
    torch.manual_seed(0)
    dis = build(spec_of(3, 16), width=0.1)["dis"].double()
    x, y = frames_of(2, 3).double(), frames_of(PAST, 3).double()
    first, second = dis(x, y).unbind(1)
    torch.testing.assert_close(dis(x[:, :3], y)[:, 0], first)
    torch.testing.assert_close(dis(x[:, 3:], torch.cat([y, x[:, :3]], 1))[:, 0], second)


def test_frames_that_differ_are_a_sentence() -> None:
    spec = spec_of(3, 32, source=(PAST, 32, 32))
    with pytest.raises(UserError, match="of 32x32 pixels and 3 channels, .* 3 frames in 32x"):
        build(spec)
    with pytest.raises(UserError, match="sources 3 frames in 16x16 pixels"):
        build(spec_of(1, 32, source=(PAST, 16, 16)))
    with pytest.raises(UserError, match="their sources 1 frame in 32x32 pixels and 2 channels: gi"):
        build(spec_of(1, 32, source=(2, 32, 32), source_frames=1, source_kind="ids"))


# --- Actions


def pushed(frames: int = 2) -> DataSet:
    """Sliding pictures whose sources hold two constant channels for each next frame."""
    data = sliding(frames)
    actions = torch.arange(2 * frames).byte()[None, :, None, None].expand(len(data), -1, 16, 16)
    source = torch.cat([data.source[torch.arange(len(data))], 50 * actions], 1)  # type: ignore
    return replace(data, source=source, source_frames=PAST + 2 * frames)


def test_each_next_frame_follows_from_its_own_action() -> None:
    updater = small(pushed(), actions=2, lam_adv=0.1, predicted=0)
    _, y = next(updater.data)
    assert y.shape == (4, PAST + 4, 16, 16)
    with torch.no_grad():
        first, second = updater.gen.roll_out(y, 2).unbind(1)
        third = updater.gen.roll_out(y, 3)[:, 2]
        later, now = y.clone(), y.clone()
        later[:, PAST + 2] = now[:, PAST] = 0.7
        again, other = updater.gen.roll_out(later, 2).unbind(1)
        assert torch.equal(again, first) and not torch.equal(other, second)
        assert not torch.equal(updater.gen.roll_out(now, 1)[:, 0], first)
        # after the last action it is repeated
        grown = torch.cat([y[:, :PAST], first[:, None], second[:, None], *2 * [y[:, -2:]]], 1)
        torch.testing.assert_close(updater.gen.roll_out(grown, 1)[:, 0], third)
        x = torch.stack([first, second], 1)
        judged, changed = updater.dis(x, y), updater.dis(x, later)
    assert torch.equal(judged[:, 0], changed[:, 0])
    assert not torch.equal(judged[:, 1], changed[:, 1])


def test_actions_are_no_frames() -> None:
    data = pushed()
    updater = small(data, actions=2)
    updater.update()
    picture = updater.pictures(0)["rollout"]
    assert picture.shape[1] == PAST + 2
    found = frame_scores(updater, Drawing(), lambda *_: None)
    every = torch.arange(len(data))
    assert data.source is not None
    last, came = data.source[every][:, PAST - 1] / 255, data.x[every][:, 0] / 255
    copied = float((last - came).double().square().mean())
    assert found["MSE-1"].more[BASELINES] == {"last frame": pytest.approx(copied, rel=1e-4)}
    with pytest.raises(UserError, match="and 7 channels, the last 8 for actions: give sequences"):
        small(data, actions=4)
    told = replace(data, actions=open_dataset("pushed", split="test").actions)
    with pytest.raises(UserError, match=r"--actions is 1, .* is 2 numbers: give --actions 2\."):
        small(told, actions=1)
    for actions in (0, 2):
        small(told, actions=actions)
    with pytest.raises(UserError, match="cutout hides actions from D"):
        small(told, actions=2, diffaugment="color,cutout")
    without = open_dataset("moving", split="test", size=8)
    with pytest.raises(UserError, match="--actions is 2, .* 0 numbers: leave --actions out"):
        small(without, actions=2)
    small(without)


# --- Losses and steps


def test_the_losses_by_hand() -> None:
    """NumPy's logarithms of sigmoids, means over frames."""
    updater = small(sliding(frames=2), predicted=2)
    torch.manual_seed(0)
    x_real, x_fake = torch.randn(2, 4, 2, 16, 16)
    _, y = next(updater.data)
    found, y_real = updater.loss_dis(x_real, x_fake, y)
    logits = [updater.dis(x, y).detach().double().numpy() for x in (x_real, x_fake)]
    real, fake = (1 / (1 + np.exp(-t)) for t in logits)
    assert real.shape == (4, 2) and np.allclose(y_real.detach(), logits[0])
    expected = -np.log(real).mean() - np.log(1 - fake).mean()
    assert float(found.detach()) == pytest.approx(expected, rel=1e-5)
    loss_gen = updater.loss_gen(x_fake, y)
    assert float(loss_gen.detach()) == pytest.approx(-np.log(fake).mean(), rel=1e-5)


@pytest.mark.parametrize(("predicted", "n"), [(1, 1), (2, 2), (0, 3), (9, 3)])
def test_how_many_frames_training_predicts(predicted: int, n: int) -> None:
    updater = small(sliding(frames=3), predicted=predicted, lam_adv=0)
    other = small(sliding(frames=3), lam_adv=0)
    x, y = next(other.data)
    with torch.no_grad():
        expected = (other.gen.roll_out(y, n) - x[:, :n]).square().mean()
    assert float(updater.update()["loss_mse"]) == pytest.approx(float(expected), rel=1e-5)


def test_the_discriminator_steps_first_and_the_generator_meets_the_new_one() -> None:
    """By hand: Adam's steps, each network with its own rate."""
    updater, other = small(lam_adv=0.1), small()
    gen, dis = other.gen, other.dis
    rates = {"gen": (gen, 1e-3), "dis": (dis, 1e-4)}
    adams = {
        name: torch.optim.Adam(network.parameters(), rate, (0.5, 0.999))
        for name, (network, rate) in rates.items()
    }
    softplus = nn.functional.softplus
    values = updater.update()
    x_real, y = next(other.data)
    x_fake = gen(torch.empty(4, 0), y)
    loss = softplus(-dis(x_real, y)).mean() + softplus(dis(x_fake.detach(), y)).mean()
    loss.backward()
    adams["dis"].step()
    new, error = softplus(-dis(x_fake, y)).mean(), (x_fake - x_real).square().mean()
    gen.zero_grad()
    (error + 0.1 * new).backward()
    adams["gen"].step()
    assert float(values["loss_dis"]) == pytest.approx(float(loss.detach()), rel=1e-4)
    assert float(values["loss_gen"]) == pytest.approx(float(new.detach()), rel=1e-4)
    assert float(values["loss_mse"]) == pytest.approx(float(error.detach()), rel=1e-4)
    for mine, theirs in zip(updater.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-5)


def test_without_a_verdict_there_is_no_discriminator() -> None:
    """The paper's baseline: MSE only, and nothing that would stand still."""
    updater, other = small(lam_adv=0), small(lam_adv=0)
    assert list(updater.trained) == ["gen"]
    assert not any(name.startswith("dis") for name in updater.state()["modules"])
    assert list(updater.update()) == ["loss_mse"]
    adam = torch.optim.Adam(other.gen.parameters(), 1e-3, (0.5, 0.999))
    x, y = next(other.data)
    (other.gen(torch.empty(4, 0), y) - x).square().mean().backward()
    adam.step()
    for mine, theirs in zip(updater.gen.parameters(), other.gen.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-5)


def test_a_resumed_roll_out_is_the_unbroken_one() -> None:
    """Several frames, which the contract's example has not."""
    data = sliding(frames=3, channels=3)
    straight, first, second = (small(data, predicted=0) for _ in range(3))
    for _ in range(2):
        straight.update()
        first.update()
    second.load_state(first.state())
    for _ in range(2):
        a, b = straight.update(), second.update()
        assert all(torch.equal(a[name], b[name]) for name in a)
    states = [u.state()["modules"] for u in (straight, second)]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


# --- Pictures and runs


def test_pictures_are_predictions_beside_what_came() -> None:
    data = sliding(frames=1, channels=3)
    updater = small(data)
    picture = updater.pictures(0)["rollout"]
    assert picture.shape == (12, PAST + 10, 3, 18, 18) and picture.abs().max() <= 1
    predicted, true = picture[::2], picture[1::2]
    assert torch.equal(predicted[:, :PAST], true[:, :PAST])
    inside = true[..., 1:-1, 1:-1]
    assert all(torch.equal(inside[:, t], inside[:, 0].roll(t, 3)) for t in range(PAST + 10))
    assert (predicted[:, PAST:, :, 0] > 0).all() and (predicted[:, :PAST, :, 0] == -1).all()
    y = (predicted[:, :PAST, :, 1:-1, 1:-1] + 0).flatten(1, 2)
    with torch.no_grad():
        x = updater.gen.roll_out(y, 10)
    seen = predicted[:, PAST:, :, 1:-1, 1:-1].flatten(1, 2)
    torch.testing.assert_close(seen, x, rtol=0, atol=1 / 127)
    assert torch.equal(picture, updater.pictures(0)["rollout"])
    assert not torch.equal(picture, updater.pictures(1)["rollout"])


SMALL: dict[str, Any] = {
    "algorithm": "pgn",
    "width": 0.05,
    "batch_size": 4,
    "gpu": -1,
    "sample_interval": 2,
    "workers": 0,
    "tensorboard": False,
    "max_iter": 2,
}


@pytest.mark.parametrize("lam_adv", [0, 1e-3])
def test_a_run_on_sequences(
    lam_adv: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """Three next frames of three channels: moving grids, scores of pairs and of frames, which
    `ganlib evaluate` and the model have too.
    """
    monkeypatch.chdir(tmp_path)
    write_hdf5(tmp_path / "s.h5", sliding(3, 3, videos=4), sliding(3, 3, videos=1))
    settings = {"evaluation_interval": 2, "evaluation_images": 8, "best_by": "max:SSIM-10"}
    with pytest.raises(UserError, match="sequences of 3 frames, and features are of single pict"):
        ganlib.train(**SMALL, **settings, dataset="s.h5", metrics="fid")
    model = ganlib.train(**SMALL, **settings, dataset="s.h5", lam_adv=lam_adv, ema_decay=0.5)
    assert model.sample(2).shape == (2, 9, 16, 16)
    assert (model.out / "snapshots/best.pt").is_file()
    for name, frames in (("0000002", 3), ("rollout_0000002", PAST + 10)):
        with Image.open(model.out / "samples" / f"{name}.gif") as film:
            assert getattr(film, "n_frames", 1) == frames
        assert (model.out / "samples" / f"{name}.png").is_file()
    assert "No step has moved" not in capsys.readouterr().err

    answer = CliRunner().invoke(cli, ["evaluate", str(model.out), "-n", "8", "--metrics", "fid"])
    assert isinstance(answer.exception, UserError)
    assert "sequences of 3 frames" in str(answer.exception)
    with pytest.raises(UserError, match="sequences of 3 frames"):
        model.evaluate(metrics=["fid"])
    answer = CliRunner().invoke(cli, ["evaluate", str(model.out), "-n", "8"])
    assert answer.exit_code == 0, answer.output
    trained, evaluated = (line["scores"] for line in read_lines(model.out / "scores.jsonl"))
    assert {"L1", "PSNR", "SSIM", "MSE-1", "sharpness-3", "SSIM-10", "GDL-1"} <= trained.keys()
    assert evaluated == trained
    in_python = model.evaluate(8)
    assert {name: score.to_dict() for name, score in in_python.items()} == trained
    protocol = in_python["MSE-3"].protocol
    assert (protocol.weights, protocol.reference, protocol.settings["ahead"]) == ("ema", "test", 3)
    logged = read_lines(model.out / "log.jsonl")[-1]
    assert logged["MSE-10"] == trained["MSE-10"]["value"]
