"""Settings from what a user gives: defaults < YAML file < flags, flat and strictly checked."""

import reprlib
from collections import ChainMap, Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import to_jsonable_python

import ganlib
from ganlib.common.errors import UserError, did_you_mean, nearest, one_line
from ganlib.common.io.files import MIB, nameable, regular
from ganlib.config import AlgorithmConfig, RunConfig
from ganlib.registry import add_plugins, algorithms

if TYPE_CHECKING:
    from ganlib.common.data import DataSet
    from ganlib.training.trainer import Extension

M = TypeVar("M", bound=BaseModel)
_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxother = 2, 100, 100
EXAMPLES = "example_configs"
ALIASES = {"batchsize": "batch_size", "learning_rate": "adam_alpha", "lr": "adam_alpha"}
ALIASES |= {"image_size": "size", "inception_weights": "extractor_weights"}
"""Other spellings: chainer-gan-lib's, what most others call Adam's rate and the images' side, and a
setting's before it was of every extractor; where an algorithm has no setting of that name.
"""

BEFORE = {"hold_out": 0.0}
"""What was done before there was a setting, where it is not done by default any more."""

COLOUR = "colour"
"""The section of a preset for images of three channels."""

# what two runs must share for one to be the continuation of the other
_TRAJECTORY = (
    *("algorithm", "dataset", "source", "size", "crop", "flip", "seed", "hold_out", "subset"),
    *("init_from", "freeze_d", "precision", "accumulate", "sync_bn"),
)


@dataclass(frozen=True)
class Settings:
    """All settings of a run, checked.

    data, extensions: what was given in Python and no file can name; None for the data set of the
    settings. in_colour: the algorithm's settings for images of three channels, where the preset has
    other ones for them.
    """

    run: RunConfig
    algorithm: AlgorithmConfig
    data: "DataSet | None" = None
    extensions: "tuple[Extension, ...]" = ()
    in_colour: AlgorithmConfig | None = None

    def flat(self) -> dict[str, Any]:
        """Every setting by name, as plain types for YAML, JSON and snapshots."""
        return {**self.run.model_dump(mode="json"), **self.algorithm.model_dump(mode="json")}

    @property
    def evaluates(self) -> bool:
        """Whether the run is evaluated, at its end at least."""
        return self.run.evaluation_interval > 0

    @property
    def metrics(self) -> list[str]:
        """What to score, by name; without a wish what every run scores. UserError for no metric."""
        # imports torch, which a listing spares
        from ganlib.evaluation.metrics import base

        if self.run.metrics is None:
            return list(base.BASIC)
        names = [name.strip() for name in self.run.metrics.split(",")]
        base.find_metrics(names)
        return names

    def defaults(self) -> dict[str, Any]:
        """Defaults by name, as plain types; of settings that are new, what was done before them."""
        fields = {**RunConfig.model_fields, **type(self.algorithm).model_fields}
        given = {name: f.get_default() for name, f in fields.items() if not f.is_required()}
        return {**to_jsonable_python(given), **BEFORE}

    def trajectory(self) -> dict[str, Any]:
        """The settings on which the numbers depend; max_iter only if the learning rate knows it."""
        flat = self.flat()
        left_out = {"statistics", *self.algorithm.places()}  # of sampling alone; moved
        if self.algorithm.lr_decay == "none":
            left_out.add("max_iter")
        names = [*_TRAJECTORY, *type(self.algorithm).model_fields]
        return {name: flat[name] for name in names if name not in left_out}


def read_yaml(path: Path) -> dict[str, Any]:
    """The settings in a YAML file, or in ganlib's example of that name: one flat mapping."""
    try:
        values = yaml.load(regular(_example(path), MIB).read_text("utf-8"), _Loader)
    except FileNotFoundError:
        near = nearest(path.stem, [file.stem for file in _examples()])
        like = f" Of ganlib's examples {near} is the nearest." if near else ""
        raise UserError(f"There is no settings file {path}.{like}") from None
    except RecursionError:
        raise UserError(f"{path} cannot be read: it has too many levels.") from None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"{path} cannot be read as YAML: {one_line(error, 300)}") from None
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise UserError(f"{path} should hold settings as 'name: value' lines.")
    return values


def read_config(values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of `config`, a file or a mapping, {} without it. The plugin folders that it or
    `values`, which go before, name are registered.
    """
    config = values.get("config") or {}
    if not isinstance(config, str | Path | Mapping):
        raise UserError(f"config is {_SHORT.repr(config)}; give a file, or settings by name.")
    file = dict(config) if isinstance(config, Mapping) else read_yaml(Path(config))
    add_plugins(*plugin_folders(values.get("plugin_dir") or file.get("plugin_dir")))
    return file


def _example(path: Path) -> Path:
    """The path, or where nothing is, the example that it may mean: "sngan_cifar10", also .yaml."""
    if path.exists() or path.parent.name not in ("", EXAMPLES):
        return path
    name = path.with_suffix(".yaml").name
    return next((file for file in _examples() if file.name == name), path)


def _examples() -> list[Path]:
    """The settings files that come with ganlib."""
    package = Path(ganlib.__file__).parent
    homes = (package, package.parent)  # the second in a checkout without links
    return [file for home in homes for file in sorted((home / EXAMPLES).glob("*.yaml"))]


def layered(old: Mapping[str, Any], file: Mapping[str, Any], given: Mapping[str, Any]) -> Settings:
    """Settings of a run to resume < the preset's < those of a file < the rest."""
    name = str({**old, **file, **given}.get("algorithm"))
    if (before := old.get("algorithm", name)) != name:
        raise UserError(f"The run to resume is of {before}: leave --algorithm={name} out.")
    file = part_of(file, name)
    preset = preset_of(name, {**file, **given}.get("preset"))
    colour = preset.pop(COLOUR, None)
    settings = resolve(old, preset, file, given)
    if "architecture" not in {**old, **file, **given}:  # a preset's is for images; see fitted()
        settings.algorithm.model_fields_set.discard("architecture")
    if colour is None:
        return settings
    return replace(settings, in_colour=resolve(old, preset, colour, file, given).algorithm)


def parse_names(text: str) -> list[str]:
    """The algorithms in "dcgan,sngan", each once."""
    names = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not names:
        raise UserError("Which algorithms? Give --algorithm NAME,NAME,...; --list shows all.")
    return names


def part_of(file: Mapping[str, Any], algorithm: str) -> dict[str, Any]:
    """What a settings file says to one algorithm: what stands under other algorithms' names is for
    them, what stands under its own for it alone.
    """
    own = file.get(algorithm) if algorithm in algorithms.names() else None
    if not isinstance(own or {}, Mapping):
        raise UserError(f"'{algorithm}:' in the settings file should hold settings of its own.")
    sections = {name for name in file if name in algorithms.names()}
    shared = {name: value for name, value in file.items() if name not in sections}
    return {**shared, **(own or {})}


def preset_of(algorithm: str, preset: str | None) -> dict[str, Any]:
    """The settings in <preset>.yaml of the algorithm's folder; UserError, with those there are."""
    if preset is None or algorithm not in algorithms.names():
        return {}
    source = algorithms.check(algorithm).source
    found = {} if source is None else {p.stem: p for p in sorted(source.parent.glob("*.yaml"))}
    if preset not in found:
        have = f"It has: {', '.join(found)}." if found else "It has none."
        architecture = algorithms[algorithm].config.model_fields.get("architecture")
        if architecture and preset in get_args(architecture.annotation):
            have = f"It is an architecture: give --architecture {preset}."
        raise UserError(f"{algorithm} has no preset '{preset}'. {have}")
    return read_yaml(found[preset])


class _Loader(yaml.SafeLoader):
    """PyYAML's, which takes the last one of equal keys without a word."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for key, count in Counter(keys).items():
            if count > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"'{key}' stands there {count} times", node.start_mark
                )
        return super().construct_mapping(node, deep)


def plugin_folders(value: Any) -> list[Path]:
    """The folders of plugin_dir, before settings are checked: of None, a path, or several."""
    several = [value] if isinstance(value, str | Path) else value or []
    if not isinstance(several, list | tuple) or not all(
        isinstance(path, str | Path) and nameable(path) for path in several
    ):
        raise UserError(f"plugin_dir is {_SHORT.repr(value)}; give a folder's path, or a list.")
    return [Path(path) for path in several]


def resolve(*layers: Mapping[str, Any]) -> Settings:
    """Settings from layers of values, later ones first; every key and value is checked."""
    algorithm = ChainMap(*map(dict, reversed(layers))).get("algorithm")
    if algorithm is None:
        raise UserError("Which algorithm? Give --algorithm NAME; --list shows all.")
    config = algorithms[str(algorithm)].config
    known = {*RunConfig.model_fields, *config.model_fields}
    values: dict[str, Any] = {}
    for layer in layers:
        if {"epochs", "max_iter"} <= {key for key, value in layer.items() if value is not None}:
            raise UserError("Give --epochs or --max-iter, not both.")
        if "max_iter" in layer:
            values.pop("epochs", None)
        named = [key if key in known else ALIASES.get(key, key) for key in layer]
        if twice := [key for key, n in Counter(named).items() if n > 1]:
            both = [key for key, name in zip(layer, named, strict=True) if name == twice[0]]
            raise UserError(f"{' and '.join(both)} are one setting: give one of them.")
        values |= dict(zip(named, layer.values(), strict=True))
    for name in (name for name in values if name not in known):
        raise UserError(unknown_setting(name, str(algorithm), known))
    run = {name: values.pop(name) for name in list(values) if name in RunConfig.model_fields}
    settings = Settings(_validate(RunConfig, run), _validate(config, values))
    if settings.run.gpu is not None and settings.run.device is not None:
        raise UserError("Give --gpu or --device, not both.")
    return settings


def unknown_setting(name: str, algorithm: str, known: set[str]) -> str:
    """The sentence for a setting that the algorithm lacks, naming who has it or what is nearest."""
    if having := owners(name, algorithms.names()):
        verb = "has" if len(having) == 1 else "have"
        return f"{algorithm} has no setting '{name}' ({', '.join(having)} {verb})."
    return f"There is no setting '{name}' of {algorithm} or of a run.{did_you_mean(name, known)}"


def owners(name: str, among: Sequence[str]) -> list[str]:
    """The algorithms that have a setting."""
    found = []
    for other in among:
        with suppress(UserError):  # a broken folder does not stop the others
            if name in algorithms[other].config.model_fields:
                found.append(other)
    return found


def _validate(model: type[M], values: Mapping[str, Any]) -> M:
    try:
        return model(**values)
    except ValidationError as error:
        raise UserError(_sentence(error.errors()[0])) from None


def _sentence(error: Any) -> str:
    name, value = ".".join(map(str, error["loc"][:1])), error["input"]
    if error["type"] == "literal_error":
        choices = [c.strip("' ") for c in error["ctx"]["expected"].replace(" or ", ",").split(",")]
        shown = _SHORT.repr(value).strip("'")
        return f"{name} cannot be '{shown}'.{did_you_mean(shown, choices)}"
    if error["type"] == "missing":
        return f"{name} must be given."
    reason = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"{name} is {_SHORT.repr(value)}, but {reason}."
