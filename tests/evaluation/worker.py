"""One of two processes that score together: python worker.py MEETING, see two_ranks."""

import json
import sys
import warnings
from itertools import islice
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from ganlib.common.data import DataSet
from ganlib.common.query import open_dataset
from ganlib.evaluation.evaluate import Evaluator
from ganlib.evaluation.extractors.base import make_extractor
from ganlib.evaluation.formats import blocks
from ganlib.evaluation.metrics import cas
from ganlib.evaluation.metrics.base import LABELLED, metrics
from ganlib.training.device import ranks

NAMES = ("is", "fid", "prdc", "duplicates", *LABELLED, "cas", "asked_accuracy")


def score(rank: int, world: int) -> dict[str, tuple[float, str]]:
    """The scores of several numbers of images, of which this rank looks at its share, each with the
    hash of its protocol.
    """
    data = open_dataset("fashion_mnist")
    x, y = data.x[torch.arange(4000)], data.y
    train = DataSet("", x[:1000], y[:1000], None, data.classes)
    test = DataSet("", x[1000:1500], y[1000:1500], None, data.classes)
    evaluator = Evaluator(make_extractor("fashion"), {"train": train, "test": test})
    found = {}
    for n in (1400, 200):  # of 200 the second rank is given none
        floats = x[2000 : 2000 + n] / 127.5 - 1
        asked = y[2000 : 2000 + n].split(100)
        images = islice(blocks(zip(floats.split(100), asked, strict=True)), rank, None, world)
        for name, one in evaluator(images, NAMES, rank=rank, world=world).scores.items():
            found[name] = one.value, one.protocol.hash
    return found


def main(meeting: str) -> None:
    """Print what one process finds, and what each of two does."""
    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", "The rarest class")
    torch.set_num_threads(1)
    metrics.add_folder(Path(__file__).parents[1] / "methods" / "metrics")
    cas.EPOCHS, cas.SEEDS = 1, (0,)
    ranks.start(torch.device("cpu"), f"file://{meeting}")
    alone = score(0, 1) if ranks.rank() == 0 else {}
    found: list[Any] = [None, None]
    dist.all_gather_object(found, score(ranks.rank(), 2))
    print(json.dumps([alone, *found]))
    ranks.stop()


if __name__ == "__main__":
    main(sys.argv[1])
