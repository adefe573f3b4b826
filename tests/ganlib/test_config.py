"""Settings: every one has a help text, and those of every run are listed here once more."""

import ast
import inspect
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import ValidationError

from ganlib import config
from ganlib.common.errors import UserError
from ganlib.config import AlgorithmConfig, RunConfig
from ganlib.registry import add_plugins, algorithms


def test_every_setting_is_explained() -> None:
    for model in (RunConfig, *(algorithms[name].config for name in algorithms.names())):
        for name, field in model.model_fields.items():
            assert field.description, name


def written(model: type) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """The fields that a class writes itself, each with the string below it and with its type."""
    body: Any = ast.parse(inspect.getsource(model)).body[0]
    fields = [pair for pair in pairwise([*body.body, None]) if isinstance(pair[0], ast.AnnAssign)]
    words = {(f.target.id, s.value.value) for f, s in fields if isinstance(s, ast.Expr)}
    types = {(f.target.id, ast.unparse(f.annotation).removeprefix("config.")) for f, _ in fields}
    return words, types


@pytest.mark.parametrize("name", algorithms.names())
def test_what_a_setting_is_stands_in_one_place(name: str) -> None:
    """A field that is written again has words of its own or none, and a plain type or a name."""
    first, *bases = (c for c in algorithms[name].config.__mro__ if issubclass(c, AlgorithmConfig))
    words, types = written(first)
    assert words
    for base in bases:
        assert not words & written(base)[0]
        again = {type_ for _, type_ in types & written(base)[1]}
        plain = ("bool", "float", "int", "str", "Policies")
        assert all(t in plain or "Literal" in t for t in again)


class Sized(AlgorithmConfig):
    sides = {"large": 64, "any": None}
    multiple = 16


@pytest.mark.parametrize(
    ("architecture", "sizes"),
    [
        ("large", [(64, 64)] * 3),
        ("any", [(28, 30), (1, 1), (8, 8)]),
        ("", [(32, 32), (1, 1), (16, 16)]),
    ],
)
def test_an_architecture_has_its_size(architecture: str, sizes: list[Any]) -> None:
    sized = Sized(architecture=architecture)
    assert [sized.image_size(*size) for size in ((28, 30), (1, 1), (8, 8))] == sizes


def test_the_command_line_is_frozen() -> None:
    """A new setting of every run is a decision: it is added here too."""
    assert list(RunConfig.model_fields) == [
        "algorithm", "preset", "dataset", "source", "hold_out", "subset", "data_root", "size",
        "crop", "flip", "seed", "out", "force", "gpu", "device", "deterministic", "precision",
        "graph", "compile", "accumulate", "workers", "checkpoint_blocks", "sync_bn", "init_from",
        "freeze_d", "resume",
        "epochs", "max_images", "max_hours", "display_interval", "sample_interval",
        "snapshot_interval", "evaluation_interval", "evaluation_images", "evaluation_reference",
        "evaluation_precision", "evaluation_channels_last", "evaluation_rounding", "metrics",
        "segmentation", "extractor", "extractor_weights", "ema_every", "keep_snapshots", "best_by",
        "doctor", "stop_on", "on_collapse", "tensorboard", "tracker", "extension", "plugin_dir",
    ]  # fmt: skip


class Written(AlgorithmConfig):
    lr_decay: str = "linear"
    adam_beta1: float = 0.5
    statistics: config.Statistics = "batch"
    adam_alpha: config.Positive = 1e-3
    """The generator's."""


class Twice(Written):
    architecture: Literal["a", "b"] = "a"
    lr_decay: str = "none"
    adam_beta1: int = 0


@pytest.mark.parametrize("written", [Written, Twice])
def test_a_default_that_is_written_again_keeps_its_words(written: type[AlgorithmConfig]) -> None:
    first, second = AlgorithmConfig.model_fields, written.model_fields
    assert {n for n in first if second[n].description != first[n].description} == {"adam_alpha"}
    assert second["adam_alpha"].description == "The generator's."


@pytest.mark.parametrize(
    ("written", "setting", "bad", "good"),
    [
        (Written, "lr_decay", "bogus", "none"),
        (Twice, "lr_decay", "bogus", "linear"),
        (Written, "adam_beta1", 1.0, 0.25),
        (Twice, "adam_beta1", 1.0, 0.25),
        (Twice, "architecture", "c", "b"),
    ],
)
def test_and_its_type_unless_it_names_a_narrower_one(
    written: type[AlgorithmConfig], setting: str, bad: object, good: object
) -> None:
    assert getattr(written(**{setting: good}), setting) == good
    with pytest.raises(ValidationError):
        written(**{setting: bad})
    assert (Written().lr_decay, Twice().lr_decay) == ("linear", "none")


@pytest.mark.usefixtures("plugins")
def test_a_default_that_its_type_does_not_take_is_told_where_the_folder_is_loaded(
    tmp_path: Path,
) -> None:
    (tmp_path / "bent").mkdir()
    (tmp_path / "bent" / "__init__.py").write_text(
        "from ganlib import AlgorithmConfig\n\n\n"
        'class Config(AlgorithmConfig):\n    lr_decay: str = "cosine"\n\n\nALGORITHM = Config\n'
    )
    add_plugins(tmp_path)
    words = "lr_decay is 'cosine', which its type here and in AlgorithmConfig does not take"
    with pytest.raises(UserError, match=words):
        algorithms["bent"]
