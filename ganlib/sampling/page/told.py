"""What a page is told of a generator, as plain types: how its latents are spread, what it takes
besides, and ways to change its pictures.
"""

import base64
import gzip
from contextlib import suppress
from typing import Any

import torch

from ganlib.common.data import POINTS
from ganlib.common.errors import UserError
from ganlib.common.pictures import coloured_maps, to_uint8
from ganlib.common.query import DataQuery, label
from ganlib.sampling.codes import Space
from ganlib.sampling.directions import Kind
from ganlib.sampling.exports.export import model_card
from ganlib.sampling.model import Model
from ganlib.training.samples.sample_stream import SampleStream

from .graphs import ToSource

KINDS: tuple[Kind, ...] = ("sefa", "pca", "classes")
MOST = 5
"""Directions of each of the kinds that have no end."""
EXAMPLES = 8
"""Held-out sources that a page brings."""


def told(model: Model, stream: SampleStream) -> dict[str, Any]:
    """Of the generator whose samples `stream` gives."""
    card, spec, gen = model_card(model), model.spec, stream.gen
    return {
        **{name: card[name] for name in CARRIED},
        "dataset": label(str(model.settings.get("dataset"))),
        "parts": [part._asdict() for part in gen.parts],
        "classes": list(model.updater.classes),
        "told": _kind(model),
        "marginal": list(spec.shares),
        "shape": list(spec.native),
        "fit": spec.fit,
        "frames": spec.frames,
        "points": spec.native == POINTS,
        "codes": gen.has_codes,
        "styles": gen.n_styles,
        "average": _average(stream),
        "statistics": stream.statistics,
        "source": _source(model),
        "directions": [] if model.updater.config.translates else _directions(model),
    }


CARRIED = "ganlib algorithm idea paper parameters iteration images_seen data_license".split()


def _kind(model: Model) -> str | None:
    """What a picture is asked to be: of labels, of categories among latents, or of a source."""
    config = model.updater.config
    if config.translates:
        return "source"
    return config.condition or ("categories" if model.updater.classes else None)


def _average(stream: SampleStream) -> list[float] | None:
    """The code from which truncation measures, None where latents are truncated by their spread."""
    if not stream.gen.has_codes:
        return None
    code = stream.code(*stream.latents([0]))
    average: list[float] = stream.gen.truncate(code, 0)[0].tolist()
    return average


def _directions(model: Model) -> list[dict[str, Any]]:
    space: Space = "code" if model.updater.sampling_gen.has_codes else "z"
    found = []
    for kind in KINDS:
        with suppress(UserError):  # of what this generator or its data have not
            some = model.directions(kind, MOST, space)
            rows = zip(some.names, some.vectors * some.deviations[:, None], strict=True)
            found += [{"kind": kind, "name": name, "step": row.tolist()} for name, row in rows]
    return found


def _source(model: Model) -> dict[str, Any] | None:
    """Of a translator, what it starts from."""
    spec = model.spec
    if spec.source is None or not model.updater.config.translates:
        return None
    ids = spec.source_kind == "ids"
    palette = coloured_maps(torch.arange(max(1, spec.n_classes))).tolist() if ids else []
    return {
        "shape": list(spec.source),
        "kind": spec.source_kind,
        "frames": spec.source_frames,
        "palette": [[name, *rgb] for name, rgb in zip(spec.class_names, palette, strict=False)],
        "examples": _examples(model),
        "made": made.by.words if (made := ToSource.of(model)) else None,
    }


def _examples(model: Model) -> list[str]:
    """Held-out sources, uint8 or of ids int32, packed by gzip, in base64; none where the data are
    not at hand, or nobody knows whether they may be given away.
    """
    if not DataQuery.of_run(model.settings).license:
        return []
    with suppress(UserError):
        if model.updater.held_out is None:
            model.give_sources()
        stream = model.updater.sample_stream(0)
        y = stream.latents(range(min(EXAMPLES, stream.held_out.n_sources)))[1]
        assert y is not None
        content = y.int() if model.spec.source_kind == "ids" else to_uint8(y)
        packed = [gzip.compress(x.cpu().numpy().tobytes(), mtime=0) for x in content]
        return [base64.b64encode(one).decode() for one in packed]
    return []
