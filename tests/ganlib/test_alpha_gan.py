"""alpha-GAN: its losses from logits by hand, the order of its updates, and its four networks."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from parameters import count
from torch import Tensor, nn

from ganlib.alpha_gan import ALGORITHM
from ganlib.common.data import DataSpec

Make = Callable[..., Any]
IMAGE = (3, 32, 32)


def test_number_of_parameters() -> None:
    with torch.device("meta"):
        networks = ALGORITHM.build(ALGORITHM.config(), DataSpec(IMAGE, IMAGE))
    assert {name: count(net) for name, net in networks.items()} == {
        "enc": 3_805_696,
        "gen": 3_828_739,
        "dis": 5_862_657,
        "cdis": 660_751,
    }


def test_codes_are_judged_without_batch_normalisation() -> None:
    networks = ALGORITHM.build(ALGORITHM.config(width=0.1), DataSpec(IMAGE, IMAGE))
    modules = list(networks["cdis"].modules())
    assert not any(isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d) for m in modules)
    assert [m.negative_slope for m in modules if isinstance(m, nn.LeakyReLU)] == [0.2, 0.2]
    assert networks["gen"].latent == "normal"


# --- Losses, against the paper's probabilities


class Fixed(nn.Module):
    """Gives what it was made with, in order, and remembers what it was given."""

    def __init__(self, *outputs: Tensor) -> None:
        super().__init__()
        self.outputs, self.inputs = list(outputs), []

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        self.inputs.append(x)
        return self.outputs.pop(0)


def column(n: int) -> Tensor:
    return torch.randn(n, 1, dtype=torch.float64)


def sigmoid(logits: Tensor) -> np.ndarray[Any, Any]:
    return 1 / (1 + np.exp(-logits.numpy()))


@pytest.mark.parametrize("loss", ["ratio", "softplus"])
def test_what_encoder_and_generator_descend(loss: str, make_updater: Make) -> None:
    torch.manual_seed(0)
    updater = make_updater("alpha_gan", dtype=torch.float64, loss=loss)
    x, code, z = torch.randn(5, 1, 8, 8).double(), column(5), column(5)
    x_both, y_both, y_code = torch.randn(10, 1, 8, 8).double(), column(10), column(5)
    updater.enc, updater.cdis = Fixed(code), Fixed(y_code)
    updater.gen, updater.dis = Fixed(x_both), Fixed(y_both)
    loss_rec, loss_enc, loss_gen = updater.loss_autoencoder(x, z)

    def fool(p: np.ndarray[Any, Any]) -> float:
        return float((-np.log(p) + (np.log(1 - p) if loss == "ratio" else 0)).mean())

    assert loss_rec.item() == pytest.approx(np.abs(x.numpy() - x_both[:5].numpy()).mean())
    assert loss_enc.item() == pytest.approx(fool(sigmoid(y_code)))
    parts = fool(sigmoid(y_both[:5])) + fool(sigmoid(y_both[5:]))
    assert loss_gen.item() == pytest.approx(parts)
    # codes of images first, then draws: what is reconstructed must be what is compared with x
    assert torch.equal(updater.gen.inputs[0], torch.cat([code, z]))


def test_what_the_discriminators_descend(make_updater: Make) -> None:
    torch.manual_seed(0)
    updater = make_updater("alpha_gan", dtype=torch.float64)
    x, x_rec, x_fake = torch.randn(3, 5, 1, 8, 8).double()
    y_real, y_both = column(5), column(10)
    outputs = {x.sum().item(): y_real, torch.cat([x_rec, x_fake]).sum().item(): y_both}
    updater.dis.forward = lambda x, y=None: outputs[x.sum().item()]
    p, q = sigmoid(y_real), sigmoid(y_both)
    expected = -np.log(p).mean() - np.log(1 - q[:5]).mean() - np.log(1 - q[5:]).mean()
    loss, of_real = updater.loss_dis(x, x_rec, x_fake)
    assert loss.item() == pytest.approx(expected) and of_real is y_real

    z, code, y_z, y_code = column(5), column(5), column(5), column(5)
    updater.cdis.forward = lambda h: y_z if h is z else y_code
    expected = -np.log(sigmoid(y_z)).mean() - np.log(1 - sigmoid(y_code)).mean()
    assert updater.loss_cdis(z, code).item() == pytest.approx(expected)


# --- Updates


def test_the_order_of_updates(make_updater: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Encoder and generator at once, twice on the same images, then D, then C, as Algorithm 1."""
    updater = make_updater("alpha_gan")
    names, moved = ("enc", "gen", "dis", "cdis"), []
    step = updater.step

    def watch(**losses: Tensor) -> None:
        before = {k: [p.clone() for p in getattr(updater, k).parameters()] for k in names}
        step(**losses)
        now = {k: list(getattr(updater, k).parameters()) for k in names}
        moved.append(
            {
                k
                for k in names
                if any(map(torch.ne, map(torch.sum, before[k]), map(torch.sum, now[k])))
            }
        )

    monkeypatch.setattr(updater, "step", watch)
    updater.update()
    assert moved == [{"enc", "gen"}, {"enc", "gen"}, {"dis"}, {"cdis"}]
    assert updater.images == updater.config.batch_size


def test_each_descends_its_own_sum(make_updater: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The encoder lam |x - G(E(x))| + R(C), the generator lam |x - G(E(x))| + R(D)."""
    updater = make_updater("alpha_gan", n_gen=1, lam=3.0)
    given: dict[str, Tensor] = {}
    monkeypatch.setattr(updater, "step", lambda **losses: given.update(losses))
    seen = updater.update()
    torch.testing.assert_close(given["enc"], 3 * seen["loss_rec"] + seen["loss_enc"])
    torch.testing.assert_close(given["gen"], 3 * seen["loss_rec"] + seen["loss_gen"])


def test_the_score_is_the_mean_absolute_error(
    make_updater: Make, toy_data: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    updater, test = make_updater("alpha_gan", side=32, dtype=torch.float64), toy_data(side=32, n=11)
    monkeypatch.setattr("ganlib.training.bases.reconstructing.BLOCK", 4)
    for _ in range(3):
        updater.update()
    updater.eval()
    x = test.x.double() / 127.5 - 1
    with torch.no_grad():
        expected = np.abs(x.numpy() - updater.gen(updater.enc(x)).numpy()).mean()
    assert updater.scores(test)["reconstruction_test"] == pytest.approx(expected)


@pytest.mark.parametrize("loss", ["ratio", "softplus"])
def test_reconstructions_improve(
    loss: str, make_updater: Make, toy_data: Callable[..., Any]
) -> None:
    updater = make_updater(
        "alpha_gan", batch_size=16, architecture="mlp", width=0.25, loss=loss, adam_alpha=1e-3
    )
    before = updater.scores(toy_data())["reconstruction_test"]
    for _ in range(150):
        updater.update()
    assert updater.scores(toy_data())["reconstruction_test"] < before * 2 / 3
