"""A process of its own for tests: python worker.py score RANK WORLD MEETING | reference."""

import sys
import warnings
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist

from ganlib.common.data import DataSet
from ganlib.common.sources import open_dataset
from ganlib.evaluation.blocks import share
from ganlib.evaluation.evaluate import Evaluator
from ganlib.evaluation.features import make_extractor
from ganlib.evaluation.metric import COSTLY, LABELLED, metrics
from ganlib.evaluation.metrics import _cas_classifier, cas
from ganlib.evaluation.references import load_reference


def score(rank: int, world: int, meeting: str) -> None:
    """Print the scores of several numbers of images, of which this rank looks at its share."""
    if world > 1:
        dist.init_process_group(
            "gloo",
            init_method=f"file://{meeting}",
            rank=rank,
            world_size=world,
            timeout=timedelta(seconds=60),
        )
    data = open_dataset("fashion_mnist")
    x, y = data.x[torch.arange(4000)], data.y
    metrics.add_folder(Path(__file__).parents[1] / "methods" / "metrics")
    warnings.filterwarnings("ignore", "The rarest class")
    _cas_classifier.EPOCHS, cas.SEEDS = 1, (0,)
    train = DataSet("", x[:1000], y[:1000], None, data.classes)
    test = DataSet("", x[1000:1500], y[1000:1500], None, data.classes)
    evaluator = Evaluator(make_extractor("fashion"), {"train": train, "test": test})
    names = ("is", "fid", "prdc", "duplicates", *LABELLED, *COSTLY, "asked_accuracy")
    for n in (1400, 200):  # of 200 the second rank is given none
        floats = x[2000 : 2000 + n] / 127.5 - 1
        asked = y[2000 : 2000 + n].split(100)
        images = share(zip(floats.split(100), asked, strict=True), rank, world)
        for name, found in evaluator(images, names, rank=rank, world=world).scores.items():
            print(name, repr(found.value), found.protocol.hash)
    if world > 1:
        dist.destroy_process_group()


def reference() -> None:
    """Print how often this process had to ask the network for the features of a reference."""
    calls = []
    images = open_dataset("fashion_mnist").x[torch.arange(1000)]
    extractor = make_extractor("fashion")
    load_reference("train", images, extractor, lambda what, done, total: calls.append(what))
    print(calls.count("reference train"))


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1] == "score":
        score(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
    else:
        reference()
