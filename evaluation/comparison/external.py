"""External results: what `ganlib evaluate --out x.json` wrote of images that no run made."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ganlib.common.errors import UserError
from ganlib.common.io.files import MIB, reading, regular
from ganlib.common.io.jsonl import is_count
from ganlib.evaluation.comparison.reading import recorded
from ganlib.evaluation.comparison.runs import Evaluation, Recorded, Run
from ganlib.evaluation.protocol import deciding

LONGEST = 64 * MIB
UNKNOWN = "unknown data"
UNTOLD = ("weights", "bn_mode", "rounding")
"""Fields of a protocol that images alone do not tell; they are "given" there."""


def read_external(path: Path) -> Run:
    """The file as a run of its name without a log; UserError if it is none."""
    with reading(path):
        try:
            content = json.loads(regular(path, LONGEST).read_text("utf-8"))
            scores = {name: recorded(score) for name, score in content["scores"].items()}
        except FileNotFoundError:
            raise UserError(f"There is no {path}; `ganlib evaluate --out` writes one.") from None
        except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
            raise UserError(
                f"{path} holds no scores as `ganlib evaluate --out` writes them."
            ) from None
    iteration = content.get("iteration")
    known = {name: score for name, score in scores.items() if score is not None}
    evaluation = Evaluation(iteration if is_count(iteration) else 0, known)
    return Run(path, _settings(path, content), {}, [], [evaluation], True, external=True)


def joined(result: Run, runs: Sequence[Run]) -> Run:
    """The same on the data of the runs that were compared with the same real images, and its scores
    under their protocols where those differ in nothing but what images do not tell.
    """
    (evaluation,) = result.evaluations
    digests = _digests(result)
    near = [run for run in runs if digests & _digests(run)]
    if near:
        own = {name: near[0].settings.get(name) for name in ("dataset", "size", "source")}
        result = replace(result, settings={**result.settings, **own})
    scores = {name: _alike(name, score, near) for name, score in evaluation.scores.items()}
    return replace(result, evaluations=[replace(evaluation, scores=scores)])


def _alike(name: str, score: Recorded, runs: Sequence[Run]) -> Recorded:
    """The score under the one protocol of the runs that it fits; as it is if there is none."""
    if score.protocol.get("weights") != "given":
        return score
    theirs = [e.scores[name] for run in runs for e in run.evaluations if name in e.scores]
    fitting = {s.hash: s.protocol for s in theirs if _comparable(s) == _comparable(score)}
    if len(fitting) != 1:
        return score
    ((key, protocol),) = fitting.items()
    return replace(score, protocol=protocol, hash=key)


def _comparable(score: Recorded) -> dict[str, Any]:
    return {name: value for name, value in deciding(score.protocol).items() if name not in UNTOLD}


def _digests(run: Run) -> set[str]:
    """Of the real images that a run was compared with."""
    scores = [score for evaluation in run.evaluations for score in evaluation.scores.values()]
    found = (score.protocol.get("reference_digest") for score in scores)
    return {digest for digest in found if isinstance(digest, str)}


def _settings(path: Path, content: dict[str, Any]) -> dict[str, Any]:
    dataset, size, source = (content.get(name) for name in ("dataset", "size", "source"))
    return {
        "algorithm": path.name,
        "dataset": dataset if isinstance(dataset, str) else UNKNOWN,
        "size": size if is_count(size) else None,
        "source": source if isinstance(source, str) else None,
        "target": str(content.get("target")),
    }
