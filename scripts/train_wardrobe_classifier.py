"""Train the classifier of evaluation/extractors/wardrobe.py; write its weights and their record.

Run `python -m scripts.train_wardrobe_classifier [--epochs 12] [--device cpu]` at the top of the
checkout.
"""

import torch
from torch import Tensor

from ganlib.common.open_dataset import open_dataset
from ganlib.evaluation.extractors.small import Kind
from ganlib.evaluation.extractors.wardrobe import WARDROBE
from scripts.classifiers import Recipe, command

# canvases go on beyond their borders, so they are mirrored but not moved
RECIPE = Recipe(epochs=12, shift=0, background=0, decay=0.99)
AT_ONCE = 500


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


if __name__ == "__main__":
    command(WARDROBE, RECIPE, "scripts/train_wardrobe_classifier.py", canvases)()
