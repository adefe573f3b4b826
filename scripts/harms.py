"""What harm to images real FID sees, and what a small classifier's distance does.

Run `python -m scripts.harms N [--inception-weights FILE]` at the top of the checkout: each line is
a harm to the first N test images of Fashion-MNIST, and their distances to the same images before
it, so that no draw of images is in them.
"""

from collections.abc import Callable
from pathlib import Path

import click
import torch
import torch.nn.functional as F
from torch import Tensor

from ganlib.__main__ import in_a_sentence
from ganlib.common.query import open_dataset
from ganlib.common.seeds import generator
from ganlib.evaluation import Evaluator
from ganlib.evaluation.extractors.base import Options, make_extractor


def blurred(x: Tensor, std: float) -> Tensor:
    """By a Gaussian of 5 pixels a side; black outside."""
    line = torch.exp(-torch.arange(-2.0, 3.0).square() / (2 * std**2))
    kernel = torch.outer(line, line) / line.sum() ** 2
    return F.conv2d(x, kernel[None, None], padding=2)


def net(x: Tensor) -> Tensor:
    """1 and -1 in turns, from pixel to pixel."""
    rows, columns = (torch.arange(n) for n in x.shape[2:])
    return 1.0 - 2.0 * ((rows[:, None] + columns) % 2)


def draws(x: Tensor) -> Tensor:
    return torch.rand(x.shape, generator=generator(0, "harms"))


HARMS: dict[str, Callable[[Tensor], Tensor]] = {
    "blurred, 0.4 pixels": lambda x: blurred(x, 0.4),
    "blurred, 0.6 pixels": lambda x: blurred(x, 0.6),
    "a net of 2 levels": lambda x: x + 2 * net(x),
    "a net of 6 levels": lambda x: x + 6 * net(x),
    "the same where not black": lambda x: x + 6 * net(x) * (x > 0),
    "black is 3": lambda x: x.clamp(min=3),
    "black is 0 to 3 at random": lambda x: torch.where(x == 0, (4 * draws(x)).floor(), x),
    "0.95 of the contrast": lambda x: 127.5 + 0.95 * (x - 127.5),
}
"""Images (N, 1, H, W) in levels to the same, harmed."""


@click.command()
@click.argument("n", type=click.IntRange(2), metavar="N")
@click.option("--inception-weights", type=click.Path(path_type=Path, exists=True))
def main(n: int, inception_weights: Path | None) -> None:
    """Print a line per harm: FID, by Inception in bfloat16, and FD-fashion."""
    images = open_dataset("fashion_mnist", split="test").x[torch.arange(n)]
    options = Options(inception_weights, "bf16", True)
    extractors = [make_extractor("inception", options=options), make_extractor("fashion")]
    evaluators = [Evaluator(extractor, {"test": images}) for extractor in extractors]
    for label, harm in HARMS.items():
        harmed = harm(images.float()).round().clamp(0, 255).to(torch.uint8)
        found = [s for e in evaluators for s in e([harmed], ["fid"]).scores.values()]
        click.echo(f"{label}: " + ", ".join(f"{s.name} {s.value:.3g}" for s in found))


if __name__ == "__main__":
    in_a_sentence(main)
