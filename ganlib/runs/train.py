"""Training from Python: every setting is a keyword."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ganlib.common.given import GIVEN, as_dataset
from ganlib.config import AlgorithmConfig, RunConfig
from ganlib.runs.run import gather, run
from ganlib.runs.watching import as_extension
from ganlib.sampling.model import Model


def train(**settings: Any) -> Model:
    """Train as `python train.py` does: train(algorithm="sngan", max_iter=1000, gpu=-1).

    Every flag is a keyword, an algorithm's own too. Besides them, dataset may be what is in memory:
    a tensor or array of images, a pair of them and their labels, or a torch Dataset. config is a
    YAML file or a mapping. extensions are Extension objects, or functions of the trainer that are
    called after every iteration, or pairs of such a function and a trigger: (f, every(100)).

    Returns the trained model; its files are in `.out`. Raises UserError where the command line
    exits with status 2, StoppedError where it does with 1.
    """
    extensions = tuple(map(as_extension, settings.pop("extensions", ())))
    data = None
    if not isinstance(settings.get("dataset"), str | Path | None):
        data = as_dataset(settings["dataset"])
        settings["dataset"] = GIVEN
    return run(replace(gather(settings), data=data, extensions=extensions))


def _parameters() -> Iterator[inspect.Parameter]:
    """Of train(), as help() and notebooks show them."""
    for config in (RunConfig, AlgorithmConfig):
        for name, field in config.model_fields.items():
            # the defaults of a recipe differ from one algorithm to the next
            told = config is RunConfig and not field.is_required()
            default = field.default if told else ...
            yield _keyword(name, field.annotation, default)
    yield _keyword("config", "str | Path | Mapping[str, Any]", ...)
    yield _keyword("extensions", "Sequence[Extension | Callable | tuple[Callable, Trigger]]", ())
    yield inspect.Parameter("recipe", inspect.Parameter.VAR_KEYWORD, annotation=Any)


def _keyword(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, annotation=annotation, default=default)


def _described(doc: str) -> str:
    """`doc` with a line for each setting."""
    lines = [
        f"    {name}: {' '.join((field.description or '').split())}"
        for config in (RunConfig, AlgorithmConfig)
        for name, field in config.model_fields.items()
    ]
    return doc.rstrip() + "\n\n    Settings of every algorithm:\n\n" + "\n".join(lines) + "\n"


_train: Callable[..., Model] = train
vars(_train)["__signature__"] = inspect.Signature(list(_parameters()), return_annotation=Model)
train.__doc__ = _described(train.__doc__ or "")
