"""From a finished pass to scores, each stamped with its protocol."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ganlib.common.errors import UserError
from ganlib.evaluation.metrics.base import METRICS, Column, Context, Metric, Value
from ganlib.evaluation.metrics.by_class import proportions
from ganlib.evaluation.metrics.formulas import Nearest
from ganlib.evaluation.protocol import Plain, Score, stamp
from ganlib.evaluation.statistics.moments import exact_device
from ganlib.evaluation.statistics.onepass import OnePass
from ganlib.evaluation.statistics.real import Inputs
from ganlib.evaluation.statistics.references import Progress, Reference


@dataclass(frozen=True)
class Evaluation:
    """scores: by name. finds: what metrics found on the way, by name, for pictures."""

    scores: dict[str, Score]
    finds: Mapping[str, Any] = field(default_factory=dict)

    @property
    def nearest(self) -> Nearest | None:
        """For each of the first samples its nearest training image (by its number in the training
        split) and the distance; None unless "duplicates" was asked for.
        """
        return self.finds.get("nearest")


def report(
    wanted: Mapping[str, Metric],
    done: OnePass,
    references: Mapping[str, Reference],
    inputs: Inputs,
    progress: Progress,
    cache: dict[str, Any],
) -> Evaluation:
    """Every score of these metrics, in their order, of a finished pass; see Context."""
    device, labels = exact_device(done.extractor.device), _labels(done, inputs)
    scores, finds = dict[str, Score](), dict[str, Any]()
    for metric_name, metric in wanted.items():
        context = Context(
            min(metric.n, done.n),
            done.n,
            metric.columns(inputs, done.n) if metric.columns else (),
            {need: done.rows(need)[: metric.n].to(device) for need in metric.needs},
            done.moments,
            references,
            references[inputs.main],
            inputs,
            progress,
            cache,
            finds,
        )
        named = {} if metric_name in METRICS else {"metric": metric_name}
        for column, value in metric.compute(context).items():
            value = value if isinstance(value, Value) else Value(value)
            if isinstance(column, str):
                suffix = done.extractor.suffix if value.instrument is None else ""
                column = Column(f"{column}{suffix}", context.n, value.reference)
            protocol = stamp(
                value.instrument or done.extractor.instrument,
                inputs.origin,
                column.n,
                {**labels, **value.settings, **named},
                None if column.reference is None else references[column.reference].split,
                done.rounding,
                value.rank_deficient,
            )
            name, number = column.title, float(value.value)
            if name in scores:
                raise UserError(f"Two metrics give a score '{name}': rename it in one of them.")
            scores[name] = Score(name, number, value.std, protocol, value.more, column.better)
    return Evaluation(scores, finds)


def _labels(done: OnePass, inputs: Inputs) -> dict[str, Plain]:
    """What the protocol of every score says of the labels that a generator was asked for: that some
    are more frequent than among the real images, if so.
    """
    main = inputs.real[inputs.main]
    if not done.labelled or inputs.origin.weights == "given" or inputs.strangers or main.y is None:
        return {}
    kind, _ = proportions(done.rows("labels"), main.y, len(main.classes))
    return {} if kind == "marginal" else {"labels": kind}
