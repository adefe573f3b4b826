"""The extractor of a classifier that comes with ganlib."""

from collections.abc import Mapping
from hashlib import sha256

import torch
from torch import Tensor

from ganlib.common.errors import UserError
from ganlib.evaluation.extractors.base import (
    Extractor,
    Features,
    Options,
    arithmetic,
    place,
    read_weights,
)
from ganlib.evaluation.extractors.small import Classifier, Kind, fit, load_classifier


class Classified(Extractor):
    """A classifier's pooled features and its logits."""

    def __init__(
        self, kind: Kind, network: Classifier, digest: str, device: torch.device, options: Options
    ) -> None:
        self.name, self.n_features, self.n_classes = kind.name, kind.n_features, kind.n_classes
        self.classes = kind.classes
        self.kind, self.digest, self.device, self.options = kind, digest, device, options
        self.network = place(network, device, options)

    def describe(self) -> Mapping[str, str]:
        side = self.kind.side
        return {**super().describe(), "resize": f"bilinear, antialiased, to {side}x{side}"}

    def __call__(self, x: Tensor) -> Features:
        with arithmetic(self.device, self.options.precision):
            pool, logits = self.network(fit(self.kind, x.to(self.device)))
        return Features(pool.float(), logits.float())


def make_classified(kind: Kind, device: torch.device, options: Options) -> Classified:
    """The bundled classifier, or another file of the same network."""
    path = options.weights or kind.weights
    content = read_weights(path)
    try:
        network = load_classifier(kind, content)
    except Exception as error:  # safetensors and load_state_dict have many names for "not ours"
        raise UserError(
            f"{path} does not hold the weights of the extractor '{kind.name}': leave the file out, "
            "the right one comes with ganlib."
        ) from error
    return Classified(kind, network, sha256(content).hexdigest(), device, options)
