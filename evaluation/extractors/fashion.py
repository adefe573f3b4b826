"""A small classifier of Fashion-MNIST that comes with ganlib; its distance is FD-fashion, no FID.

Colour images are averaged to grey, other sizes are resized to 28x28.
"""

from collections.abc import Mapping
from hashlib import sha256

import torch
from torch import Tensor

from ganlib.common.errors import UserError
from ganlib.evaluation.fashion import (
    CLASSES,
    N_CLASSES,
    N_FEATURES,
    SIDE,
    WEIGHTS,
    Classifier,
    fit,
    load_classifier,
)
from ganlib.evaluation.features import Extractor, Features, Options, arithmetic, place, read_weights


class Fashion(Extractor):
    """The classifier's 128 pooled features and 10 logits."""

    name = "fashion"
    n_features = N_FEATURES
    n_classes = N_CLASSES
    classes = CLASSES

    def __init__(
        self, network: Classifier, digest: str, device: torch.device, options: Options
    ) -> None:
        self.digest, self.device, self.options = digest, device, options
        self.network = place(network, device, options)

    def describe(self) -> Mapping[str, str]:
        return {**super().describe(), "resize": f"bilinear, antialiased, to {SIDE}x{SIDE}"}

    def __call__(self, x: Tensor) -> Features:
        with arithmetic(self.device, self.options.precision):
            pool, logits = self.network(fit(x.to(self.device)))
        return Features(pool.float(), logits.float())


def make(device: torch.device, options: Options) -> Fashion:
    """The bundled classifier, or another file of the same network."""
    path = options.weights or WEIGHTS
    content = read_weights(path)
    try:
        network = load_classifier(content)
    except Exception as error:  # safetensors and load_state_dict have many names for "not ours"
        raise UserError(
            f"{path} does not hold the weights of the extractor 'fashion': leave the file out, the "
            "right one comes with ganlib."
        ) from error
    return Fashion(network, sha256(content).hexdigest(), device, options)
