"""From a finished pass to scores, each stamped with its protocol."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from torch import Tensor

from ganlib.common.errors import UserError
from ganlib.evaluation.extractors.base import Extractor
from ganlib.evaluation.metrics.base import METRICS, Column, Context, Metric, Need, Value
from ganlib.evaluation.metrics.formulas import Nearest
from ganlib.evaluation.metrics.proportions import proportions
from ganlib.evaluation.protocol import Origin, Plain, Protocol, Score, versions
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


class Report:
    """The scores of one finished pass.

    references: the real images' statistics by the name of their split. progress, cache: see
    Context.
    """

    def __init__(
        self,
        done: OnePass,
        references: Mapping[str, Reference],
        inputs: Inputs,
        progress: Progress,
        cache: dict[str, Any],
    ) -> None:
        self.done, self.references, self.inputs = done, references, inputs
        self.progress, self.cache, self.extractor = progress, cache, done.extractor
        self.labels = self._labels()
        how = done.n, done.rounding, self.labels
        self.base = base_protocol(self.extractor, inputs.origin, *how)
        self.scores: dict[str, Score] = {}
        self.finds: dict[str, Any] = {}

    def all(self, wanted: Mapping[str, Metric]) -> Evaluation:
        """Every score of these metrics, in their order."""
        for name, metric in wanted.items():
            context = self._context(metric)
            named = {} if name in METRICS else {"metric": name}
            for column, value in metric.compute(context).items():
                value = value if isinstance(value, Value) else Value(value)
                value = replace(value, settings={**value.settings, **named})
                if isinstance(column, str):
                    suffix = self.extractor.suffix if value.instrument is None else ""
                    column = Column(f"{column}{suffix}", context.n, value.reference)
                self._add(column, value)
        return Evaluation(self.scores, self.finds)

    def _context(self, metric: Metric) -> Context:
        device = exact_device(self.extractor.device)
        rows: dict[Need, Tensor] = {
            need: getattr(self.done, need)()[: metric.n].to(device) for need in metric.needs
        }
        return Context(
            min(metric.n, self.done.n),
            self.done.n,
            metric.columns(self.inputs, self.done.n) if metric.columns else (),
            rows,
            self.done.moments,
            self.references,
            self.references[self.inputs.main],
            self.inputs,
            self.progress,
            self.cache,
            self.finds,
        )

    def _add(self, column: Column, value: Value) -> None:
        base, by = self.base, value.instrument
        if by is not None:
            base = replace(base, **asdict(by), settings=self.labels)
        settings = {**base.settings, **value.settings}
        protocol = replace(base, n_generated=column.n, settings=settings)
        if column.reference is not None:
            reference = self.references[column.reference]
            protocol = compared(protocol, reference, value.rank_deficient)
        name = column.title
        if name in self.scores:
            raise UserError(f"Two metrics give a score '{name}': rename it in one of them.")
        number = float(value.value)
        self.scores[name] = Score(name, number, value.std, protocol, value.more, column.better)

    def _labels(self) -> dict[str, Plain]:
        """What the protocol of every score says of the labels that a generator was asked for: that
        some are more frequent than among the real images, if so.
        """
        inputs, main = self.inputs, self.inputs.real[self.inputs.main]
        asked = self.done.labelled and inputs.origin.weights != "given"
        if not asked or inputs.strangers or main.y is None:
            return {}
        kind, _ = proportions(self.done.labels(), main.y, len(main.classes))
        return {} if kind == "marginal" else {"labels": kind}


def base_protocol(
    extractor: Extractor, origin: Origin, n: int, rounding: str, settings: Mapping[str, Plain]
) -> Protocol:
    """That of n images in these features, before they are compared with others."""
    facts = dict(extractor.describe())
    source = {} if origin.source is None else {"source": origin.source}
    return Protocol(
        extractor=extractor.name,
        extractor_digest=extractor.digest,
        resize=facts.pop("resize"),
        precision=facts.pop("precision"),
        n_generated=n,
        settings={**facts, **settings, **source},
        rounding=rounding,
        versions=versions(),
        **origin.fields,
    )


def compared(protocol: Protocol, reference: Reference, rank_deficient: bool) -> Protocol:
    """The protocol of a comparison with a split."""
    return replace(
        protocol,
        reference=reference.name,
        n_reference=reference.n,
        reference_digest=reference.digest,
        rank_deficient=rank_deficient,
    )
