"""Of which class a sample is: by known modes, or by a classifier that comes with ganlib."""

import torch
from torch import Tensor

from ganlib.common.pictures import to_uint8
from ganlib.evaluation.extractors.base import TRAINED, Options, make_extractor
from ganlib.evaluation.metrics.modes import NEAR
from ganlib.training.doctor.figures import Classify
from ganlib.training.updater import Updater


def classifier(updater: Updater, dataset: str) -> Classify | None:
    """What tells the data's classes, by their numbers; None if nothing does."""
    data, device = updater.data.data, updater.clock.device
    if (mixture := data.mixture) is not None:
        centres = mixture.centres.to(device).float()

        def mode(x: Tensor) -> Tensor:
            distance, nearest = torch.cdist(x.flatten(1).float(), centres).min(1)
            return nearest.masked_fill(distance > NEAR * mixture.std, -1)

        return mode
    if dataset not in TRAINED or updater.spec.frames > 1:
        return None
    extractor = make_extractor(TRAINED[dataset], device, Options())
    if extractor.classes != data.classes:
        return None

    def classify(x: Tensor) -> Tensor:
        logits = extractor(to_uint8(x)).logits
        assert logits is not None
        return logits.argmax(1)

    return classify
