"""One of two processes that score a translator by a segmenter; rank 0 prints what they found.

The argument is a file that is not there yet, by which the two meet.
"""

import json
import sys
from typing import Any

import torch
from small_methods import FOLDER

from ganlib.contract.fixtures import small_updater
from ganlib.evaluation.pairs import segmenter
from ganlib.registry import add_plugins
from ganlib.training.device import ranks
from ganlib.training.scores.pairs import PairScores
from ganlib.training.scores.scorer import Drawing

DRAWING = Drawing(30, batch_size=8)


def scores() -> dict[str, Any]:
    """Of one updater of labelmap, twice by the same PairScores."""
    rank, world = ranks.rank(), ranks.count()
    updater = small_updater("labelmap", 1, 16)
    pairs = PairScores(updater, updater.held_out.data.x, lessons=updater.held_out.data)
    pairs.prepare()
    for _ in range(2):
        for _ in pairs.compared(DRAWING, rank, world):
            pass
        found = pairs.scores(DRAWING, world=world)
    return {name: found[name].to_dict() for name in ("pixel_accuracy", "mean_iou")}


def alone() -> dict[str, Any]:
    """The same of the only process."""
    count, rank = ranks.count, ranks.rank
    ranks.count, ranks.rank = lambda: 1, lambda: 0
    try:
        return scores()
    finally:
        ranks.count, ranks.rank = count, rank


def main() -> None:
    torch.set_num_threads(1)
    add_plugins(FOLDER)
    ranks.start(torch.device("cpu"), f"file://{sys.argv[1]}")
    real, trainings = segmenter.trained, []

    def short(*args: Any) -> Any:
        trainings.append(args)
        return real(*args, steps=5)

    segmenter.trained = short
    found = scores()
    counts = ranks.gather(torch.tensor([len(trainings)])).tolist()
    if ranks.rank() == 0:
        print(json.dumps({"together": found, "alone": alone(), "trainings": counts}))
    ranks.stop()


if __name__ == "__main__":
    main()
