"""The small classifier of the classification accuracy score, trained from nothing each time."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlib.common.data import DataSet
from ganlib.common.seeds import generator, mix
from ganlib.evaluation.extractors.base import bilinear, in_channels
from ganlib.evaluation.extractors.small import Layer, conv_layer

SIDE = 32
RESIZE = bilinear(SIDE, smaller=False)
BATCH, EPOCHS, RATE, DECAY = 128, 10, 4e-3, 0.05
NETWORK = "conv5s2-32 conv3s2-64 conv3s2-64, BN, ReLU; mean, linear"
OPTIMIZER = f"AdamW {RATE:g}, decay {DECAY:g}, one cycle"

Told = Callable[[int], None]
"""Called with how many batches are done."""


class SmallClassifier(nn.Module):
    """uint8 images (N, C, H, W) -> logits (N, K)."""

    def __init__(self, channels: int, n_classes: int) -> None:
        super().__init__()
        self.channels = channels
        self.body = nn.Sequential(
            *conv_layer(channels, Layer(32, 5, 2)),
            *conv_layer(32, Layer(64, 3, 2)),
            *conv_layer(64, Layer(64, 3, 2)),
        )
        self.head = nn.Linear(64, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        h: Tensor = self.body(RESIZE(in_channels(x, self.channels)) / 127.5 - 1).mean((2, 3))
        return self.head(h)  # type: ignore[no-any-return]


def batches(n: int) -> int:
    """How many of them a training on n images takes."""
    return EPOCHS * max(1, n // BATCH)


def trained(
    x: Tensor, y: Tensor, channels: int, n_classes: int, seed: int, told: Told
) -> SmallClassifier:
    """The classifier after EPOCHS over uint8 images (N, C, H, W) with labels (N,), where they lie:
    the same for the same arguments, whatever else draws random numbers.
    """
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(mix(seed, "classifier"))
        network = SmallClassifier(channels, n_classes).to(x.device)
        optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, RATE, total_steps=batches(len(x)), pct_start=0.15
        )
        done, each = 0, batches(len(x)) // EPOCHS
        for epoch in range(EPOCHS):
            order = torch.randperm(len(x), generator=generator(seed, "order", epoch))
            for rows in torch.split(order.to(x.device), BATCH)[:each]:
                loss = F.cross_entropy(network(x[rows]), y[rows])
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
                schedule.step()
                done += 1
                told(done)
    return network.eval()


@torch.no_grad()
def right(network: SmallClassifier, data: DataSet, device: torch.device) -> Tensor:
    """bool (N,) on the CPU: which of the data set's images get their label."""
    assert data.y is not None
    found = []
    for rows in torch.split(torch.arange(len(data)), BATCH):
        guessed = network(data.x[rows].to(device)).argmax(1).cpu()
        found.append(guessed == data.y[rows])
    return torch.cat(found)
