"""What the scores of an evaluation will be called, before there is one."""

from collections.abc import Iterable, Sequence

from ganlib.evaluation.extractors.base import Extractor
from ganlib.evaluation.metrics.base import COSTLY, LABELLED, METRICS, metrics
from ganlib.evaluation.metrics.report import KEPT, counts, label

OWN = (*METRICS, *LABELLED, *COSTLY)
"""The metrics whose scores are known."""


def score_names(
    extractor: Extractor, references: Iterable[str], main: str, n: int, wanted: Sequence[str]
) -> list[str]:
    """The names of the scores that ganlib's own metrics give of n images; where a class has too few
    of them, not all will come.

    references: the names of the splits; main: the one that single images are compared with.
    """
    suffix, few = extractor.suffix, f"{label(min(n, KEPT))}-{main}"
    frechet, kernel = extractor.score_name, "KID" if extractor.score_name == "FID" else "KD"
    by_class = {name: label(min(n, metrics[name].n)) for name in (*LABELLED, *COSTLY)}
    inception = [f"IS{suffix}{label(k)}" for k in counts("train", n)]
    names = {
        "is": inception if extractor.n_classes else [],
        "fid": [f"{frechet}{label(k)}-{split}" for split in references for k in counts(split, n)],
        "kid": [f"{kernel}{suffix}{few}"],
        "prdc": [f"{name}{suffix}{few}" for name in ("precision", "recall", "density", "coverage")],
        "duplicates": [
            f"{name}{suffix}{few}" for name in ("duplicates", "nearest-median", "nearest-least")
        ],
        "intra": [f"intra-{frechet}{by_class['intra']}-{main}"],
        "class_pr": [
            f"class-{name}{suffix}{by_class['class_pr']}-{main}" for name in ("precision", "recall")
        ],
        "class_accuracy": [f"class-accuracy{suffix}{by_class['class_accuracy']}"],
        "cas": [f"CAS{by_class['cas']}-test"],
    }
    return [name for metric in wanted for name in names.get(metric, [])]
