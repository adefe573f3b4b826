"""Classification accuracy score (Ravuri & Vinyals 2019, https://arxiv.org/abs/1905.10887): a
classifier is trained on samples alone and tested on real images.

The paper's is a ResNet-50 for ImageNet; this one is small, so that its numbers can be compared with
each other and with what it reaches when it is trained on as many real images, which is kept beside
them.
"""

from collections.abc import Callable, Mapping
from itertools import count
from statistics import fmean, pstdev
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ganlib.common.data import DataSet
from ganlib.common.seeds import generator, mix
from ganlib.evaluation.cache import cached
from ganlib.evaluation.extractors.base import bilinear, in_channels
from ganlib.evaluation.extractors.small import Classifier, Kind, Layer
from ganlib.evaluation.metrics.base import Column, Context, Metric, Value
from ganlib.evaluation.metrics.by_class import accuracies, label_settings, lacks_classes
from ganlib.evaluation.protocol import Instrument, Plain, versions
from ganlib.evaluation.statistics.real import Inputs, labels_digest

N = 50_000
SIDE = 32
RESIZE = bilinear(SIDE, smaller=False)
LAYERS = (Layer(32, 5, 2), Layer(64, 3, 2), Layer(64, 3, 2))
BATCH, EPOCHS, RATE, DECAY = 128, 10, 4e-3, 0.05
NETWORK = "conv5s2-32 conv3s2-64 conv3s2-64, BN, ReLU; mean, linear"
OPTIMIZER = f"AdamW {RATE:g}, decay {DECAY:g}, one cycle"
SEEDS = (0, 1, 2)
RECIPE: dict[str, Plain] = {
    "network": NETWORK,
    "optimizer": OPTIMIZER,
    "epochs": EPOCHS,
    "batch": BATCH,
    "seeds": " ".join(map(str, SEEDS)),
}
"""What decides about a score besides its images."""
INSTRUMENT = Instrument("classifier", RESIZE.name)


def lacks_test(inputs: Inputs) -> str:
    """See Metric.lacks."""
    none = (
        "tests a classifier on real test images, and there are none with labels of these "
        "classes: leave it out, or give a --dataset that has some."
    )
    return lacks_classes(inputs) or (none if inputs.test is None else "")


def columns(inputs: Inputs, n: int) -> list[Column]:
    """See Metric."""
    return [Column("CAS", n, "test", "higher")]


def cas(context: Context) -> Mapping[Column, Value]:
    """See Metric."""
    settings = {**label_settings(context), **RECIPE}
    guesses = _right(context, "samples", context.images, context.labels)
    found = _summary(context, guesses)
    more = {"by_class": found["by_class"]}
    if context.main.name != "test":
        more["real"] = _on_real(context)
    value, std = found["value"], found["std"]
    (column,) = context.columns
    return {column: Value(value, std, settings=settings, more=more, instrument=INSTRUMENT)}


def _right(context: Context, what: str, x: Tensor, y: Tensor) -> Tensor:
    """Which test images classifiers of x and y tell, bool (len(SEEDS), M)."""
    data, steps = context.inputs.test, count(1)
    assert data is not None

    def done() -> None:
        total = len(SEEDS) * EPOCHS * batches(len(x))
        context.progress(f"classifier of {what}", next(steps), total)

    size = data.shape[0], len(context.inputs.classes)
    networks = (trained(x, y, *size, seed, done) for seed in SEEDS)
    return torch.stack([right(network, data, x.device) for network in networks])


def _summary(context: Context, guesses: Tensor) -> dict[str, Any]:
    """The mean accuracy over SEEDS with its deviation, and its mean for each class."""
    data = context.inputs.test
    assert data is not None and data.y is not None
    accuracy = [float(good.double().mean()) for good in guesses]
    classes = [accuracies(good, data.y, data) for good in guesses]
    by_class = {
        name: {"value": fmean(each[name]["value"] for each in classes), "n": row["n"]}
        for name, row in classes[0].items()
    }
    return {"value": fmean(accuracy), "std": pstdev(accuracy), "by_class": by_class}


def _on_real(context: Context) -> dict[str, Any]:
    """The same of classifiers of as many real images, if there are so many; from the cache folder
    if it was computed before.
    """
    n, main, real = min(context.n, len(context.main.which)), context.main, context.real
    facts = {
        **RECIPE,
        "train": [main.digest, labels_digest(real), n],
        "test": [context.references["test"].digest, labels_digest(context.inputs.real["test"])],
        "versions": versions(),
    }

    def compute() -> dict[str, Tensor]:
        rows, device = main.which[:n], context.images.device
        assert real.y is not None
        x, y = real.x[rows].to(device), real.y[rows].to(device)
        return {"right": _right(context, "real images", x, y)}

    guesses = context.once(f"cas {n}", lambda: cached("cas", facts, compute))["right"]
    return {**_summary(context, guesses), "split": main.name, "n": n, "digest": main.digest}


def logits(network: Classifier, x: Tensor) -> Tensor:
    """(N, K) of uint8 images (N, C, H, W) of any size."""
    found: Tensor = network(RESIZE(in_channels(x, network.kind.channels)))[1]
    return found


def batches(n: int) -> int:
    """How many of them an epoch of n images takes."""
    return max(1, n // BATCH)


def trained(
    x: Tensor, y: Tensor, channels: int, n_classes: int, seed: int, done: Callable[[], object]
) -> Classifier:
    """The classifier after EPOCHS over uint8 images (N, C, H, W) with labels (N,), where they lie:
    the same for the same arguments, whatever else draws random numbers. done: called after each
    batch.
    """
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(mix(seed, "classifier"))
        kind = Kind("classifier", "", channels, SIDE, ("",) * n_classes, LAYERS)
        network = Classifier(kind).to(x.device)
        optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, RATE, total_steps=EPOCHS * batches(len(x)), pct_start=0.15
        )
        for epoch in range(EPOCHS):
            order = torch.randperm(len(x), generator=generator(seed, "order", epoch))
            for rows in torch.split(order.to(x.device), BATCH)[: batches(len(x))]:
                loss = F.cross_entropy(logits(network, x[rows]), y[rows])
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
                schedule.step()
                done()
    return network.eval()


@torch.no_grad()
def right(network: Classifier, data: DataSet, device: torch.device) -> Tensor:
    """bool (N,) on the CPU: which of the data set's images get their label."""
    assert data.y is not None
    index = torch.split(torch.arange(len(data)), BATCH)
    guessed = [logits(network, data.x[rows].to(device)).argmax(1).cpu() for rows in index]
    return torch.cat(guessed) == data.y


METRIC = Metric(cas, ("images", "labels"), N, lacks_test, columns)
