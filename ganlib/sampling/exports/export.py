"""A generator to give away: its weights, and a card that says what it is."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

from safetensors.torch import save

import ganlib
from ganlib.common.data import DataSpec
from ganlib.common.generator import Generator
from ganlib.common.io.files import MARK, atomic, write_text
from ganlib.common.query import DataQuery
from ganlib.registry import algorithms
from ganlib.sampling.loading import CARD, WEIGHTS, direction, load_export, shareable
from ganlib.sampling.model import Model
from ganlib.training.updater import Updater

__all__ = ["CARD", "WEIGHTS", "load_export", "model_card", "write_card", "write_weights"]

# Where a run lived and on what, which is nobody else's business and nowhere else true.
PRIVATE = "out force data_root plugin_dir init_from resume gpu device max_hours".split()

LATENTS = {"normal": "N(0, 1)", "uniform": "U(-1, 1)", "category": "one-hot"}
UNKNOWN = (
    "Unknown: look up the licence of the data set before you publish this; it may bind the "
    "generator too."
)


def write_weights(model: Model, path: Path) -> None:
    """The parameters and buffers of the network that samples, by their names in it."""
    state = model.updater.sampling_gen.state_dict()
    # Copies, because safetensors takes neither channels_last nor two names for one memory.
    tensors = {name: t.cpu().contiguous().clone() for name, t in state.items()}
    # a full disk is an OSError to Python, and an error of its own to safetensors
    with atomic(path) as temporary:
        temporary.write_bytes(save(tensors, {"format": "pt", "software": MARK}))


def write_card(
    model: Model, path: Path, weights: Path | None = None, onnx: Mapping[str, Any] | None = None
) -> None:
    """model_card(model) as JSON, with the SHA-256 of the file of weights if there is one, and what
    the ONNX file takes: shapes by name.
    """
    card = model_card(model)
    if onnx is not None:
        card["onnx"] = dict(onnx)
    if weights is not None:
        card["sha256"] = sha256(weights.read_bytes()).hexdigest()
    write_text(path, json.dumps(card, indent=2, ensure_ascii=False) + "\n")


def model_card(model: Model) -> dict[str, Any]:
    """What somebody else must know of the generator, as plain types; enough for load_export."""
    updater, spec, name = model.updater, model.spec, model.settings["algorithm"]
    gen, private = updater.sampling_gen, {*PRIVATE, *updater.config.places()}
    way = {"direction": direction(updater.turned)} if updater.backward is not None else {}
    idea, _, paper = algorithms.describe(name).partition("\n\n")
    return {
        "software": MARK,
        "ganlib": ganlib.__version__,
        "algorithm": name,
        "idea": " ".join(idea.split()),
        "paper": " ".join(paper.split()),
        **way,
        "weights": "moving average" if updater.average is not None else "as trained last",
        "parameters": sum(p.numel() for p in gen.parameters()),
        "latent": _latent(gen),
        "condition": _condition(updater.config.condition, spec, gen.multiple),
        "statistics": updater.config.statistics,
        "images": {"shape": list(spec.native), "range": [-1, 1], "fit": _fit(spec)},
        "iteration": updater.iteration,
        "images_seen": model.images,
        "data_license": DataQuery.of_run(model.settings).license or UNKNOWN,
        "data": asdict(spec.turned() if updater.turned else spec),
        "settings": shareable({k: v for k, v in model.settings.items() if k not in private}),
        "python": _snippet(updater),
    }


def _snippet(updater: Updater) -> str:
    """How to use the generator in Python."""
    from jinja2 import Environment

    text = Path(__file__).with_name("snippet.txt").read_text("utf-8")
    label = json.dumps(updater.classes[0], ensure_ascii=False) if updater.classes else ""
    frames = updater.spec.source_frames if updater.config.translates and not label else 0
    templates = Environment(trim_blocks=True, keep_trailing_newline=True)
    return templates.from_string(text).render(label=label, frames=frames)


def _latent(gen: Generator) -> Any:
    """How z is spread, for the card: a list of its parts where it has several."""
    parts = [{"distribution": LATENTS[p.kind], "size": p.size} for p in gen.parts]
    if len(parts) > 1:
        return [{"name": p.name, **said} for p, said in zip(gen.parts, parts, strict=True)]
    return parts[0] if gen.n_hidden else None


def _condition(condition: str | None, spec: DataSpec, multiple: int) -> Any:
    """What the generator is told, for the card; class i is classes[i], and the sides of a source
    are as in `shape` or, unless `multiple` is 0, multiples of it.
    """
    if condition is None:
        return None
    if condition == "labels":
        return {"kind": "labels", "classes": list(spec.class_names)}
    assert spec.source is not None
    values = {"image": "[-1, 1]", "ids": "int32: class and instance of each pixel"}
    return {
        "kind": condition,
        "shape": list(spec.source),
        "multiple": multiple,
        "values": values[spec.source_kind],
    }


def _fit(spec: DataSpec) -> str:
    """How images of the network become images of the data's size."""
    sizes = [f"{height}x{width}" for _, height, width in (spec.image, spec.native)]
    verbs = {"none": "as generated", "pad": "cropped", "resize": "resized"}
    return verbs[spec.fit] + ("" if spec.fit == "none" else f" from {sizes[0]} to {sizes[1]}")
