"""The files of a page."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from jinja2 import Environment
from markupsafe import Markup
from torch import Tensor

from ganlib.common.errors import UserError
from ganlib.common.io.files import MARK, atomic, write_text
from ganlib.common.layers.basic import one_hot
from ganlib.common.pictures import levels
from ganlib.common.seeds import generator
from ganlib.sampling.model import Model
from ganlib.training.samples.sample_stream import SampleStream

from .graphs import CODES, IMAGES, Graph, graphs_of, source_graph, write_graphs
from .told import told
from .weights import Precision, store

HERE = Path(__file__).parent
PAGE, RUNTIME, MODEL, BESIDE = "index.html", "runtime.js", "model.js", "beside.js"
SCRIPT = "page.js"
FILES = PAGE, RUNTIME, MODEL, BESIDE
SCRIPTS = "seeds latents archive network served state pictures source kept controls app".split()
STANDING = "standing:16"
"""Statistics of a generator that normalises over batches: a page makes pictures one at a time."""
COMPARED = 64


def write_page(
    model: Model,
    folder: Path,
    precision: Precision = "float32",
    beside: Model | None = None,
    shared: str = "",
) -> dict[str, Any]:
    """Write PAGE, which needs the RUNTIME beside it, the generator as MODEL, and `beside`, a second
    one that is shown the same codes, as BESIDE. Returns what the page is told of the first.

    precision: of the weights in the file. shared: where, seen from `folder`, write_shared() has
    written what several pages need, as "../"; by default the page has its own. UserError if a
    package is missing, if a generator is not to be had as ONNX, or where two generators are not
    alike in what they draw from.
    """
    if beside is not None and _takes(model) != _takes(beside):
        raise UserError("Generators beside each other take the same latents: these take others.")
    about = _write_model(model, folder / MODEL, precision)
    if beside is not None:
        _write_model(beside, folder / BESIDE, precision)
    models = [MODEL] if beside is None else [MODEL, BESIDE]
    write_text(folder / PAGE, page(title_of(about), models, shared))
    if not shared:
        _write_runtime(folder)
    return about


def title_of(about: Mapping[str, Any]) -> str:
    """Of the page of a generator."""
    return f"{about['algorithm']} on {about['dataset']}"


def write_shared(folder: Path) -> None:
    """What several pages need once: RUNTIME, and SCRIPT, which a page of its own has in itself."""
    _write_runtime(folder)
    write_text(folder / SCRIPT, f"// {MARK}\n{_script()}")


def page(title: str, models: Sequence[str], shared: str = "", served: bool = False) -> str:
    """The page's HTML, which loads these files from where it lies. shared: see write_page().
    served: whether it asks whoever serves it for its pictures, and needs no RUNTIME.
    """
    code = "" if shared else _script()
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    # 'self' is no file in browsers that take each for a site of its own
    places = "'self'" if served else "'self' file: blob: 'wasm-unsafe-eval'"
    policy = (
        f"default-src 'none'; script-src {places} 'sha256-{digest}'; style-src 'unsafe-inline'; "
        "img-src data: blob:; connect-src " + ("'self'" if served else "'none'")
    )
    runtime, last = [] if served else [shared + RUNTIME], [shared + SCRIPT] if shared else []
    templates = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return templates.from_string((HERE / PAGE).read_text("utf-8")).render(
        mark=MARK,
        title=title,
        policy=Markup(policy),
        style=Markup((HERE / "style.css").read_text("utf-8")),
        code=Markup(code),
        files=[*runtime, *models, *last],
        verb="explore" if served else "export --page",
        runtime=not served,
    )


def _script() -> str:
    return "\n".join((HERE / f"{name}.js").read_text("utf-8") for name in SCRIPTS)


def _write_runtime(folder: Path) -> None:
    with atomic(folder / RUNTIME) as temporary:
        temporary.write_bytes((HERE / RUNTIME).read_bytes())


def stream_of(model: Model) -> SampleStream:
    """Its samples as a page shows them."""
    stream = model.updater.sample_stream(0)
    if stream.bn_mode != "batch":
        return stream
    return model.updater.sample_stream(0, statistics=STANDING)


def _takes(model: Model) -> tuple[Any, ...]:
    """What its pictures are drawn from."""
    updater, source = model.updater, model.spec.source
    return updater.sampling_gen.parts, updater.classes, updater.config.condition, source


def _write_model(model: Model, path: Path, precision: Precision) -> dict[str, Any]:
    stream = stream_of(model)
    about, graphs = told(model, stream), graphs_of(stream)
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_graphs(graphs, folder)
        for file in graphs:
            store(folder / file, precision)
        about |= {"precision": precision, "difference": _difference(stream, graphs, folder)}
        with suppress(UserError):  # of pictures that cannot be made sources there
            write_graphs(source_graph(model), folder)
        files = {
            file.stem: base64.b64encode(file.read_bytes()).decode()
            for file in sorted(folder.iterdir())
        }
    said = json.dumps({"about": about, "graphs": files}, ensure_ascii=True)
    write_text(path, f"// {MARK}\n(globalThis.ganlibModels ??= []).push({said});\n")
    return about


@torch.no_grad()
def _difference(
    stream: SampleStream, graphs: dict[str, Graph], folder: Path
) -> dict[str, float] | None:
    """Between PyTorch's pictures and those of the files, in 255 levels: the largest and the mean of
    COMPARED samples, of a translator of two sources of noise. None without onnxruntime.
    """
    if find_spec("onnxruntime") is None:
        return None
    runtime: Any = import_module("onnxruntime")  # which may be missing, and has no types

    def run(file: str, inputs: dict[str, Tensor]) -> Tensor:
        session = runtime.InferenceSession(folder / file, providers=["CPUExecutionProvider"])
        feed = {x.name: inputs[x.name].cpu().numpy() for x in session.get_inputs()}
        return torch.from_numpy(session.run(None, feed)[0])

    z = stream.gen.make_hidden(COMPARED, generator(0, "page"))
    if stream.config.translates:
        y = graphs[IMAGES][1]["y"]
        z = z[: len(y)]
    elif stream.config.condition == "labels":
        n = stream.spec.n_classes
        y = one_hot(torch.arange(len(z), device=z.device) % n, n, z)
    else:
        y = None
    inputs = {"z": z, "codes": z, "noise": torch.ones(())} | ({} if y is None else {"y": y})
    if CODES in graphs:
        code = run(CODES, inputs)
        n = stream.gen.n_styles
        inputs["codes"] = code[:, None].repeat(1, n, 1) if n else code
    off = levels(run(IMAGES, inputs)) - levels(stream.decode(z, y).cpu())
    return {"most": float(off.abs().max()), "mean": float(off.abs().mean())}
