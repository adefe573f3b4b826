"""A generator as the graphs that a page draws by: latents to codes, codes to images, and of a
translator pictures to what it starts from.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganlib.common.data import DataSpec
from ganlib.common.io.files import as_user_error
from ganlib.common.layers.basic import noise_by, one_hot
from ganlib.common.pictures import to_uint8
from ganlib.common.query import DataQuery
from ganlib.common.seeds import generator
from ganlib.common.sources.derived import Derivation
from ganlib.common.sources.grey import in_channels
from ganlib.sampling.exports.onnx import Drawing, Traced, write_graph
from ganlib.sampling.model import Model
from ganlib.sampling.translation.source_images import as_in_training
from ganlib.training.samples.sample_stream import SampleStream

CODES, IMAGES, SOURCE = "codes.onnx", "images.onnx", "source.onnx"


class _ToCodes(Drawing):
    def forward(self, z: Tensor | None = None, y: Tensor | None = None) -> Any:
        """z (n, n_hidden) and y -> codes (n, d)."""
        assert z is not None
        return self.gen.code(z, y)


class _ToImages(Drawing):
    def forward(
        self, codes: Tensor | None = None, y: Tensor | None = None, noise: Tensor | None = None
    ) -> Any:
        """Codes (n, ...), left out where they have no components, y, and how much noise of its own
        the network adds, 0-dim -> images (n, C, H, W), and those of a growing network on its way.
        """
        if codes is None:
            assert y is not None
            codes = torch.empty(y.shape[0], 0, device=y.device)
        with noise_by(self.gen, 1.0 if noise is None else noise):
            on_the_way = [x.float().clamp(-1, 1) for x in self.gen.growing(codes, y)]
            return (self.images(codes, y), *on_the_way)


class ToSource(Traced):
    """What a translator was trained to start from, made of pictures. by: how it is made."""

    def __init__(self, by: Derivation, spec: DataSpec) -> None:
        super().__init__()
        self.by, self.spec = by, spec

    @classmethod
    def of(cls, model: Model) -> "ToSource | None":
        """Of a model that started from what was made of each image alone, at its size."""
        source = as_in_training(model.settings.get("source"))
        if source is None or model.updater.turned:
            return None
        by = DataQuery(source=source).starts
        return cls(by, model.spec) if isinstance(by, Derivation) else None

    def forward(self, picture: Tensor) -> Tensor:
        """Images (n, C, H, W) of the data's own size -> sources at the networks' size."""
        levels = to_uint8(picture)
        # not len(levels), which is a number of Python's and would be fixed
        made = self.by.of(levels, torch.zeros(levels.shape[0], dtype=torch.int64))
        assert self.spec.source is not None
        y = in_channels(made, self.spec.source[0])
        return self.spec.to_source(y).float() / 127.5 - 1


Graph = tuple[Traced, dict[str, Tensor], list[str]]
"""A module, what to trace it with by the names of its inputs, and the names of its outputs."""


def graphs_of(stream: SampleStream) -> dict[str, Graph]:
    """By the names of files; of a generator whose codes are its latents IMAGES alone."""
    z, y = _told(stream)
    told = {} if y is None else {"y": y}
    found: dict[str, Graph] = {}
    code = z
    if stream.gen.has_codes:
        found[CODES] = (_ToCodes(stream), {"z": z, **told}, ["codes"])
        code = stream.code(z, y)
        if n := stream.gen.n_styles:  # which a page mixes
            code = code[:, None].repeat(1, n, 1)
    with noise_by(stream.gen, 1.0) as n, stream.ready(), torch.no_grad():
        noise = {"noise": torch.ones((), device=z.device)} if n else {}
        sides = [f"images_{x.shape[-1]}" for x in stream.gen.growing(code, y)]
    codes = {"codes": code} if code.shape[1] else {}
    found[IMAGES] = (_ToImages(stream), {**codes, **told, **noise}, ["images", *sides])
    return found


def source_graph(model: Model) -> dict[str, Graph]:
    """SOURCE, if pictures can be made what the model starts from."""
    if (module := ToSource.of(model)) is None:
        return {}
    picture = torch.rand(2, *model.spec.native, generator=generator(0, "picture")) * 2 - 1
    return {SOURCE: (module, {"picture": picture}, ["y"])}


def write_graphs(graphs: Mapping[str, Graph], folder: Path) -> None:
    """The files; UserError if a package is missing, or an operation that is not in ONNX."""
    words = "This generator cannot be written as ONNX, which a page draws by."
    with as_user_error(lambda _: words, torch.onnx.OnnxExporterError):
        for name, (module, inputs, outputs) in graphs.items():
            write_graph(module, inputs, folder / name, outputs)


def _told(stream: SampleStream) -> tuple[Tensor, Tensor | None]:
    """Latents of two samples and what they are told, classes as parts of each."""
    gen, spec = stream.gen, stream.spec
    z = gen.make_hidden(2, generator(0, "page"))
    if stream.config.condition == "labels":
        return z, one_hot(torch.zeros(2, dtype=torch.int64), spec.n_classes, z)
    if stream.config.condition is None:
        return z, None
    assert spec.source is not None
    # of nothing but one colour, normalised over the image, nothing but rounding would be left
    random = torch.rand(2, *spec.source, generator=generator(0, "source"))
    ids = spec.source_kind == "ids"
    y = (random * max(1, spec.n_classes)).int() if ids else 2 * random - 1
    return z, y.to(z.device)
