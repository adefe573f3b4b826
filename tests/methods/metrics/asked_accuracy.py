"""How often the extractor's own classes name the label that an image was asked for."""

from collections.abc import Mapping

from ganlib.evaluation.metrics.base import Context, Metric, Value


def asked_accuracy(context: Context) -> Mapping[str, Value]:
    right = (context.logits.argmax(1) == context.labels).double()
    error = float(right.std(correction=0)) / context.n**0.5
    return {"asked_accuracy": Value(float(right.mean()), error, settings={"top": 1})}


METRIC = Metric(asked_accuracy, needs=("logits", "labels"))
