"""How often the data's own classifier, which the extractor is then, sees in a sample the class that
it was asked for; and in a real test image its class, which is what could be reached.
"""

from collections.abc import Mapping
from typing import Any

import torch

from ganlib.common.errors import few
from ganlib.evaluation.formats import in_order
from ganlib.evaluation.metrics.base import Column, Context, Metric, Value, in_features
from ganlib.evaluation.metrics.by_class import accuracies, label_settings, lacks_classes
from ganlib.evaluation.statistics.real import Inputs

N = 50_000


def lacks_classifier(inputs: Inputs) -> str:
    """See Metric.lacks."""
    lacks, extractor = lacks_classes(inputs), inputs.extractor
    if not lacks and extractor.classes != inputs.classes:
        knows = few(extractor.classes) if extractor.classes else "others"
        lacks = (
            f"asks the extractor for the data's classes, {few(inputs.classes)}, and "
            f"'{extractor.name}' knows {knows}: leave it out, or give the --extractor of these "
            "data."
        )
    return lacks


def class_accuracy(context: Context) -> Mapping[Column, Value]:
    """See Metric."""
    right = context.logits.argmax(1) == context.labels
    settings = label_settings(context)
    more: dict[str, Any] = {"by_class": accuracies(right, context.labels, context.real)}
    if real := context.once("class_accuracy", lambda: on_real(context)):
        more["real"] = real
    (column,) = context.columns
    return {column: Value(float(right.double().mean()), settings=settings, more=more)}


def on_real(context: Context) -> dict[str, Any]:
    """The same of all real test images; {} if there are none with labels."""
    data = context.inputs.test
    if data is None:
        return {}
    assert data.y is not None
    logits = [context.inputs.extractor(x).logits for x in in_order(data.x)]
    guessed = torch.cat([part.argmax(1).cpu() for part in logits if part is not None])
    right = guessed == data.y
    return {
        "value": float(right.double().mean()),
        "split": "test",
        "n": len(data),
        "digest": context.references["test"].digest,
        "by_class": accuracies(right, data.y, data),
    }


COLUMNS = in_features({"class-accuracy": "higher"}, against=None)
METRIC = Metric(class_accuracy, ("logits", "labels"), N, lacks_classifier, COLUMNS)
