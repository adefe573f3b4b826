"""What processors can do at most, and what of it an update is taken to have: a roofline.

The rates are those of the makers' data sheets, dense, with accumulation in float32: NVIDIA's of
H100 and H200 (SXM), A100 (SXM), L40S, RTX A6000, V100 (SXM2, 16 GB) and T4, and the whitepapers of
the architectures Ada (RTX 4090, table 2) and GA102 (RTX 3090, table 9). Where a card has no
instructions for TF32 or bfloat16, the rate is that of float32.
"""

from dataclasses import dataclass, replace
from statistics import median

import torch

from ganlib.common.errors import UserError
from ganlib.common.io.memory import available_memory
from ganlib.speed import bench
from ganlib.speed.accelerate import Precision
from ganlib.speed.costs import Operation

TENSOR, PLAIN, STREAMS = 0.2, 0.6, 0.75
"""The part that operations are taken to have of the FLOP/s of tensor cores, of float32's without
them, and of the bandwidth. With a fifth, iterations of pix2pixHD, of pix2pix in batches of 16 and
of progressive growing at 32 and at 128 pixels come out within a fifth of what other programs took
for them on an H100 (benchmarks/workloads.py), which is what it was chosen by; other
workloads took them up to eight times as long. On the other cards nothing was measured.
"""
LAUNCH = 3e-6  # seconds at least of an operation, in a CUDA graph
COPIED = 2**25  # bytes, which no cache holds, to measure the bandwidth of a CPU


@dataclass(frozen=True)
class Card:
    """memory: 10^9 bytes. fp32, tf32, bf16: 10^12 FLOP/s. bandwidth: 10^9 bytes/s. called: what is
    in the name that its driver gives it. tensor, plain, streams: what is had of them.
    """

    name: str
    memory: float
    fp32: float
    tf32: float
    bf16: float
    bandwidth: float
    called: str
    tensor: float = TENSOR
    plain: float = PLAIN
    streams: float = STREAMS

    def seconds(self, operation: Operation, precision: Precision) -> float:
        """Of an operation: the longest of computing, of moving what it reads and writes, and of its
        launch.
        """
        fast = self.fp32 if precision == "fp32" else self.tf32
        fast = self.bf16 if operation.dtype == torch.bfloat16 else fast
        rate = max(self.tensor * fast, self.plain * self.fp32)
        moving = operation.nbytes / (1e9 * self.bandwidth * self.streams)
        return max(operation.flops / (1e12 * rate), moving, LAUNCH)


CARDS = (
    Card("t4", 16, 8.1, 8.1, 8.1, 300, "T4"),
    Card("v100", 16, 15.7, 15.7, 15.7, 900, "V100"),
    Card("3090", 24, 35.6, 35.6, 71, 936, "RTX 3090"),
    Card("4090", 24, 82.6, 82.6, 165.2, 1008, "RTX 4090"),
    Card("a100-40", 40, 19.5, 156, 312, 1555, "A100-SXM4-40GB"),
    Card("a6000", 48, 38.7, 77.4, 154.8, 768, "RTX A6000"),
    Card("l40s", 48, 91.6, 183, 362, 864, "L40S"),
    Card("a100-80", 80, 19.5, 156, 312, 2039, "A100-SXM4-80GB"),
    Card("h100", 80, 67, 494.7, 989.4, 3350, "H100"),
    Card("h200", 141, 67, 494.7, 989.4, 4800, "H200"),
)
"""From the smallest memory to the largest."""


def find_card(name: str | None) -> Card:
    """The card called `name`, also by the first part of its name ("a100" is the smaller one), or
    "cpu", this machine's, whose rates are not measured yet; by default the first GPU, if that is
    one of CARDS, else the CPU. UserError for one that is not known.
    """
    if name is None:
        here = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
        name = next((card.name for card in CARDS if card.called in here), "cpu")
    if name == "cpu":
        called = bench.card(torch.device("cpu"))
        return Card("cpu", available_memory() / 1e9, 0, 0, 0, 0, called, 1, 1, 1)
    for card in CARDS:
        if name.lower() in (card.name, card.name.partition("-")[0]):
            return card
    known = ", ".join(card.name for card in CARDS)
    raise UserError(f"The card '{name}' is not known: give one of {known}, or cpu for this one.")


def measured(cpu: Card, precision: Precision) -> Card:
    """The CPU with the rates that a large matrix product and a copy have on it now."""
    device = torch.device("cpu")
    source, to = torch.ones(2, COPIED // 4)
    bandwidth = 2 * COPIED / median(bench.clock(device, lambda: to.copy_(source), 9)) / 1e9
    rate = bench.ceiling(device, precision) / 1e12
    return replace(cpu, fp32=rate, tf32=rate, bf16=rate, bandwidth=bandwidth)
