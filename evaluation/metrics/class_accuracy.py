"""How often the data's own classifier, which the extractor is then, sees in a sample the class that
it was asked for; and in a real test image its class, which is what could be reached.
"""

from collections.abc import Mapping
from typing import Any

import torch

from ganlib.evaluation.formats.blocks import BLOCK
from ganlib.evaluation.metrics.base import Metric, Seen, Value
from ganlib.evaluation.metrics.by_class import accuracies, asked, few, lacks_classes
from ganlib.evaluation.statistics.real import Given

N = 50_000


def lacks_classifier(given: Given) -> str:
    """See Metric.lacks."""
    lacks, extractor = lacks_classes(given), given.extractor
    if not lacks and extractor.classes != given.classes:
        knows = few(extractor.classes) if extractor.classes else "others"
        lacks = (
            f"asks the extractor for the data's classes, {few(given.classes)}, and "
            f"'{extractor.name}' knows {knows}: leave it out, or give the --extractor of these "
            "data."
        )
    return lacks


def class_accuracy(seen: Seen) -> Mapping[str, Value]:
    right = seen.logits.argmax(1) == seen.labels
    settings = asked(seen)
    by_class = {"by_class": accuracies(right, seen.labels, seen.real)}
    real = seen.once("class_accuracy", lambda: on_real(seen))
    more = {**by_class, **({"real": real} if real else {})}
    return {"class-accuracy": Value(float(right.double().mean()), settings=settings, more=more)}


def on_real(seen: Seen) -> dict[str, Any]:
    """The same of all real test images; {} if there are none with labels."""
    data = seen.given.test
    if data is None:
        return {}
    assert data.y is not None
    index = torch.split(torch.arange(len(data)), BLOCK)
    logits = [seen.given.extractor(data.x[rows]).logits for rows in index]
    guessed = torch.cat([part.argmax(1).cpu() for part in logits if part is not None])
    right = guessed == data.y
    return {
        "value": float(right.double().mean()),
        "split": "test",
        "n": len(data),
        "digest": seen.references["test"].digest,
        "by_class": accuracies(right, data.y, data),
    }


METRIC = Metric(class_accuracy, needs=("logits", "labels"), n=N, lacks=lacks_classifier)
