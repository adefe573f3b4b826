"""VAE: its densities, its bound, its gradients, and the paper's sizes."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from parameters import count
from torch import Tensor, nn
from torch.distributions import Bernoulli, Independent, MultivariateNormal, Normal, kl_divergence

from ganlib.common.data import DataSet, DataSpec
from ganlib.vae import ALGORITHM
from ganlib.vae.net import (
    LIMIT,
    BernoulliDecoder,
    Encoder,
    GaussianDecoder,
    bounded,
    kl_normal,
    log_bernoulli,
    log_normal,
)

Make = Callable[..., Any]


def build(image: tuple[int, int, int], **settings: Any) -> dict[str, nn.Module]:
    config = ALGORITHM.config(**settings)
    size = config.image_size(*image[1:])
    return ALGORITHM.build(config, DataSpec((image[0], *size), image))


# --- Networks


@pytest.mark.parametrize(
    ("image", "settings", "enc", "gen"),
    [
        ((1, 28, 28), {}, 412_540, 403_284),  # MNIST
        ((1, 28, 20), {"width": 0.4, "decoder": "gaussian"}, 120_240, 229_320),  # Frey Face
        ((3, 32, 32), {"architecture": "dcgan", "n_hidden": 128}, 4_854_400, 3_828_739),
    ],
)
def test_number_of_parameters(
    image: tuple[int, int, int], settings: dict[str, Any], enc: int, gen: int
) -> None:
    with torch.device("meta"):
        networks = build(image, **settings)
    assert (count(networks["enc"]), count(networks["gen"])) == (enc, gen)


@pytest.mark.parametrize("decoder", ["bernoulli", "gaussian"])
@pytest.mark.parametrize(
    ("architecture", "image"),
    [
        ("paper", (1, 28, 20)),
        ("dcgan", (3, 28, 28)),
        ("quick", (3, 28, 28)),
        ("mlp", (2, 1, 1)),
        ("mlp", (3, 28, 28)),
    ],
)
def test_shapes(architecture: str, decoder: str, image: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    networks = build(image, architecture=architecture, decoder=decoder, width=0.1, n_hidden=3)
    enc, gen = networks["enc"], networks["gen"]
    x = gen(gen.make_hidden(4))
    assert x.abs().max() <= 1 and x.std() > 0
    assert [tuple(s.shape) for s in enc(x)] == [(4, 3), (4, 3)]
    assert gen.log_likelihood(x, gen.make_hidden(4)).shape == (4,)
    assert x.shape[2:] == ((32, 32) if architecture in ("dcgan", "quick") else image[1:])


def test_log_variances_are_bent_and_never_stuck() -> None:
    s = torch.linspace(-40, 40, 81, dtype=torch.float64, requires_grad=True)
    y = bounded(s)
    assert y.abs().max() <= LIMIT
    (slope,) = torch.autograd.grad(y.sum(), s)
    assert (slope > 0).all() and slope[40] == 1
    mean, log_variance = Encoder(nn.Linear(1, 4))(torch.full((1, 1), 1e6))
    assert log_variance.abs().max() <= LIMIT < mean.abs().max()


# --- Densities, against torch.distributions


def test_kl() -> None:
    torch.manual_seed(0)
    mean, log_variance = torch.randn(2, 5, 7, dtype=torch.float64)
    q = Normal(mean, (log_variance / 2).exp())
    expected = kl_divergence(q, Normal(torch.zeros_like(mean), 1.0)).sum(1)
    torch.testing.assert_close(kl_normal(mean, log_variance), expected)


def test_log_likelihoods() -> None:
    torch.manual_seed(0)
    x, mean, log_variance = torch.randn(3, 5, 2, 3, 4, dtype=torch.float64)
    bits = (x > 0).double()
    p = Independent(Bernoulli(logits=mean), 3)
    torch.testing.assert_close(log_bernoulli(bits, mean), p.log_prob(bits))
    q = Independent(Normal(mean, (log_variance / 2).exp()), 3)
    torch.testing.assert_close(log_normal(x, mean, log_variance), q.log_prob(x))


def test_a_bernoulli_decoder_takes_grey_for_probability() -> None:
    decoder = BernoulliDecoder(nn.Unflatten(1, (1, 1, 1)), 1)
    logits = torch.linspace(-3, 3, 7)[:, None]
    p = 1 / (1 + np.exp(-logits.numpy()))
    np.testing.assert_allclose(decoder(logits).flatten(1), 2 * p - 1, rtol=1e-5, atol=1e-6)
    x = torch.full((7, 1, 1, 1), -0.5)  # a quarter of white
    expected = 0.25 * np.log(p) + 0.75 * np.log(1 - p)
    np.testing.assert_allclose(decoder.log_likelihood(x, logits), expected[:, 0], rtol=1e-5)


def test_a_gaussian_decoders_image_is_its_mean() -> None:
    decoder = GaussianDecoder(nn.Unflatten(1, (2, 1, 1)), 2)
    z = torch.tensor([[1.2, -0.3], [0.0, 2.0]], dtype=torch.float64)
    mean = 2 / (1 + torch.exp(-z[:, 0])) - 1
    torch.testing.assert_close(decoder(z).flatten(), mean)
    x = torch.tensor([0.1, -0.7], dtype=torch.float64)
    deviation = (LIMIT * torch.tanh(z[:, 1] / LIMIT) / 2).exp()
    expected = Normal(mean, deviation).log_prob(x)
    torch.testing.assert_close(decoder.log_likelihood(x[:, None, None, None], z), expected)


# --- The bound


class LinearDecoder(nn.Module):
    """x = W z + b + noise of variance v: log p(x) is known."""

    def __init__(self, weight: Tensor, bias: Tensor, variance: float) -> None:
        super().__init__()
        self.weight, self.bias, self.log_variance = weight, bias, math.log(variance)

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        mean = z @ self.weight.T + self.bias
        return log_normal(x, mean, torch.full_like(mean, self.log_variance))


class FixedEncoder(nn.Module):
    """Mean A (x - b) and one log variance for each component."""

    def __init__(self, a: Tensor, bias: Tensor, log_variance: Tensor) -> None:
        super().__init__()
        self.a, self.bias, self.log_variance = a, bias, log_variance

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean = (x - self.bias) @ self.a.T
        return mean, self.log_variance.expand_as(mean)


@pytest.mark.parametrize("shift", [0.0, 0.7])
def test_the_bound_of_a_linear_gaussian_model(shift: float, make_updater: Make) -> None:
    """ELBO = log p(x) - KL(q(z|x) || p(z|x)): no gap at the posterior, which is known, and the
    very gap elsewhere.
    """
    torch.manual_seed(0)
    variance, d, k = 0.5, 5, 2
    weight = torch.linalg.qr(torch.randn(d, k, dtype=torch.float64))[0] * torch.tensor([1.5, 0.6])
    bias, x = torch.randn(d, dtype=torch.float64), torch.randn(1, d, dtype=torch.float64)
    # orthogonal columns, so that the posterior's components are independent, as the encoder's
    precision = 1 + weight.square().sum(0) / variance
    a = weight.T / variance / precision[:, None]
    updater = make_updater("vae", dtype=torch.float64)
    updater.gen = LinearDecoder(weight, bias, variance)
    updater.enc = FixedEncoder(a * (1 + shift), bias, -precision.log() + shift)

    n = 400_000
    loss_kl, loss_rec = updater.loss_vae(x.expand(n, d), torch.randn(n, k, dtype=torch.float64))
    elbo = -(loss_kl + loss_rec).item()
    covariance = weight @ weight.T + variance * torch.eye(d, dtype=torch.float64)
    log_p = MultivariateNormal(bias, covariance).log_prob(x).item()
    posterior = Normal((x - bias) @ a.T, precision.rsqrt())
    mean, log_variance = updater.enc(x)
    gap = kl_divergence(Normal(mean, (log_variance / 2).exp()), posterior).sum().item()
    assert elbo == pytest.approx(log_p - gap, abs=0.01)
    assert gap == 0 if shift == 0 else gap > 0.1


@pytest.mark.parametrize("decoder", ["bernoulli", "gaussian"])
def test_gradients_pass_through_the_sampling(decoder: str, make_updater: Make) -> None:
    """Those of the encoder too, against central differences at the same eps."""
    updater = make_updater("vae", dtype=torch.float64, decoder=decoder, width=0.02, n_hidden=2)
    x, _ = next(updater.data)
    eps = updater.normal(len(x), 2)
    sum(updater.loss_vae(x, eps)).backward()
    for network in (updater.enc, updater.gen):
        for p in network.parameters():
            direction = torch.randn_like(p)
            with torch.no_grad():
                values = []
                for h in (1e-5, -1e-5):
                    p.add_(direction, alpha=h)
                    values.append(sum(updater.loss_vae(x, eps)).item())
                    p.add_(direction, alpha=-h)
            expected = (values[0] - values[1]) / 2e-5
            assert (p.grad * direction).sum().item() == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_the_log_adds_up(make_updater: Make) -> None:
    observation = make_updater("vae").update()
    assert observation["kl"] >= 0
    assert observation["elbo"] == observation["reconstruction"] - observation["kl"]


def test_the_score_is_the_mean_bound_of_the_test_images(
    make_updater: Make, toy_data: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    updater, test = make_updater("vae", dtype=torch.float64), toy_data(n=11)
    monkeypatch.setattr("ganlib.training.bases.reconstructing.BLOCK", 4)
    # a posterior without variance: what eps is does not matter
    log_variance = -60.0
    body = updater.enc.body
    updater.enc.forward = lambda x: (
        body(x).chunk(2, 1)[0],
        torch.full((len(x), 20), log_variance, dtype=x.dtype),
    )
    x = test.x.double() / 127.5 - 1
    mean = body(x).chunk(2, 1)[0]
    kl = 0.5 * (mean.square() + math.exp(log_variance) - 1 - log_variance).sum(1)
    p = updater.gen(mean) / 2 + 0.5
    bits = x / 2 + 0.5
    rec = (bits * p.log() + (1 - bits) * (1 - p).log()).sum((1, 2, 3))
    expected = (rec - kl).mean().item()
    assert updater.scores(test)["elbo_test"] == pytest.approx(expected, rel=1e-9)


def test_the_bound_rises(make_updater: Make, toy_data: Callable[..., Any]) -> None:
    updater = make_updater("vae", batch_size=32, width=0.2)
    start = updater.scores(toy_data())["elbo_test"]
    for _ in range(150):
        updater.update()
    # blobs are grey, and the entropy of their pixels as probabilities bounds what can be had
    assert updater.scores(toy_data())["elbo_test"] > start + 20


def test_a_score_is_of_all_test_images_also_where_batches_are_shared(
    make_updater: Callable[..., Any], toy_data: Callable[..., DataSet]
) -> None:
    whole, parts = make_updater("vae"), make_updater("vae")
    parts.split(2)
    test = toy_data(n=10)
    assert parts.scores(test) == pytest.approx(whole.scores(test), rel=1e-6)
    assert torch.equal(parts.pictures(0)["reconstructions"], whole.pictures(0)["reconstructions"])
