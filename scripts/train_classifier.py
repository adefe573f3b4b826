"""Train a classifier of evaluation/extractors/; write its weights and their record.

Run `python -m scripts.train_classifier emoji|fashion|wardrobe [--epochs N] [--device cpu]` at the
top of the checkout. The weights are the average over the last part of training; the test images are
looked at once, at the end, by the weights as they are stored.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from time import perf_counter

import click
import torch
import torch.nn.functional as F
from safetensors.torch import save
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ganlib.__main__ import in_a_sentence
from ganlib.common.io.files import atomic
from ganlib.common.query import open_dataset
from ganlib.common.seeds import generator, mix
from ganlib.evaluation import Evaluator
from ganlib.evaluation.extractors.base import Options, make_extractor
from ganlib.evaluation.extractors.emoji import EMOJI
from ganlib.evaluation.extractors.fashion import FASHION
from ganlib.evaluation.extractors.small import Classifier, Kind, load_classifier
from ganlib.evaluation.extractors.wardrobe import WARDROBE
from ganlib.evaluation.formats import BLOCK

BATCH = 128
LR = 4e-3
AT_ONCE = 500  # canvases that are made at once


def own_labels(kind: Kind, split: str) -> tuple[Tensor, Tensor]:
    """The uint8 images (N, C, H, W) of a split with the labels (N,) that the data set has."""
    data = open_dataset(kind.dataset, split=split)
    assert isinstance(data.x, Tensor) and data.y is not None
    return data.x, data.y


def canvases(kind: Kind, split: str) -> tuple[Tensor, Tensor]:
    """All canvases of a split, and the class that covers most of each."""
    data = open_dataset(kind.dataset, split=split)
    assert data.source is not None
    x, y = [], []
    for rows in torch.split(torch.arange(len(data)), AT_ONCE):
        x.append(data.x[rows])
        y.append(most_covered(data.source[rows][:, 0], kind.n_classes))
    return torch.cat(x), torch.cat(y)


def most_covered(maps: Tensor, n_classes: int) -> Tensor:
    """Which class, from 0, has most pixels of each map (N, H, W), where it is numbered from 1 and 0
    is the ground: int64 (N,), of equal ones the first.
    """
    return torch.stack([(maps == k + 1).sum((1, 2)) for k in range(n_classes)], 1).argmax(1)


@torch.no_grad()
def accuracy(network: Classifier, x: Tensor, y: Tensor) -> float:
    """The share of uint8 images (N, C, side, side) that get their label (N,)."""
    parts = zip(torch.split(x, 1000), torch.split(y, 1000), strict=True)
    right = sum(int((network(a)[1].argmax(1) == b).sum()) for a, b in parts)
    return right / len(x)


@dataclass(frozen=True)
class Recipe:
    """epochs: over all training images. shift: pixels, each way, that an image is moved by.
    background: the value, in 0..255, of what lies around an image. decay: of the average of the
    weights. labelled: from a split's name to its images and labels.
    """

    kind: Kind
    epochs: int
    shift: int
    background: int
    decay: float
    labelled: Callable[[Kind, str], tuple[Tensor, Tensor]] = own_labels


RECIPES = {
    recipe.kind.name: recipe
    for recipe in (
        Recipe(EMOJI, epochs=32, shift=6, background=255, decay=0.99),
        Recipe(FASHION, epochs=20, shift=2, background=0, decay=0.999),
        # canvases go on beyond their borders, so they are mirrored but not moved
        Recipe(WARDROBE, epochs=12, shift=0, background=0, decay=0.99, labelled=canvases),
    )
}


@click.command()
@click.argument("name", type=click.Choice(list(RECIPES)))
@click.option("--epochs", type=int, help="[default: the recipe's]")
@click.option("--seed", default=0, show_default=True)
@click.option("--device", default="cpu", show_default=True)
@click.option("--out", type=Path, help="[default: where ganlib reads them]")
def main(name: str, epochs: int | None, seed: int, device: str, out: Path | None) -> None:
    """Train, test and write the weights (safetensors, float16) and their record (JSON)."""
    recipe = RECIPES[name]
    recipe = recipe if epochs is None else replace(recipe, epochs=epochs)
    kind, labelled = recipe.kind, recipe.labelled
    out = kind.weights if out is None else out
    x, y = labelled(kind, "train")
    content = packed(train(recipe, x.to(device), y.to(device), seed))
    score = accuracy(load_classifier(kind, content), *labelled(kind, "test"))
    print(f"test accuracy: {score:.2%}")
    _write(out, content)
    record = {
        "accuracy": score,
        "fd_train_test": distance(kind, out),
        "epochs": recipe.epochs,
        "seed": seed,
        "device": device,
        "script": "scripts/train_classifier.py",
        "torch": torch.__version__,
        "sha256": sha256(content).hexdigest(),
    }
    _write(out.with_suffix(".json"), (json.dumps(record, indent=2) + "\n").encode())


def train(recipe: Recipe, x: Tensor, y: Tensor, seed: int) -> Classifier:
    """A classifier of uint8 images (N, C, H, W) with labels (N,), trained where they lie."""
    torch.manual_seed(mix(seed, "classifier"))
    network = Classifier(recipe.kind).to(x.device)
    decay = get_ema_multi_avg_fn(recipe.decay)  # type: ignore[no-untyped-call]
    average = AveragedModel(network, multi_avg_fn=decay, use_buffers=True)
    optimizer = torch.optim.AdamW(network.parameters(), LR, weight_decay=0.05)
    steps = recipe.epochs * (len(x) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LR, total_steps=steps, pct_start=0.15)
    for epoch in range(recipe.epochs):
        start, total = perf_counter(), torch.zeros((), device=x.device)
        random = generator(seed, "epoch", epoch)
        order = torch.randperm(len(x), generator=random).to(x.device)
        for index in torch.split(order, BATCH)[: len(x) // BATCH]:
            loss = F.cross_entropy(network(augment(x[index], recipe, random))[1], y[index])
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
            average.update_parameters(network)
            total += loss.detach()
        mean = total.item() / (len(x) // BATCH)
        print(f"epoch {epoch + 1}: loss {mean:.4f}, {perf_counter() - start:.1f} s", flush=True)
    trained = average.module
    assert isinstance(trained, Classifier)
    return trained


def augment(x: Tensor, recipe: Recipe, random: torch.Generator) -> Tensor:
    """Each image shifted by up to recipe.shift pixels both ways and mirrored half of the time."""
    n, channels, height, width = x.shape
    shifts = torch.randint(0, 2 * recipe.shift + 1, (2, n, 1), generator=random).to(x.device)
    mirrored = (torch.rand(n, 1, generator=random) < 0.5).to(x.device)
    rows = torch.arange(height, device=x.device) + shifts[0]
    columns = torch.arange(width, device=x.device)
    columns = torch.where(mirrored, columns.flip(0), columns) + shifts[1]
    padded = F.pad(x, (recipe.shift,) * 4, value=recipe.background)
    image = torch.arange(n, device=x.device)[:, None, None, None]
    channel = torch.arange(channels, device=x.device)[:, None, None]
    return padded[image, channel, rows[:, None, :, None], columns[:, None, None, :]]


def packed(network: Classifier) -> bytes:
    """Its weights as a safetensors file in float16."""
    state = network.cpu().state_dict()
    weights = {name: w.half() if w.is_floating_point() else w for name, w in state.items()}
    return save({name: w.contiguous() for name, w in weights.items()})


def distance(kind: Kind, weights: Path) -> float:
    """The Frechet distance of test images and training images: what real images reach."""
    extractor = make_extractor(kind.name, "cpu", Options(weights=weights))
    evaluator = Evaluator(extractor, {"train": open_dataset(kind.dataset, split="train").x})
    test = open_dataset(kind.dataset, split="test").x
    blocks = (test[rows] for rows in torch.split(torch.arange(len(test)), BLOCK))
    scores = evaluator(blocks, ["fid"]).scores
    return next(iter(scores.values())).value


def _write(path: Path, content: bytes) -> None:
    with atomic(path) as temporary:
        temporary.write_bytes(content)


if __name__ == "__main__":
    in_a_sentence(main)
