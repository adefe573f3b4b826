"""Training from Python: its signature, data in memory, extensions."""

import ast
import inspect
import pydoc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

import ganlib
from ganlib.common.errors import UserError
from ganlib.config import AlgorithmConfig, RunConfig
from ganlib.contract.fixtures import toy
from ganlib.training.snapshot import newest_snapshot, read_snapshot
from ganlib.training.trainer import Extension, Trainer, every
from scripts.write_signature import STUB, text

SMALL = {"algorithm": "dcgan", "width": 0.05, "batch_size": 4, "gpu": -1, "sample_interval": 0}
FIELDS = {**RunConfig.model_fields, **AlgorithmConfig.model_fields}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def train(**settings: Any) -> ganlib.Model:
    return ganlib.train(**{**SMALL, **settings})


def weights(model: ganlib.Model) -> dict[str, Any]:
    return dict(read_snapshot(newest_snapshot(model.out))["updater"]["modules"])


def test_editors_are_shown_every_setting() -> None:
    assert STUB.read_text("utf-8") == text(), "run python -m scripts.write_signature"
    function = next(n for n in ast.parse(text()).body if isinstance(n, ast.FunctionDef))
    names = {argument.arg for argument in (*function.args.args, *function.args.kwonlyargs)}
    assert names == {*FIELDS, "config", "extensions"}


def test_help_shows_every_setting() -> None:
    head, *lines = pydoc.plain(pydoc.render_doc(ganlib.train)).splitlines()[2:]
    assert head == "train(algorithm=None, **settings)"
    assert all(any(line.strip().startswith(f"{name}: ") for line in lines) for name in FIELDS)


def test_completion_in_a_notebook_knows_every_setting() -> None:
    known = set(inspect.signature(ganlib.train).parameters)
    assert known == {*FIELDS, "config", "extensions", "settings"}


def test_the_algorithm_may_come_first(toy_file: Path) -> None:
    small = {name: value for name, value in SMALL.items() if name != "algorithm"}
    model = ganlib.train("dcgan", **small, dataset=str(toy_file), max_iter=1)
    assert model.settings["algorithm"] == "dcgan"


def test_a_cell_that_is_run_again_has_its_model_and_trains_no_more(
    toy_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    how = {"dataset": str(toy_file), "max_iter": 3, "out": "run", "evaluation_interval": 0}
    first = train(**how)
    before = {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()}
    with pytest.raises(UserError) as told:
        train(**how)
    assert str(told.value) == (
        'run already holds a run; give another out=, resume="auto" to go on with it, or '
        "force=True to begin anew."
    )
    capsys.readouterr()
    for resume in ("auto", "run"):
        again = train(**how, resume=resume)
        assert again.out == Path("run") and again.updater.iteration == 3
        assert torch.equal(again.sample(2), first.sample(2))
        said = capsys.readouterr().err.strip()
        assert said == "run has finished with these settings, and nothing is left to train."
    assert before == {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()}
    assert train(**{**how, "max_images": 16, "max_iter": 4}, resume="run").updater.iteration == 4


def test_completion_shows_what_is_public() -> None:
    assert set(dir(ganlib)) == {*ganlib.__all__, "__version__"}
    assert (Path(ganlib.__file__).parent / "py.typed").is_file()


def test_an_unknown_keyword_is_told_the_nearest() -> None:
    with pytest.raises(UserError, match="no setting 'max_itre' .*max_iter"):
        train(max_itre=3)


def test_images_in_memory_train_as_their_file_does(toy_file: Path) -> None:
    x, y = toy().x, toy().y
    assert isinstance(x, torch.Tensor) and y is not None
    from_file = weights(train(dataset=str(toy_file), max_iter=3, out="file"))
    given = {"tensor": x, "array": x.permute(0, 2, 3, 1).numpy(), "float": x / 127.5 - 1}
    given |= {"pair": (x, y), "items": TensorDataset(x, y), "grey": np.asarray(x[:, 0])}
    for name, data in given.items():
        found = weights(train(dataset=data, max_iter=3, out=name))
        assert all(torch.equal(found[key], value) for key, value in from_file.items()), name


def test_a_run_on_images_in_memory_goes_on_with_them_alone(toy_file: Path) -> None:
    x = toy().x
    straight = weights(train(dataset=x, max_iter=4, out="straight"))
    train(dataset=x, max_iter=2, out="run")
    with pytest.raises(UserError, match="data given in Python: give them again"):
        ganlib.train(resume="run", max_iter=4)
    resumed = weights(ganlib.train(resume="run", dataset=x, max_iter=4))
    assert all(torch.equal(resumed[key], value) for key, value in straight.items())
    with pytest.raises(UserError, match="the data differ"):
        ganlib.train(resume="run", dataset=255 - x, max_iter=5)  # type: ignore[operator]


def test_images_in_memory_are_resized(toy_file: Path) -> None:
    model = train(dataset=toy(side=40).x, size=16, max_iter=1)
    assert model.spec.native == (1, 16, 16)
    expected = train(dataset=str(toy_file), size=16, max_iter=1, out="file").spec
    assert model.spec.image == expected.image


class Counting(Extension):
    name, trigger = "counting", staticmethod(every(2))
    calls = 0

    def __call__(self, trainer: Trainer) -> None:
        self.calls += 1


def test_extensions_are_objects_functions_or_pairs(toy_file: Path) -> None:
    seen: list[int] = []
    often: list[int] = []

    def watch(trainer: Trainer) -> None:
        often.append(trainer.iteration)

    counting = Counting()
    given = [counting, watch, (lambda trainer: seen.append(trainer.iteration), every(3))]
    train(dataset=str(toy_file), max_iter=6, extensions=given)
    assert (counting.calls, seen, often) == (3, [3, 6], [1, 2, 3, 4, 5, 6])


@pytest.mark.parametrize("value", [3, (print, 5), (print, every(1), every(2))])
def test_what_is_no_extension_is_refused(value: Any, toy_file: Path) -> None:
    with pytest.raises(UserError, match="is no extension: give an Extension, a function"):
        train(dataset=str(toy_file), max_iter=1, extensions=[value])


def test_one_hook_needs_no_list_and_a_run_is_resumed_by_its_path(toy_file: Path) -> None:
    counting = Counting()
    model = train(dataset=str(toy_file), max_iter=2, extensions=counting)
    again = train(dataset=str(toy_file), max_iter=4, resume=model.out, out=model.out)
    assert counting.calls == 1 and again.updater.iteration == 4 and again.out == model.out
    assert train(dataset=str(toy_file), max_iter=4, resume=True).out.samefile(model.out)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ganlib.train("dcgan", config=5), "config is 5; give a file, or settings"),
        (lambda: ganlib.train("dcgan", lr=1, adam_alpha=2), "lr and adam_alpha are one setting"),
        (lambda: ganlib.train_grid("dcgan", sweep=5), "sweep is 5; give NAME=VALUE"),
        (lambda: ganlib.train_grid("dcgan", sweep={5: [1]}), "give NAME=VALUE,VALUE,... or a dict"),
    ],
)
def test_other_kinds_of_values_are_a_sentence(call: Callable[[], object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        call()
