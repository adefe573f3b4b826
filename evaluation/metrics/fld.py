"""Feature Likelihood Divergence: Jiralerspong et al. 2023, sections 3.1 to 3.3,
https://arxiv.org/abs/2302.04440

The likelihood of test images under Gaussians at the samples, whose widths are fitted to the
training images: a copy of a training image becomes too narrow to explain any other.
"""

import math
from collections.abc import Callable, Mapping
from itertools import count

import torch
from torch import Tensor

from ganlib.common.seeds import generator
from ganlib.evaluation.metrics.base import Column, Context, Metric, Value, in_features
from ganlib.evaluation.metrics.formulas import ROWS
from ganlib.evaluation.protocol import Plain
from ganlib.evaluation.statistics.real import Inputs

N = 10_000
BATCH, RATE, SEED = 10_000, 0.5, 0
EPOCHS, PATIENCE, ENOUGH = 50, 5, 5e-4
"""At most so many, and until the loss has fallen by less than ENOUGH in PATIENCE of them."""
NARROWEST, WIDEST = -40.0, 40.0  # logarithms of variances
BACKGROUND = 0.9
"""What distances to the mean of the training images are multiplied by for a Gaussian there, which
in the fit spares all others the images that they are far from."""
SETTINGS: dict[str, Plain] = {
    "optimizer": f"Adam {RATE:g}",
    "epochs": EPOCHS,
    "batch": BATCH,
    "fit_seed": SEED,
}


def lacks_splits(inputs: Inputs) -> str:
    """See Metric.lacks."""
    if {"train", "test"} <= inputs.real.keys():
        return ""
    return (
        "takes training images and test images, and there are not both: leave it out, or give a "
        "--dataset that has them and no reference of one alone."
    )


def fitted(centres: Tensor, x: Tensor, progress: Callable[[], object]) -> Tensor:
    """Logarithms (K,) of the variances of isotropic Gaussians at centres (K, D), by the authors'
    descent of the mean of nlls() of x (N, D). progress: called after each epoch.
    """
    d, mean = x.shape[1], x.mean(0, keepdim=True)
    least = [torch.cdist(rows, centres).amin(0) for rows in torch.split(x, ROWS)]
    widths = ((torch.stack(least).amin(0).square() + 1e-3) / d).log().requires_grad_()
    wide = widths.new_zeros(1).requires_grad_()
    optimizer, losses = torch.optim.Adam([widths, wide], RATE), list[float]()
    x = x[torch.randperm(len(x), generator=generator(SEED, "fld", len(x))).to(x.device)]
    with torch.enable_grad():
        for _ in range(EPOCHS):
            losses.append(0.0)
            for batch in torch.split(x, BATCH):
                optimizer.zero_grad()
                for rows in torch.split(batch, ROWS):
                    near = _log_densities(rows, centres, widths) - math.log(len(centres))
                    rest = _log_densities(BACKGROUND * (rows - mean), 0 * mean, wide)
                    loss = -torch.cat([near, rest], 1).logsumexp(1).sum() / d
                    torch.autograd.backward(loss / len(batch))
                    losses[-1] += float(loss.detach()) / len(x)
                optimizer.step()
                widths.data.clamp_(NARROWEST, WIDEST)
            progress()
            if len(losses) > PATIENCE and losses[-1 - PATIENCE] - losses[-1] < ENOUGH:
                break
    return widths.detach()


def nlls(x: Tensor, centres: Tensor, widths: Tensor) -> Tensor:
    """-log p(x) / D (N,) of features x (N, D) under the even mixture of these Gaussians, less the
    constant that all of them share.
    """
    parts = (_log_densities(rows, centres, widths) for rows in torch.split(x, ROWS))
    log_p = torch.cat([part.logsumexp(1) for part in parts]) - math.log(len(centres))
    return -log_p / x.shape[1]


def _log_densities(x: Tensor, centres: Tensor, widths: Tensor) -> Tensor:
    """(N, K), but for -D / 2 log(2 pi)."""
    return -(torch.cdist(x, centres).square() / widths.exp() + x.shape[1] * widths) / 2


def divergence(context: Context) -> Mapping[Column, Value]:
    """See Metric; the spread is that of the mean over the test images."""
    device, epochs = context.features.device, count(1)
    train, test = (context.references[name].features.to(device) for name in ("train", "test"))
    mean, std = test.mean(0), test.std(0)
    std = torch.where(std > 0, std, 1)  # of a feature that is the same for all test images
    fake, train, test = ((x - mean) / std for x in (context.features, train, test))

    def fit(centres: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        def progress() -> None:
            context.progress("likelihoods", next(epochs), 2 * EPOCHS)

        return centres, fitted(centres, x, progress)

    half = min(len(fake), len(train) // 2)  # of the training images, in a random order as they are
    base = context.once(f"fld {half}", lambda: nlls(test, *fit(train[:half], train[half:])))
    mixture = fit(fake, train)
    found, on_train = nlls(test, *mixture), nlls(train, *mixture)
    each = 100 * (found - base.mean()), 100 * (on_train.mean() - found)
    against = context.references["train"]
    settings = {"compared": len(train), "train_digest": against.digest, **SETTINGS}
    return {
        column: Value(float(x.mean()), float(x.std()) / len(test) ** 0.5, settings=settings)
        for column, x in zip(context.columns, each, strict=True)
    }


COLUMNS = in_features({"FLD": "lower", "FLD-gap": "higher"}, against="test")
METRIC = Metric(divergence, n=N, lacks=lacks_splits, columns=COLUMNS)
