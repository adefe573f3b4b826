"""What a value in a run's files may be: anything may stand there, and not all can be used; and
where records of them differ.
"""

from collections.abc import Iterable, Mapping
from typing import Any

LARGEST = 1e30
"""Beyond it, sums and scales of a page would overflow; nothing that is measured is as large."""


def is_number(value: Any) -> bool:
    """Whether it can be added up and drawn: no bool, not NaN, of a size below LARGEST."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and abs(value) < LARGEST  # false for NaN


def is_plain(value: Any, depth: int = 10) -> bool:
    """Whether it is text, a number, true, false, nothing, or lists and mappings by name of those
    within each other, at most `depth` of them.
    """
    if isinstance(value, list):
        return depth > 0 and all(is_plain(inner, depth - 1) for inner in value)
    if isinstance(value, dict):
        names = all(isinstance(name, str) for name in value)
        return depth > 0 and names and all(is_plain(v, depth - 1) for v in value.values())
    if isinstance(value, int):
        return abs(value) < LARGEST
    return value is None or isinstance(value, str | float)


def differing(records: Iterable[Mapping[str, Any]]) -> list[str]:
    """The names under which not all of the records have the same; one that lacks it has None."""
    records = list(records)
    names = dict.fromkeys(name for record in records for name in record)
    return [n for n in names if any(record.get(n) != records[0].get(n) for record in records)]
