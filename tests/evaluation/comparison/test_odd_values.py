"""Whatever stands in a run's files, a comparison succeeds or ends in a sentence."""

import json
import random
from collections.abc import Callable, Iterator
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
import yaml

from ganlib.common.errors import UserError
from ganlib.evaluation.comparison.compare import compare
from ganlib.evaluation.comparison.reading import read_run
from ganlib.evaluation.comparison.writers import to_csv, to_json, to_latex, to_markdown
from ganlib.evaluation.page.document import to_html

Make = Callable[..., Path]

CASES = 200  # of some thousand
DEEP: list[Any] = reduce(lambda inner, _: [inner], range(500), [])
NESTED: list[Any] = reduce(lambda inner, _: [inner], range(12), [])
ODD: list[Any] = [
    None,
    True,
    -1,
    0,
    1.5,
    10**29,
    10**400,
    1e308,
    5e-324,
    float("nan"),
    float("inf"),
    "",
    "abc",
    "\x1b]0;title\x07\x1b[31m\r\n</td><script>",
    "\ud800",
    [],
    [1, "a", [None]],
    {},
    {"a": {"b": [1]}, "settings": 3},
    DEEP,
]
TEXTS = [
    b"",
    b"\n",
    b"\n\n",
    b"{}\n",
    b"[]\n",
    b"3\n",
    b"null\n",
    b"NaN\n",
    b"\xff\xfe\x00\n",
    b"\xef\xbb\xbf{}\n",
    b"[" * 5000 + b"\n",
    b'{"iteration": ' + b"1" * 5000 + b"}\n",
    b"algorithm: &a [*a]\ndataset: x\n",
    b"algorithm: dcgan\ndataset: toy\nlr: !!timestamp x\n",
    b"algorithm: dcgan\ndataset: toy\n3: 4\n",
    b"algorithm: dcgan\ndataset: toy\nday: 2020-01-01\nset: !!set {a, b}\ndata: !!binary aGk=\n",
    b"algorithm: dcgan\ndataset: toy\nn: 0x" + b"f" * 5000 + b"\n",
    b"algorithm: dcgan\ndataset: toy\n? [1, 2]\n: 3\n",
]
"""Whole files."""

Place = tuple[Any, ...]


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    """The way to every value inside of another."""
    if at:
        yield at
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(part, (*at, key))


def replaced(value: Any, at: Place, new: Any) -> Any:
    """A copy with the value at one place replaced."""
    if not at:
        return new
    first, *rest = at
    copy = value.copy()
    copy[first] = replaced(value[first], tuple(rest), new)
    return copy


def renamed(value: Any, at: Place, new: str) -> Any:
    """A copy in which what stands at one place of a mapping is called otherwise."""
    *way, last = at
    mapping = reduce(lambda inner, key: inner[key], way, value)
    if not isinstance(mapping, dict):
        return value
    return replaced(value, tuple(way), {new if k == last else k: v for k, v in mapping.items()})


def read(path: Path) -> Any:
    """What a file of a run holds; of lines a list."""
    text = path.read_text("utf-8")
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in text.splitlines()]
    return yaml.safe_load(text) if path.suffix == ".yaml" else json.loads(text)


def write(path: Path, content: Any) -> None:
    """The same the other way round."""
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(line) + "\n" for line in content))
    elif path.suffix == ".yaml":
        path.write_text("".join(f"{json.dumps(k)}: {_flow(v)}\n" for k, v in content.items()))
    else:
        path.write_text(json.dumps(content))


def _flow(value: Any) -> str:
    """As YAML, which is JSON but for a few numbers."""
    special = {"NaN": ".nan", "Infinity": ".inf"}
    text = json.dumps(value)
    return special.get(text, text)


def changes(path: Path) -> Iterator[tuple[str, bytes]]:
    """What the file may hold with one value or name replaced, and what was done."""
    content, before = read(path), path.read_bytes()
    for text in TEXTS:
        yield f"{path.name}: {text[:40]!r}", text
    for at in places(content):
        for new in ODD:
            write(path, replaced(content, at, new))
            yield f"{path.name} {at} = {str(new)[:40]!r}", path.read_bytes()
            if isinstance(new, str):
                write(path, renamed(content, at, new))
                yield f"{path.name} {at} is called {new!r}", path.read_bytes()
    path.write_bytes(before)


@pytest.fixture
def run(make: Make) -> Path:
    """One of two runs, with all that a run can have."""
    for seed in (1, 0):
        rows = {"by_class": {"cat": {"value": 0.5, "n": 10}}}
        of_classes = {"value": 2.0, "hash": "a", "protocol": {}, "more": {**rows, "real": rows}}
        score = {"FD": 3.0 + seed, "IS": of_classes}
        folder = make("dcgan", seed, {100: score, 200: score}, lr=[1e-4, "x"], size=None, gpu=-1)
    return folder


def test_any_odd_value_ends_in_a_table_or_a_sentence(run: Path, tmp_path: Path) -> None:
    names = ("config.yaml", "environment.json", "log.jsonl", "scores.jsonl")
    cases = [(run / name, *change) for name in names for change in changes(run / name)]
    for path, what, content in random.Random(0).sample(cases, CASES):
        before = path.read_bytes()
        path.write_bytes(content)
        try:
            tables = compare([tmp_path / "result"], split=True)
            for to_text in (to_markdown, to_latex, to_csv, to_html):
                text = to_text(tables)
                text.encode("utf-8")
                assert "\x1b" not in text
                own = 2 if to_text is to_html else 0
                assert text.count("<script") == own or to_text in (to_csv, to_latex)
            json.loads(to_json(tables))
        except UserError:
            pass
        except Exception as error:
            raise AssertionError(what) from error
        path.write_bytes(before)


def _set(path: Path, at: Place, value: Any) -> None:
    write(path, replaced(read(path), at, value))


SCORE = (0, "scores", "FD")
REFUSED: list[tuple[str, Place, Any, str]] = [
    ("config.yaml", ("seed",), "abc", "config.yaml has no value for 'seed'"),
    ("config.yaml", ("seed",), True, "config.yaml has no value for 'seed'"),
    ("config.yaml", ("algorithm",), 3, "config.yaml has no value for 'algorithm'"),
    ("config.yaml", ("lr",), NESTED, "config.yaml has no value for 'lr'"),
    ("log.jsonl", (1, "iteration"), True, "Line 2 of .*log.jsonl is not"),
    ("log.jsonl", (1, "iteration"), 1.5, "Line 2 of .*log.jsonl is not"),
    ("log.jsonl", (1, "iteration"), 10**400, "Line 2 of .*log.jsonl is not"),
    ("log.jsonl", (1,), 3, "Line 2 of .*log.jsonl is not"),
    ("log.jsonl", (1,), DEEP * 9, "Line 2 of .*log.jsonl is not"),
    ("log.jsonl", (1, "seconds"), "12", "Line 2 of .*log.jsonl has a value for seconds"),
    ("log.jsonl", (0, "images"), 10**400, "Line 1 of .*log.jsonl has a value for images"),
    ("log.jsonl", (0, "images_per_second"), float("nan"), "Line 1 of .*images_per_second"),
    ("scores.jsonl", (1, "iteration"), None, "Line 2 of .*scores.jsonl is not"),
    ("scores.jsonl", (1, "scores"), [], "Line 2 of .*scores.jsonl is not"),
    ("scores.jsonl", SCORE, 3, "FD at iteration 100 of .*scores.jsonl"),
    ("scores.jsonl", (*SCORE, "value"), "3", "FD at iteration 100 of"),
    ("scores.jsonl", (*SCORE, "value"), True, "FD at iteration 100 of"),
    ("scores.jsonl", (*SCORE, "hash"), None, "FD at iteration 100 of"),
    ("scores.jsonl", (*SCORE, "protocol"), [["a", 1]], "FD at iteration 100 of"),
    ("scores.jsonl", (*SCORE, "protocol", "settings"), DEEP, "FD at iteration 100 of"),
]


@pytest.mark.parametrize(("name", "at", "value", "sentence"), REFUSED)
def test_what_cannot_be_counted_with_is_named(
    name: str, at: Place, value: Any, sentence: str, run: Path
) -> None:
    _set(run / name, at, value)
    with pytest.raises(UserError, match=sentence):
        read_run(run)


HANDLED: list[tuple[str, Place, Any]] = [
    ("config.yaml", ("lr",), float("nan")),
    ("environment.json", ("device",), DEEP),
    ("log.jsonl", (1, "loss_dis"), {"a": [float("inf")]}),
    ("log.jsonl", (1, "images_per_second"), None),
    ("scores.jsonl", (*SCORE, "value"), float("inf")),
    ("scores.jsonl", (*SCORE, "value"), 10**400),
    ("scores.jsonl", (*SCORE, "value"), None),
    ("scores.jsonl", (*SCORE, "value"), 5e-324),
    ("scores.jsonl", (*SCORE, "protocol"), None),
]


@pytest.mark.parametrize(("name", "at", "value"), HANDLED)
def test_what_stands_in_nobodys_way_is_handled(
    name: str, at: Place, value: Any, run: Path, tmp_path: Path
) -> None:
    _set(run / name, at, value)
    (table,) = compare([tmp_path / "result"], split=True)
    assert [len(row.runs) for row in table.rows] in ([2], [1, 1])
    to_html([table])
