"""Train the classifier of evaluation/fashion.py and write its weights and their record.

Run `python -m scripts.train_fashion_classifier [--epochs 20] [--device cpu]` at the top of the
checkout. The weights are the average over the last part of training; the test images are looked at
once, at the end, by the weights as they are stored.
"""

import json
from hashlib import sha256
from pathlib import Path
from time import perf_counter

import click
import torch
import torch.nn.functional as F
from safetensors.torch import save
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ganlib.common.files import atomic
from ganlib.common.seeds import generator, mix
from ganlib.common.sources import open_dataset
from ganlib.evaluation import Evaluator
from ganlib.evaluation.fashion import WEIGHTS, Classifier, accuracy, load_classifier
from ganlib.evaluation.features import Options, make_extractor

BATCH = 128
SHIFT = 2  # pixels, each way
LR = 4e-3
DECAY = 0.999  # of the average of the weights


@click.command()
@click.option("--epochs", default=20, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--device", default="cpu", show_default=True)
@click.option("--out", default=WEIGHTS, type=Path, show_default=True)
def main(epochs: int, seed: int, device: str, out: Path) -> None:
    """Train, test and write OUT (safetensors, float16) and its record (JSON)."""
    data = _split("train", device)
    network = train(*data, epochs, seed)
    weights = {
        name: w.half() if w.is_floating_point() else w
        for name, w in network.cpu().state_dict().items()
    }
    content = save({name: w.contiguous() for name, w in weights.items()})
    score = accuracy(load_classifier(content), *_split("test", "cpu"))
    print(f"test accuracy: {score:.2%}")
    _write(out, content)
    record = {
        "accuracy": score,
        "fd_train_test": distance(out),
        "epochs": epochs,
        "seed": seed,
        "device": device,
        "script": "scripts/train_fashion_classifier.py",
        "torch": torch.__version__,
        "sha256": sha256(content).hexdigest(),
    }
    _write(out.with_suffix(".json"), (json.dumps(record, indent=2) + "\n").encode())


def train(x: Tensor, y: Tensor, epochs: int, seed: int) -> Classifier:
    """A classifier of uint8 images (N, 1, 28, 28) with labels (N,), trained where they lie."""
    torch.manual_seed(mix(seed, "classifier"))
    network = Classifier().to(x.device)
    decay = get_ema_multi_avg_fn(DECAY)  # type: ignore[no-untyped-call]
    average = AveragedModel(network, multi_avg_fn=decay, use_buffers=True)
    optimizer = torch.optim.AdamW(network.parameters(), LR, weight_decay=0.05)
    steps = epochs * (len(x) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LR, total_steps=steps, pct_start=0.15)
    for epoch in range(epochs):
        start, total = perf_counter(), torch.zeros((), device=x.device)
        random = generator(seed, "epoch", epoch)
        order = torch.randperm(len(x), generator=random).to(x.device)
        for index in torch.split(order, BATCH)[: len(x) // BATCH]:
            loss = F.cross_entropy(network(augment(x[index], random))[1], y[index])
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


def distance(weights: Path) -> float:
    """FD-fashion of the test images against the training images: what real images reach."""
    extractor = make_extractor("fashion", "cpu", Options(weights=weights))
    evaluator = Evaluator(extractor, {"train": _split("train", "cpu")[0]})
    scores = evaluator([_split("test", "cpu")[0]], ["fid"]).scores
    return next(iter(scores.values())).value


def augment(x: Tensor, random: torch.Generator) -> Tensor:
    """Each image shifted by up to SHIFT pixels both ways and mirrored half of the time."""
    n, _, height, width = x.shape
    shifts = torch.randint(0, 2 * SHIFT + 1, (2, n, 1), generator=random).to(x.device)
    mirrored = (torch.rand(n, 1, generator=random) < 0.5).to(x.device)
    rows = torch.arange(height, device=x.device) + shifts[0]
    columns = torch.arange(width, device=x.device)
    columns = torch.where(mirrored, columns.flip(0), columns) + shifts[1]
    padded = F.pad(x, (SHIFT,) * 4)
    image = torch.arange(n, device=x.device)[:, None, None]
    return padded[:, 0][image, rows[:, :, None], columns[:, None, :]][:, None]


def _split(name: str, device: str) -> tuple[Tensor, Tensor]:
    data = open_dataset("fashion_mnist", split=name)
    assert isinstance(data.x, Tensor) and data.y is not None
    return data.x.to(device), data.y.to(device)


def _write(path: Path, content: bytes) -> None:
    with atomic(path) as temporary:
        temporary.write_bytes(content)


if __name__ == "__main__":
    main()
