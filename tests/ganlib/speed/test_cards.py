"""Rooflines: by hand, beside measured updates, and what is not known."""

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
import torch

from benchmarks.peers import PAIRS
from benchmarks.run import RESULTS
from benchmarks.workloads import WORKLOADS
from ganlib.common.data import DataSet
from ganlib.common.errors import UserError
from ganlib.config import RunConfig
from ganlib.speed import bench, cards
from ganlib.speed.cards import CARDS, LAUNCH, Card, find_card, measured
from ganlib.speed.costs import Operation, blank_updater, on_meta

F32, BF16 = torch.float32, torch.bfloat16


def test_seconds_by_hand() -> None:
    card = Card("made", 10, 10, 50, 100, 1000, "", tensor=0.5, plain=0.8, streams=0.5)
    product = Operation(10**12, 10, F32)
    assert card.seconds(product, "fp32") == pytest.approx(1 / 8)
    assert card.seconds(product, "tf32") == pytest.approx(1 / 25)
    assert card.seconds(product._replace(dtype=BF16), "bf16") == pytest.approx(1 / 50)
    assert card.seconds(Operation(10, 10**12, F32), "tf32") == pytest.approx(2)
    assert card.seconds(Operation(0, 4, F32), "tf32") == LAUNCH


def test_a_card_has_no_less_memory_or_arithmetic_than_its_elders() -> None:
    assert [card.memory for card in CARDS] == sorted(card.memory for card in CARDS)
    assert all(card.fp32 <= card.tf32 <= card.bf16 for card in CARDS)
    assert len({card.name for card in CARDS}) == len(CARDS) == 10


@pytest.mark.parametrize(("name", "found"), [("H100", "h100"), ("a100", "a100-40"), ("T4", "t4")])
def test_cards_are_found(name: str, found: str) -> None:
    assert find_card(name).name == found


def test_an_unknown_card_is_a_sentence_with_those_that_are_known() -> None:
    with pytest.raises(
        UserError, match="The card 'b200' is not known: give one of t4, v100, .*h20"
    ):
        find_card("b200")


@pytest.mark.parametrize(
    ("called", "found"),
    [("NVIDIA H100 80GB HBM3", "h100"), ("NVIDIA A100-SXM4-80GB", "a100-80"), ("GTX 970", "cpu")],
)
def test_the_gpu_that_is_here(called: str, found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: called)
    assert find_card(None).name == found


def test_a_cpu_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """A product of two matrices, and a copy that reads and writes, by a clock that is made up."""
    monkeypatch.setattr(bench, "clock", lambda device, body, n: n * [0.5])
    monkeypatch.setattr(cards, "COPIED", 2**10)
    monkeypatch.setitem(bench.SIDE, "cpu", 64)
    cpu = measured(find_card("cpu"), "fp32")
    assert cpu.bandwidth == 2 * 2**10 / 0.5 / 1e9
    assert cpu.fp32 == cpu.bf16 == 2 * 64**3 / 0.5 / 1e12


def operations(work: bench.Work, **how: Any) -> Counter[Operation]:
    channels, height, _ = work.image
    example, x = work.algorithm.example, torch.empty(4, *work.image, dtype=torch.uint8)
    noise = DataSet("noise", x, torch.arange(4), x, classes=tuple("0123"))
    data = example(channels, height).cycled(4) if example else noise
    with on_meta() as ledger:
        updater = blank_updater(work.algorithm, work.config, RunConfig(algorithm="a", **how), data)
        updater.prepare()
        updater.iteration = bench.steady(updater, work)[0]
        ledger.operations.clear()
        updater.update()
        return ledger.operations.copy()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pix2pix_16", "pix2pixhd", "pggan_32", "pggan_128"])
def test_an_h100_beside_what_others_took_on_it(name: str) -> None:
    """Of those whose kernels, and not their launches, took the time."""
    workload = next(one for one in WORKLOADS if one.name == name)
    done = operations(workload.work(name), precision="tf32")
    seconds = sum(n * find_card("h100").seconds(one, "tf32") for one, n in done.items())
    assert 1000 * seconds == pytest.approx(workload.peers[0].ms, rel=0.2)


@pytest.mark.slow
def test_a_core_beside_updates_that_were_measured_on_it() -> None:
    """By the rate of its product, which the same file has, and 10 GB/s."""
    runs = json.loads((RESULTS / "1_core_of_amd_epyc.json").read_text())["runs"]
    rate = runs["pggan_quick"]["rows"][0]["ceiling"] / 1e12
    core = replace(CARDS[0], fp32=rate, tf32=rate, bandwidth=10, tensor=1, plain=1, streams=1)
    for row in runs["peers"]["rows"]:
        pair = next(one for one in PAIRS if one.title == row["title"])
        if row["precision"] == "fp32" and not row["error"]:
            work = pair.work("peers")
            sizes = {"batch_size": row["batch_size"], "n_dis": row["n_dis"]}
            sizes = {k: n for k, n in sizes.items() if k in type(work.config).model_fields}
            work = replace(work, config=work.config.model_copy(update=sizes))
            done = operations(work, precision="fp32")
            if sum(n * one.flops for one, n in done.items()) == row["flops"][0]:
                seconds = sum(n * core.seconds(one, "fp32") for one, n in done.items())
                assert seconds == pytest.approx(row["seconds"][0], rel=0.15), row["title"]
