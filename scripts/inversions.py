"""How nearly generators make images again: their own samples, and test images.

Run `python -m scripts.inversions RUN...` at the top of the checkout: for each run a line with the
mean PSNR in dB of N of its samples and of the first N test images of its data, after inversion, and
of the training image that is nearest to each of those.
"""

from pathlib import Path

import click
import torch
from torch import Tensor

import ganlib
from ganlib.__main__ import in_a_sentence
from ganlib.common.data.spec import Images
from ganlib.common.io.console import progress
from ganlib.common.query import DataQuery
from ganlib.evaluation.pairs.pixels import psnr
from ganlib.sampling.codes import Space

SEED = 5
"""Of the samples; the search begins at those of seed 0."""
AT_ONCE = 5000


def nearest(images: Tensor, training: Images) -> Tensor:
    """PSNR (n,) of the nearest of the training images to each of the images, uint8 (n, C, H, W)."""
    best = torch.zeros(len(images), dtype=torch.float64)
    with progress("comparing", len(training)) as advance:
        for first in range(0, len(training), AT_ONCE):
            some = training[torch.arange(first, min(first + AT_ONCE, len(training)))]
            gaps = torch.cdist(images.flatten(1).float(), some.flatten(1).float())
            closest = some[gaps.argmin(1)]
            best = torch.maximum(best, psnr(closest, images))
            advance(len(some))
    return best


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN...")
@click.option("-n", default=32, help="Images of each kind.")
@click.option("--space", type=click.Choice(["z", "code", "layers"]), default="z")
def main(runs: tuple[Path, ...], n: int, space: Space) -> None:
    """Print a line per run."""
    for run in runs:
        model = ganlib.load(run)
        query = DataQuery.of_run(model.settings)
        data, test = query.open(), query.of_split("test")
        assert test is not None
        held_out = test.x[torch.arange(n)]
        own = model.invert(model.sample(n, SEED), space).psnr
        found, training = model.invert(held_out, space).psnr, nearest(held_out, data.x)
        gain = found - training
        click.echo(
            f"{model.settings['algorithm']}: own {own.mean():.1f} (least {own.min():.1f}), test "
            f"images {found.mean():.1f}, nearest training image {training.mean():.1f}, "
            f"{gain.mean():+.1f} (least {gain.min():+.1f})"
        )


if __name__ == "__main__":
    in_a_sentence(main)
