"""What two images differ by in the eyes of other networks."""

from collections.abc import Mapping, Sequence

from torch import Tensor

VGG_WEIGHTS = {"relu1_1": 1 / 32, "relu2_1": 1 / 16, "relu3_1": 1 / 8, "relu4_1": 1 / 4}
VGG_WEIGHTS["relu5_1"] = 1.0
"""Of VGG19's activations, by name: the authors' code."""
SCALE = 4.0
"""What the weights of a discriminator's layers add up to, with any number of layers."""


def feature_matching(real: Sequence[Sequence[Tensor]], fake: Sequence[Sequence[Tensor]]) -> Tensor:
    """Equation 4: of several discriminators the mean, over all layers but the logits the mean times
    SCALE, of the mean |D^i(x) - D^i(G(y))|. Nothing descends into what `real` was computed by.
    """
    losses = [
        SCALE * distance(a.detach(), b) / (len(theirs) - 1)
        for theirs, mine in zip(real, fake, strict=True)
        for a, b in zip(theirs[:-1], mine[:-1], strict=True)
    ]
    total: Tensor = sum(losses[1:], losses[0])
    return total / len(real)


def vgg_distance(real: Mapping[str, Tensor], fake: Mapping[str, Tensor]) -> Tensor:
    """The weighted sum of the mean distances of VGG19's activations, by their names."""
    losses = [weight * distance(real[n], fake[n]) for n, weight in VGG_WEIGHTS.items()]
    return sum(losses[1:], losses[0])


def distance(a: Tensor, b: Tensor) -> Tensor:
    """The mean of |a - b|, 0-dim."""
    return (a - b).abs().mean()
