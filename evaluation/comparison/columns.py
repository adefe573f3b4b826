"""Columns: scores that were obtained in different ways never share one."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ganlib.common.errors import UserError
from ganlib.evaluation.comparison.choice import in_order
from ganlib.evaluation.comparison.runs import Recorded, Run
from ganlib.evaluation.comparison.table import Column, Entry, plain
from ganlib.evaluation.comparison.values import differing
from ganlib.evaluation.protocol import RECORDED_ONLY


def make_columns(entries: Sequence[Entry], split: bool, choice: Sequence[str] = ()) -> list[Column]:
    """A column per score of the choice and hash; more than one hash of a score only if they are to
    be split.
    """
    found: dict[str, dict[str, tuple[Run, Recorded]]] = {}
    for run, scored in entries:
        for name, score in scored.every() if scored else ():
            found.setdefault(name, {}).setdefault(score.hash, (run, score))
    columns = []
    for name in in_order(found, choice):
        hashes = found[name]
        (run, score), *others = hashes.values()
        if others and not split:
            other_run, other = others[0]
            raise UserError(
                f"{name} of {run.path} and of {other_run.path} cannot share a column "
                f"({_difference(score, other)}); evaluate them alike, or give --split for a column "
                "of each."
            )
        for _, one in hashes.values():
            columns.append(Column(name, one.hash, one.protocol, _note(one, hashes.values())))
    return columns


def _note(score: Recorded, others: Iterable[tuple[Run, Recorded]]) -> str:
    """How a column's protocol differs from those of the other columns of its name."""
    scores = [other for _, other in others]
    if len(scores) == 1:
        return ""
    words = [
        f"{name}: {plain(deciding(score).get(name))}" for name in differing(map(deciding, scores))
    ]
    return ", ".join(words) or score.hash


def _difference(a: Recorded, b: Recorded) -> str:
    x, y = deciding(a), deciding(b)
    words = [f"{n}: {plain(x.get(n))} against {plain(y.get(n))}" for n in differing((x, y))]
    return ", ".join(words) or f"protocol {a.hash} against {b.hash}"


def deciding(score: Recorded) -> dict[str, Any]:
    """The fields that count."""
    return flatten({k: v for k, v in score.protocol.items() if k not in RECORDED_ONLY})


def flatten(protocol: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The fields of a protocol, a score's own settings among them, other nested ones as "a.b"."""
    flat: dict[str, Any] = {}
    for name, value in protocol.items():
        inner = prefix if name == "settings" else f"{prefix}{name}."
        nested = flatten(value, inner) if isinstance(value, Mapping) else None
        flat.update(nested if nested is not None else {f"{prefix}{name}": value})
    return flat
