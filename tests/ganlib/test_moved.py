"""Imports as methods, the guide and tests of methods wrote them before modules moved."""

import json
import sys
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch

from ganlib.moved import MOVED

BEFORE: dict[str, list[str]] = json.loads(
    Path(__file__).with_name("imports_of_before.json").read_text("utf-8")
)


@pytest.mark.parametrize("module", BEFORE)
def test_names_are_found_where_they_were(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    moved = module.removeprefix("ganlib.") in MOVED
    if moved:
        monkeypatch.delitem(sys.modules, module, raising=False)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for name in BEFORE[module]:
            exec(f"from {module} import {name}", {})
    if moved:
        (warning,) = told
        assert f"{module} has moved: import from " in str(warning.message)
    else:
        inside = [f"{module}.{name}".removeprefix("ganlib.") for name in BEFORE[module]]
        told = [warning for warning in told if " is called " not in str(warning.message)]
        assert len(told) <= len({*inside} & {*MOVED})


@pytest.mark.parametrize("old", MOVED)
def test_the_new_homes_are_there_and_the_old_ones_are_not(old: str) -> None:
    for home in MOVED[old].split():
        import_module(f"ganlib.{home}")
    root = Path(import_module("ganlib").__file__ or "").parents[1]
    place = root / (old if old.startswith(("common", "evaluation")) else f"ganlib.{old}").replace(
        ".", "/"
    )
    assert not place.exists() and not place.with_suffix(".py").exists()


def test_a_name_that_never_was_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ganlib.common.net", raising=False)
    with pytest.warns(FutureWarning), pytest.raises(ImportError, match="nonsense"):
        exec("from ganlib.common.net import nonsense", {})


def test_names_of_before_inside_a_module_warn() -> None:
    with pytest.warns(FutureWarning, match="'Seen' is called 'Context' now"):
        exec("from ganlib.evaluation.metrics.base import Seen", {})


def test_attributes_of_before_work_and_say_their_new_name(make_updater: Any) -> None:
    updater = make_updater("dcgan", ema_decay=0.9)
    with pytest.warns(FutureWarning, match="'shown' is called 'sampling_gen' now"):
        assert updater.shown is updater.average
    with pytest.warns(FutureWarning, match="'series' is called 'sample_stream' now"):
        old = updater.series(3, 0.5)
    new = updater.sample_stream(3, 0.5)
    assert torch.equal(old.images([1, 4]), new.images([1, 4]))
