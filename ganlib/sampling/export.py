"""A generator to give away: its weights, an ONNX file, and a card that says what it is."""

import json
import warnings
from collections.abc import Callable
from dataclasses import asdict
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

import ganlib
from ganlib.common.data import DataSpec
from ganlib.common.errors import UserError, one_line
from ganlib.common.files import atomic
from ganlib.common.net import Generator
from ganlib.registry import algorithms
from ganlib.sampling.model import Model, assemble
from ganlib.training.updater import Updater

WEIGHTS, ONNX, CARD = "generator.safetensors", "generator.onnx", "model_card.json"
NEEDED = ("onnx", "onnxscript")  # by torch.onnx
INSTALL = "pip install ganlib[onnx]"

# Where a run lived and on what, which is nobody else's business and nowhere else true.
PRIVATE = ("out", "data_root", "plugin_dir", "init_from", "resume", "gpu", "device", "max_hours")

LATENTS = {"normal": "N(0, 1)", "uniform": "U(-1, 1)"}
SNIPPET = """\
from ganlib.sampling.export import load_export

model = load_export("THIS FOLDER")
images = model.sample(64, seed=0)  # float (64, C, H, W) in [-1, 1]
model.grid(64, seed=0).save("samples.png")
"""


def missing_packages() -> list[str]:
    """What an ONNX file needs and is not installed."""
    return [name for name in NEEDED if find_spec(name) is None]


def write_weights(model: Model, path: Path) -> None:
    """The parameters and buffers of the network that samples, by their names in it."""
    state = generator_of(model.updater).state_dict()
    # Copies, because safetensors takes neither channels_last nor two names for one memory.
    tensors = {name: t.cpu().contiguous().clone() for name, t in state.items()}
    # a full disk is an OSError to Python, and an error of its own to safetensors
    with atomic(path) as temporary:
        temporary.write_bytes(save(tensors, {"format": "pt"}))


def write_card(model: Model, path: Path, weights: Path | None = None) -> None:
    """model_card(model) as JSON, with the SHA-256 of the file of weights if there is one."""
    card = model_card(model)
    if weights is not None:
        card["sha256"] = sha256(weights.read_bytes()).hexdigest()
    text = json.dumps(card, indent=2, ensure_ascii=False) + "\n"
    with atomic(path) as temporary:
        temporary.write_text(text, "utf-8")


def model_card(model: Model) -> dict[str, Any]:
    """What somebody else must know of the generator, as plain types; enough for load_export."""
    updater, spec, name = model.updater, model.spec, model.settings["algorithm"]
    gen = generator_of(updater)
    idea, _, paper = algorithms.describe(name).partition("\n\n")
    return {
        "ganlib": ganlib.__version__,
        "algorithm": name,
        "idea": " ".join(idea.split()),
        "paper": " ".join(paper.split()),
        "weights": "moving average" if updater.average is not None else "as trained last",
        "parameters": sum(p.numel() for p in gen.parameters()),
        "latent": {"distribution": LATENTS[gen.latent], "size": gen.n_hidden},
        "condition": updater.config.condition,
        "images": {"shape": list(spec.native), "range": [-1, 1], "fit": _fit(spec)},
        "iteration": updater.iteration,
        "images_seen": model.images,
        "data_license": "Unknown: look up the licence of the data set before you publish this; "
        "it may bind the generator too.",
        "data": asdict(spec),
        "settings": {k: v for k, v in model.settings.items() if k not in PRIVATE},
        "python": SNIPPET,
    }


def load_export(folder: str | Path, device: str | None = None) -> Model:
    """The model that an export holds: its samples are those of the snapshot it was made from.

    Raises UserError if the folder holds no export, a damaged one, or one that does not fit this
    library.
    """
    folder = Path(folder)
    try:
        card = json.loads((folder / CARD).read_text("utf-8"))
        content = (folder / WEIGHTS).read_bytes()
        weights = load(content)
    except (OSError, ValueError, SafetensorError) as error:
        raise UserError(f"{folder} holds no whole {CARD} and {WEIGHTS}.") from error
    digest = sha256(content).hexdigest()
    try:
        if card.get("sha256", digest) != digest:
            raise UserError(f"{folder / WEIGHTS} is damaged, or not that of its {CARD}.")
        updater = assemble(card["settings"], _spec(card["data"]), device)
        generator_of(updater).load_state_dict(weights)
        updater.iteration = card["iteration"]
        return Model(updater, card["settings"], folder, card["images_seen"])
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{folder} does not fit this ganlib: {one_line(error)}.") from error


def write_onnx(model: Model, path: Path) -> None:
    """z (n, n_hidden), and y of a conditional generator, to `images` (n, C, H, W) in [-1, 1].

    n is free and the images have the data's own size. UserError if onnx or onnxscript is missing,
    or an operation of the generator is not in ONNX.
    """
    if missing := missing_packages():
        raise UserError(f"ONNX needs {' and '.join(missing)}: {INSTALL}")
    inputs = _examples(model)
    n = torch.export.Dim("n")
    sampler = _Sampler(model.updater)
    training = sampler.gen.training
    try:
        with atomic(path) as temporary, warnings.catch_warnings():
            # torch 2.13's exporter copies its own specs in a way that torch deprecates.
            warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)`", FutureWarning)
            # That z and y have the same n is meant.
            warnings.filterwarnings("ignore", "# The axis name: n will not be used", UserWarning)
            torch.onnx.export(
                sampler.eval(),
                tuple(inputs.values()),
                temporary,
                input_names=list(inputs),
                output_names=["images"],
                dynamic_shapes={name: {0: n} for name in inputs},
                external_data=False,
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        name = model.settings["algorithm"]
        raise UserError(f"The generator of {name} cannot be written as ONNX.") from error
    finally:
        sampler.train(training)


def generator_of(updater: Updater) -> Generator:
    """The network that samples: the moving average if there is one."""
    gen = updater.average if updater.average is not None else getattr(updater, updater.averaged)
    assert isinstance(gen, Generator)
    return gen


class _Sampler(nn.Module):
    """Updater.decode as a module: the generator, cropped or resized to the data's own size."""

    gen: Generator
    generate: Callable[..., Tensor]

    def __init__(self, updater: Updater) -> None:
        super().__init__()
        # The updater stays outside, with its other networks: a bound method is no submodule.
        self.gen, self.generate, self.spec = generator_of(updater), updater.generate, updater.spec

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """z (n, n_hidden) -> (n, C, H, W) of spec.native."""
        return self.spec.to_native(self.generate(self.gen, z, y).float()).clamp(-1, 1)


def _examples(model: Model) -> dict[str, Tensor]:
    """Inputs to trace with, by name; two of each, because ONNX would fix a dimension of 1."""
    gen, condition = generator_of(model.updater), model.updater.config.condition
    inputs = {"z": gen.make_hidden(2)}
    if condition == "labels":
        inputs["y"] = torch.zeros(2, dtype=torch.int64)
    elif condition == "images":
        assert model.spec.source is not None
        inputs["y"] = torch.zeros(2, *model.spec.source)
    return inputs


def _fit(spec: DataSpec) -> str:
    """How images of the network become images of the data's size."""
    sizes = [f"{height}x{width}" for _, height, width in (spec.image, spec.native)]
    verbs = {"none": "as generated", "pad": "cropped", "resize": "resized"}
    return verbs[spec.fit] + ("" if spec.fit == "none" else f" from {sizes[0]} to {sizes[1]}")


def _spec(values: dict[str, Any]) -> DataSpec:
    lists = {name: tuple(v) for name, v in values.items() if isinstance(v, list)}
    return DataSpec(**{**values, **lists})
