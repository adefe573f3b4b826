"""A generator as an ONNX file, which any runtime can draw images with."""

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganlib.common.errors import UserError
from ganlib.common.io.files import MARK, as_user_error, atomic
from ganlib.sampling.model import Model
from ganlib.training.samples.sample_stream import SampleStream, full_size

ONNX = "generator.onnx"
NEEDED = ("onnx", "onnxscript")  # by torch.onnx
INSTALL = "pip install ganlib[onnx]"

Shape = list[int | str]


def missing_packages() -> list[str]:
    """What an ONNX file needs and is not installed."""
    return [name for name in NEEDED if find_spec(name) is None]


def require_packages() -> None:
    """UserError if something that an ONNX file needs is not installed."""
    if missing := missing_packages():
        raise UserError(f"ONNX needs {' and '.join(missing)}: {INSTALL}")


def write_onnx(model: Model, path: Path) -> dict[str, Shape]:
    """From z (n, n_hidden), if it has components, and y of a conditional generator, to `images`
    (n, C, H, W) in [-1, 1]. Returns the inputs' shapes by name; words are free sizes.

    y: int64 (n,), whose classes are the file's metadata `classes`, a JSON list of their names in
    order; or source images. n is free and images have the data's own size; where a generator
    translates sources of other sizes (its `multiple`), height and width are free too. Dropout that
    is noise is off.
    UserError if onnx or onnxscript is missing, or an operation of the generator is not in ONNX.
    """
    stream = model.updater.sample_stream(0)
    if model.updater.config.translates and stream.gen.multiple and model.spec.fit == "none":
        axes = {0: "n", 2: "height", 3: "width"}
        # a network of one size, as one with linear layers, is none of any
        with suppress(torch.onnx.OnnxExporterError):
            # of training's size, what a U-net halves to one pixel would be fixed to that
            return write_graph(Drawing(stream, sized=False), _examples(model, 2), path, axes=axes)
    labelled = model.updater.config.condition == "labels"
    classes = model.spec.class_names if labelled else ()
    words = f"The generator of {model.settings['algorithm']} cannot be written as ONNX."
    with as_user_error(lambda _: words, torch.onnx.OnnxExporterError):
        return write_graph(Drawing(stream), _examples(model, 1), path, classes=classes)


class Traced(nn.Module):
    """What can be written; `ready` is entered meanwhile."""

    ready: Callable[[], AbstractContextManager[None]] = staticmethod(nullcontext)


class Drawing(Traced):
    """SampleStream.decode as a module. sized: whether images are brought to the data's own size."""

    generate: Callable[..., Tensor]

    def __init__(self, stream: SampleStream, sized: bool = True) -> None:
        super().__init__()
        # The updater stays outside, with its other networks: a bound method is no submodule.
        self.generate, self.ready = stream.networks.generate, stream.ready
        self.gen, self.spec, self.sized = stream.gen, stream.spec, sized

    def forward(self, z: Tensor | None = None, y: Tensor | None = None) -> Any:
        """z (n, n_hidden), left out where it has no components, which no runtime takes, and y ->
        images (n, C, H, W).
        """
        if z is None:
            assert y is not None
            # not len(y), which is a number of Python's and would be fixed
            z = torch.empty(y.shape[0], 0, device=y.device)
        return self.images(self.gen.code(z, y), y)

    def images(self, code: Tensor, y: Tensor | None) -> Tensor:
        """SampleStream.draw's."""
        images = self.generate(self.gen, code, y).float()
        if self.sized:
            images = self.spec.to_native(full_size(images, self.spec.image))
        return images.clamp(-1, 1)


def _examples(model: Model, times: int) -> dict[str, Tensor]:
    """Inputs to trace with, by name, sources so many times as high and wide as in training; two of
    each, because ONNX would fix a dimension of 1.
    """
    gen, spec = model.updater.sampling_gen, model.spec
    inputs = {"z": gen.make_hidden(2)} if gen.n_hidden else {}
    if model.updater.config.condition == "labels":
        inputs["y"] = torch.zeros(2, dtype=torch.int64)
    elif model.updater.config.translates:
        assert spec.source is not None
        dtype = torch.int32 if spec.source_kind == "ids" else torch.float32
        channels, height, width = spec.source
        inputs["y"] = torch.zeros(2, channels, times * height, times * width, dtype=dtype)
    return {name: x.to(model.updater.clock.device) for name, x in inputs.items()}


def write_graph(
    module: Traced,
    inputs: Mapping[str, Tensor],
    path: Path,
    outputs: Sequence[str] = ("images",),
    axes: Mapping[int, str] | None = None,
    classes: Sequence[str] = (),
) -> dict[str, Shape]:
    """Write the file, `axes` of all inputs free, by default their number n; `classes` as metadata.
    Returns the inputs' shapes. UserError if onnx or onnxscript is missing.
    """
    require_packages()
    axes = axes or {0: "n"}
    sizes = {axis: torch.export.Dim(name) for axis, name in axes.items()}
    with atomic(path) as temporary, warnings.catch_warnings(), module.ready():
        # torch 2.13's exporter copies its own specs in a way that torch deprecates.
        warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)`", FutureWarning)
        # That z and y have the same n is meant.
        warnings.filterwarnings("ignore", "# The axis name: n will not be used", UserWarning)
        torch.onnx.export(
            module.eval(),
            (),
            temporary,
            kwargs=dict(inputs),
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_shapes={
                name: {axis: size for axis, size in sizes.items() if axis < x.dim()}
                for name, x in inputs.items()
            },
            external_data=False,
            verbose=False,
        )
        onnx: Any = import_module("onnx")  # which may be missing, and has no types
        written = onnx.load(temporary)
        written.doc_string = MARK
        if classes:
            written.metadata_props.add(key="classes", value=json.dumps(classes, ensure_ascii=False))
        onnx.save(written, temporary)
        shapes = ((x.name, x.type.tensor_type.shape.dim) for x in written.graph.input)
        return {name: [d.dim_param or d.dim_value for d in sizes] for name, sizes in shapes}
