"""Write ganlib/runs/from_python.pyi, by which editors know the keywords of ganlib.train()
and train_grid().

Run `python -m scripts.write_signature` after a setting was added; a test holds the file to the
settings.
"""

import types
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import ganlib
from ganlib.common.io.files import write_text
from ganlib.config import AlgorithmConfig, RunConfig

STUB = Path(ganlib.__file__).parent / "runs" / "from_python.pyi"
HEAD = """\
# Written by scripts/write_signature.py from the settings in ganlib/config.py.
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from ganlib.common.data import DataSet
from ganlib.runs.state import State
from ganlib.runs.sweeps import Sweep
from ganlib.sampling.model import Model
from ganlib.training.trainer import Extension, Trainer, Trigger

Images = Tensor | NDArray[Any]
Hook = Extension | Callable[[Trainer], object] | tuple[Callable[[Trainer], object], Trigger]

def train(
    algorithm: str = ...,
    *,
"""
TAIL = """\
    config: str | Path | Mapping[str, Any] = ...,
    extensions: Sequence[Hook] = ...,
    **recipe: Any,
) -> Model: ...
def train_grid(
    algorithm: str | Sequence[str],
    *,
    seeds: str | int | Sequence[int] | None = ...,
    sweep: Sweep = ...,
    trials: int | None = ...,
    jobs: str | int | None = ...,
    launcher: str | None = ...,
    out: str | Path | None = ...,
    **settings: Any,
) -> dict[Path, State]: ...
"""
WIDER = {
    "dataset": "str | Path | Images | tuple[Images, Any] | Dataset[Any] | DataSet",
    "plugin_dir": "str | Path | Sequence[str | Path]",
    "stop_on": "str | Sequence[str]",
    "extension": "str | Sequence[str]",
    "tracker": "str | Sequence[str]",
    "ada": "str | Sequence[str]",
    "diffaugment": "str | Sequence[str]",
}
"""Of settings that are given in more ways than they are kept in."""


def text() -> str:
    """The stub."""
    fields = {**RunConfig.model_fields, **AlgorithmConfig.model_fields}
    lines = [
        f"    {name}: {WIDER.get(name) or written(field.annotation)} = ...,\n"
        for name, field in fields.items()
        if name != "algorithm"
    ]
    return HEAD + "".join(lines) + TAIL


def written(kind: Any) -> str:
    """A type as an editor should show it: what may be given."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return written(parts[0])
    if origin is Literal:
        return f"Literal[{', '.join(map(repr, parts))}]".replace("'", '"')
    if origin in (Union, types.UnionType):
        return " | ".join(written(part) for part in parts)
    if kind is type(None):
        return "None"
    return "str | Path" if kind is Path else str(kind.__name__)


if __name__ == "__main__":
    write_text(STUB, text())
