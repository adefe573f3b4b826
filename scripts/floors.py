"""What Frechet distances the test images of bundled data reach, as they are and made worse.

Run `python -m scripts.floors NAME... [--extractor NAME]` at the top of the checkout: each line is a
distance to all training images, by default in the features of the data set's own extractor.
"""

from collections.abc import Callable
from functools import partial

import click
import torch
from torch import Tensor

from ganlib.__main__ import in_a_sentence
from ganlib.commands.scores.sights import LEVELS, blurred, noisy
from ganlib.evaluation import Evaluator
from ganlib.evaluation.formats import in_order
from ganlib.training.scores.real_images import RealImages
from ganlib.training.scores.scorer import Criteria, make_scorer


def grey(x: Tensor) -> Tensor:
    """The mean of the channels in each of them."""
    return x.float().mean(1, keepdim=True).round().to(torch.uint8).expand_as(x)


CHANGES: dict[str, Callable[[Tensor], Tensor]] = {
    "as they are": lambda x: x,
    "blurred by a 3x3 mean": partial(blurred, side=3),
    "blurred by a 7x7 mean": partial(blurred, side=7),
    f"with noise of {LEVELS} levels": noisy,
    "in grey": grey,
    "black": torch.zeros_like,
}


@click.command()
@click.argument("names", nargs=-1, required=True)
@click.option("--extractor", help="The features.  [default: the data set's own]")
def main(names: tuple[str, ...], extractor: str | None) -> None:
    """Print a line per data set and change."""
    for name in names:
        evaluator = make_scorer(None, RealImages(name), Criteria(extractor=extractor)).evaluator
        assert evaluator is not None
        only_train = Evaluator(evaluator.extractor, {"train": evaluator.images["train"]})
        blocks = list(in_order(evaluator.images["test"]))
        for label, change in CHANGES.items():
            (score,) = only_train(map(change, blocks), ["fid"]).scores.values()
            print(f"{name}: {score.name}, test images {label}: {score.value:.4g}", flush=True)


if __name__ == "__main__":
    in_a_sentence(main)
