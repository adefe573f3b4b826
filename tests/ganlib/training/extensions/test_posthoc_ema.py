"""Averages of any length after training, against such that were followed at that length."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from scipy import integrate
from torch import Tensor, nn

import ganlib
from ganlib.__main__ import cli
from ganlib.common.data import DataSet
from ganlib.common.errors import UserError
from ganlib.common.formats.hdf5_writing import write_hdf5
from ganlib.common.io.jsonl import read_lines
from ganlib.training.extensions import posthoc_ema
from ganlib.training.extensions.posthoc_ema import LENGTHS, combination, exponent, follow
from ganlib.training.scores.drawing import origin_of
from ganlib.training.scores.scorer import TRIALS

SMALL: dict[str, Any] = {"width": 0.05, "batch_size": 4, "evaluation_interval": 0, "gpu": -1}
SMALL |= {"tensorboard": False, "sample_interval": 0, "dataset": torch.zeros(8, 1, 28, 28).byte()}


def share(tau: float, length: float) -> float:
    """Of an average that ends at 1, the weight of what was at tau."""
    gamma = exponent(length)
    return (gamma + 1) * tau**gamma


@pytest.mark.parametrize("length", [0.02, 0.05, 0.1, 0.25])
def test_the_length_is_the_deviation_of_the_shares(length: float) -> None:
    moments = [integrate.quad(lambda t, k=k: t**k * share(t, length), 0, 1)[0] for k in range(3)]
    assert moments[0] == pytest.approx(1)
    assert (moments[2] - moments[1] ** 2) ** 0.5 == pytest.approx(length)


def test_products_are_the_integrals() -> None:
    for a, one, b, other in ((3.0, 0.05, 7.0, 0.2), (7.0, 0.05, 3.0, 0.2), (5.0, 0.1, 5.0, 0.1)):
        wanted, _ = integrate.quad(
            lambda t, a=a, one=one, b=b, other=other: (
                share(t / a, one) / a * share(t / b, other) / b
            ),
            0,
            min(a, b),
        )
        found = posthoc_ema._product(np.float64(a), exponent(one), np.float64(b), exponent(other))
        assert found == pytest.approx(wanted, rel=1e-5)


def test_an_average_of_any_length_is_as_one_that_was_followed() -> None:
    """Of weights that drift and shake, to a thousandth of the way from the last ones."""
    torch.manual_seed(0)
    network, steps, interval = nn.Linear(20, 20).double(), 800, 20
    drift, averages, stored = torch.randn(20, 20) / 100, dict[str, dict[str, Tensor]](), []
    lengths = (0.04, *LENGTHS, 0.07, 0.15, 0.2)
    followed = {length: network.weight.detach().clone() for length in lengths}
    for step in range(1, steps + 1):
        with torch.no_grad():
            network.weight += drift + torch.randn(20, 20) / 10
        follow(averages, network, step)
        for length, average in followed.items():
            average.lerp_(network.weight.detach(), 1 - (1 - 1 / step) ** (exponent(length) + 1))
        if step % interval == 0:
            stored += [a["weight"].clone() for a in averages.values()]
    for length, average in followed.items():
        weights = combination(range(interval, steps + 1, interval), length, steps)
        found = sum(w * a for w, a in zip(weights.flat, stored, strict=True))
        way = (average - network.weight).norm()
        limit = 1e-9 if length in LENGTHS else 1e-3
        assert (found - average).norm() / way < limit and weights.sum() == pytest.approx(
            1, abs=1e-3
        )


def test_a_run_stores_what_samples_of_any_length_come_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same however it was stopped, and with not a bit of the run changed."""
    monkeypatch.chdir(tmp_path)
    settings = {**SMALL, "algorithm": "dcgan", "max_iter": 4}
    plain = ganlib.train(**settings, out="plain")
    whole = ganlib.train(**settings, out="whole", ema_every=2)
    for a, b in zip(plain.updater.parameters(), whole.updater.parameters(), strict=True):
        assert torch.equal(a, b)
    halves = settings | {"out": "halves", "ema_every": 2, "snapshot_interval": 3}
    ganlib.train(**halves | {"max_iter": 3})
    ganlib.train(**halves, resume="halves")
    for name in ("iter_0000002.pt", "iter_0000004.pt"):
        one, other = (
            torch.load(Path(run, "snapshots", "ema", name)) for run in ("whole", "halves")
        )
        for length in ("0.05", "0.1", "buffers"):
            assert one[length].keys() == other[length].keys() != set()
            assert all(torch.equal(t, other[length][n]) for n, t in one[length].items())
    model = ganlib.load("whole", ema_length=0.05)
    for name, weight in model.updater.sampling_gen.named_parameters():
        torch.testing.assert_close(weight, one["0.05"][name])
    assert origin_of(model.updater, 0).weights == "ema of length 0.05"
    assert not torch.equal(model.sample(2), ganlib.load("whole", ema_length=0.2).sample(2))
    before = deepcopy(whole.sample(2))
    assert torch.equal(before, ganlib.load("whole").sample(2))
    call = ["sample", "whole", "-n", "4", "--ema-length", "0.07", "--out", "x.png"]
    assert CliRunner().invoke(cli, call).exit_code == 0
    write_hdf5(Path("data.h5"), DataSet("data", SMALL["dataset"].repeat(8, 1, 1, 1)))
    options = "-n 32 --metrics fid --dataset data.h5 --extractor fashion --ema-length 0.05 --gpu -1"
    result = CliRunner().invoke(cli, ["evaluate", "whole", *options.split()])
    assert result.exit_code == 0 and "weights: ema of length 0.05" in result.output
    (line,) = read_lines(Path("whole", TRIALS))
    assert {s["protocol"]["weights"] for s in line["scores"].values()} == {"ema of length 0.05"}
    with pytest.raises(UserError, match="the first 4 iterations of this run are in no average"):
        ganlib.train(**settings | {"max_iter": 5}, resume="plain", ema_every=2, out="plain")
    for run, length, words in (
        ("plain", 0.1, "plain stored no averages by iteration 4: train with ema_every"),
        ("whole", 0.5, "ema_length is 0.5; give 0.01 to 0.25"),
    ):
        with pytest.raises(UserError, match=words):
            ganlib.load(run, ema_length=length)
    stored = Path("whole", "snapshots", "ema", "iter_0000002.pt")
    stored.write_bytes(b"torn")
    with pytest.raises(UserError, match=f"{stored} is damaged: move it elsewhere"):
        ganlib.load("whole", ema_length=0.1)
