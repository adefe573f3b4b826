"""A generator to give away: its weights, and a card that says what it is."""

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import Tensor

import ganlib
from ganlib.common.data import DataSpec
from ganlib.common.errors import UserError
from ganlib.common.generator import Generator
from ganlib.common.io.files import MARK, atomic, write_text
from ganlib.common.io.jsonl import read_lines
from ganlib.common.pictures import save as save_picture
from ganlib.common.query import DataQuery
from ganlib.evaluation import Score
from ganlib.evaluation.comparison.reading import read_environment
from ganlib.registry import algorithms
from ganlib.sampling.exports.readme import UNKNOWN, write_readme
from ganlib.sampling.loading import CARD, WEIGHTS, direction, load_export, shareable
from ganlib.sampling.model import Model
from ganlib.training.scores.scorer import SCORES
from ganlib.training.updater import Updater

__all__ = ["CARD", "WEIGHTS", "load_export", "model_card", "write_card", "write_weights"]

# Where a run lived and on what, which is nobody else's business and nowhere else true.
PRIVATE = "out force data_root plugin_dir init_from resume gpu device max_hours extractor_weights"

LATENTS = {"normal": "N(0, 1)", "uniform": "U(-1, 1)", "category": "one-hot"}
ENVIRONMENT = "ganlib commit python torch torchvision numpy device".split()
COMPARED = 64  # samples
SOMEWHERE = "THIS FOLDER"
"""Stands in the snippet for where the export lies."""


def write_weights(model: Model, path: Path, half: bool = False) -> None:
    """The parameters and buffers of the network that samples, by their names in it. half: weights
    as float16, but for those that are no matrix or kernel, or too large for it.
    """
    state = model.updater.sampling_gen.state_dict()
    # Copies, because safetensors takes neither channels_last nor two names for one memory.
    tensors = {name: t.cpu().contiguous().clone() for name, t in state.items()}
    for name, tensor in tensors.items() if half else ():
        rounded = tensor.half() if tensor.is_floating_point() and tensor.dim() > 1 else tensor
        tensors[name] = rounded if rounded.isfinite().all() else tensor
    # a full disk is an OSError to Python, and an error of its own to safetensors
    with atomic(path) as temporary:
        temporary.write_bytes(save(tensors, {"format": "pt", "software": MARK}))


def write_samples(model: Model, path: Path) -> None:
    """A picture of samples; none where they start from images that are not there, or of which
    nobody knows whether they may be shown.
    """
    if model.updater.config.translates and model.updater.held_out is None:
        if DataQuery.of_run(model.settings).license is None:
            return
        with suppress(UserError):
            model.give_sources()
    with suppress(UserError):
        save_picture(model.grid(), path)


def write_card(
    model: Model,
    path: Path,
    weights: Path | None = None,
    onnx: Mapping[str, Any] | None = None,
    place: str | None = None,
) -> dict[str, Any]:
    """The card, which is written as JSON and as README.md: model_card(model), with the SHA-256 of
    the file of weights if there is one, and what the ONNX file takes, shapes by name. place: as
    what ganlib.load will find it, if that is known.
    """
    card = model_card(model)
    if place is not None:
        card["python"] = card["python"].replace(SOMEWHERE, place)
    if onnx is not None:
        card["onnx"] = dict(onnx)
    if weights is not None:
        card["sha256"] = sha256(weights.read_bytes()).hexdigest()
        card |= _precision(model, load_file(weights))
    text = json.dumps(card, indent=2, ensure_ascii=False)
    write_text(path, text + "\n", "backslashreplace")  # JSON's own way to write half characters
    write_readme(card, path.parent)
    return card


def _precision(model: Model, weights: Mapping[str, Tensor]) -> dict[str, Any]:
    """For the card, if weights were rounded: to what, and what that does to pixels."""
    if all(tensor.dtype != torch.float16 for tensor in weights.values()):
        return {}
    gen, loss = model.updater.sampling_gen, "what that does to pixels was not measured"
    whole = {name: tensor.clone() for name, tensor in gen.state_dict().items()}
    with suppress(UserError):  # of a translator without its sources
        before = model.sample(COMPARED)
        try:
            gen.load_state_dict(weights)
            most = 127.5 * float((model.sample(COMPARED) - before).abs().max())
        finally:
            gen.load_state_dict(whole)
        loss = f"a pixel of {COMPARED} samples differs by {most:.2g} of 255 levels at most"
    return {"precision": {"weights": "float16", "loss": loss}}


def model_card(model: Model) -> dict[str, Any]:
    """What somebody else must know of the generator, as plain types; enough for load_export."""
    updater, spec, name = model.updater, model.spec, model.settings["algorithm"]
    gen, private = updater.sampling_gen, {*PRIVATE.split(), *updater.config.places()}
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
        "frozen": dict(updater.frozen.digests),
        "data_license": DataQuery.of_run(model.settings).license or UNKNOWN,
        "scores": _scores(model),
        "environment": _environment(model),
        "data": asdict(spec.turned() if updater.turned else spec),
        "settings": shareable({k: v for k, v in model.settings.items() if k not in private}),
        "python": _snippet(updater),
    }


def _scores(model: Model) -> dict[str, Any]:
    """Those of this very iteration, as Score.to_dict() has them, by name."""
    found = model.card.get("scores", {})
    if not model.card and not model.updater.turned and model.updater.ema_length is None:
        with suppress(UserError, OSError):
            at = model.updater.iteration
            lines = [r for r in read_lines(model.out / SCORES) if r["iteration"] == at]
            found = lines[-1].get("scores", {}) if lines else {}
    scores = {}
    for name, record in found.items():
        with suppress(TypeError, ValueError, KeyError, AttributeError):  # it is anybody's file
            score = Score.from_dict(name, record)
            scores[name] = score.to_dict() if math.isfinite(score.value) else {}
    return {name: record for name, record in scores.items() if record}


def _environment(model: Model) -> dict[str, Any]:
    """What it was trained with."""
    found = model.card.get("environment") or read_environment(model.out / "environment.json")
    return {name: str(found[name]) for name in ENVIRONMENT if found.get(name) is not None}


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
