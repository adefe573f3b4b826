"""The page with PyTorch behind it: what a file of its own cannot hold."""

import base64
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from ganlib.common.data import DataSet
from ganlib.common.errors import UserError, one_line
from ganlib.common.io.files import as_user_error
from ganlib.common.io.server import Answer
from ganlib.common.layers.basic import noise_by, one_hot
from ganlib.common.pictures import to_uint8
from ganlib.common.query import DataQuery
from ganlib.sampling.codes import Space
from ganlib.sampling.model import Model
from ganlib.training.samples.sample_stream import SampleStream

from .graphs import IMAGES, ToSource, graphs_of
from .told import told
from .writing import page, stream_of, title_of

ABOUT = "about.js"
KEPT = 4
"""Models of other iterations at a time."""
NEAREST, SEEN, AT_ONCE = 8, 60_000, 512
"""How many training images are shown of how many, and how many are looked at in one go."""
SIDE = 32
STEPS = 150


class Explorer:
    """Answers to the page of a model. iterations: of the snapshots that `at` loads one of, the
    newest last; none where there is one alone.
    """

    verb = "explore"

    def __init__(self, model: Model, iterations: Sequence[int], at: Callable[[int], Model]) -> None:
        self.model, self.iterations, self._at = model, list(iterations), at
        self._opened = OrderedDict[int, tuple[Model, SampleStream]]()
        self._lock = threading.Lock()  # one picture at a time, on one device
        stream = stream_of(model)
        self._opened[model.updater.iteration] = model, stream
        graphs = graphs_of(stream)
        _, inputs, outputs = graphs[IMAGES]
        self._about = {**told(model, stream), "precision": "float32", "difference": None}
        self._outputs, self._to_source = outputs, ToSource.of(model)
        self._page = {
            "about": self._about,
            "noisy": "noise" in inputs,
            "outputs": outputs,
            "iterations": self.iterations,
            "makes": self._to_source is not None,
            "inverts": bool(stream.gen.n_hidden)
            and not stream.config.translates
            and not self._about["points"],
        }

    def get(self, path: str, query: Mapping[str, str]) -> Answer | None:
        """The page, and what it is told."""
        if path == "/":
            html = page(title_of(self._about), [ABOUT], served=True)
            return Answer(html.encode(), "text/html")
        if path == f"/{ABOUT}":
            said = f"globalThis.ganlibServed = {json.dumps(self._page)};"
            return Answer(said.encode(), "text/javascript")
        return None

    def post(self, path: str, content: bytes) -> Answer | None:
        """/codes, /images, /source, /nearest and /invert, of JSON and answered with JSON."""
        known = self.codes, self.images, self.source, self.nearest, self.invert
        ways = {f"/{way.__name__}": way for way in known}
        if path not in ways:
            return None
        kinds = (ValueError, KeyError, TypeError, AttributeError, RuntimeError)
        with self._lock, as_user_error(lambda e: f"That cannot be drawn: {one_line(e)}.", kinds):
            return Answer(json.dumps(ways[path](json.loads(content))).encode())

    def codes(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Of z (n_hidden numbers) and y, those of "iteration", truncated where "psi" is not 0:
        {"codes": its numbers}.
        """
        _, stream = self._of(asked)
        code = stream.code(self._there(torch.tensor([asked["z"]])), self._told(asked, 1))
        if psi := float(asked.get("psi") or 0):
            code = stream.gen.truncate(code, psi)
        return {"codes": code[0].tolist()}

    def images(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Of the codes of "n" pictures and y: by the names of outputs {"dims", "data"}, uint8 in
        base64.
        """
        (_, stream), n = self._of(asked), int(asked["n"])
        y, gen = self._told(asked, n), stream.gen
        codes = torch.tensor(asked["codes"] or []).reshape(n, -1)
        if gen.n_styles:
            codes = codes.reshape(n, gen.n_styles, -1)
        code = self._there(codes)
        with noise_by(gen, float(asked["noise"])), torch.no_grad():
            images = [stream.draw(code, y)]
            with stream.ready():
                images += gen.growing(code, y)
        return dict(zip(self._outputs, map(_packed, images), strict=True))

    def source(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Of a picture what a translator starts from, as in training."""
        if self._to_source is None:
            raise UserError("No source is made of pictures here.")
        picture = self._shown(asked["images"]).float() / 127.5 - 1
        return {"images": _packed(self._to_source(picture))}

    def nearest(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Of one picture the training images that are nearest to it in pixels."""
        distance = torch.cdist(_small(self._shown(asked["images"])), self._training)[0]
        which = distance.topk(min(NEAREST, len(distance)), largest=False).indices
        return {"images": _packed(self._data.x[which].float() / 127.5 - 1)}

    def invert(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Of a picture {"dims", "data"} the codes that come nearest to it, and how near, in dB."""
        x, (model, _) = self._shown(asked["images"]), self._of(asked)
        space: Space = "code" if self._about["codes"] else "z"
        found = model.invert(x, space=space, steps=STEPS)
        y = found.y
        if y is not None:  # as parts of each class, which is how a page asks
            y = one_hot(y, self.model.spec.n_classes, found.codes)[0]
        codes, psnr = found.codes[0].tolist(), float(found.psnr[0])
        return {"codes": codes, "y": None if y is None else y.tolist(), "psnr": psnr}

    # ---- how it is done

    def _of(self, asked: Mapping[str, Any]) -> tuple[Model, SampleStream]:
        """The snapshot that is asked for, and its samples."""
        iteration = int(asked.get("iteration") or self.model.updater.iteration)
        if iteration not in self._opened:
            if iteration not in self.iterations:
                raise UserError(f"There is no snapshot of iteration {iteration}.")
            model = self._at(iteration)
            self._opened[iteration] = model, stream_of(model)
            while len(self._opened) > KEPT:
                self._opened.popitem(last=False)
        self._opened.move_to_end(iteration)
        return self._opened[iteration]

    def _there(self, x: Tensor) -> Tensor:
        return x.to(self.model.updater.clock.device)

    def _told(self, asked: Mapping[str, Any], n: int) -> Tensor | None:
        if asked.get("y") is None:
            return None
        source = self._about["source"]
        if source is None:
            return self._there(torch.tensor(asked["y"], dtype=torch.float32).reshape(n, -1))
        dtype = torch.int32 if source["kind"] == "ids" else torch.float32
        y = torch.tensor(asked["y"], dtype=dtype)
        return self._there(y.reshape(n, *source["shape"]))

    @staticmethod
    def _shown(images: Mapping[str, Any]) -> Tensor:
        """uint8 (n, C, H, W) of what was packed."""
        content = bytearray(base64.b64decode(images["data"]))
        return torch.frombuffer(content, dtype=torch.uint8).reshape(images["dims"])

    @cached_property
    def _data(self) -> DataSet:
        data = DataQuery.of_run(self.model.settings).open()
        return data.turned() if self.model.updater.turned else data

    @cached_property
    def _training(self) -> Tensor:
        """The first SEEN training images as they are compared."""
        parts = torch.split(torch.arange(min(SEEN, len(self._data.x))), AT_ONCE)
        return torch.cat([_small(self._data.x[part]) for part in parts])


def _small(images: Tensor) -> Tensor:
    """uint8 images (n, C, H, W) as rows of at most SIDE x SIDE pixels, means over areas."""
    x = images.float()
    return (adaptive_avg_pool2d(x, SIDE) if max(x.shape[2:]) > SIDE else x).flatten(1)


def _packed(images: Tensor) -> dict[str, Any]:
    content = to_uint8(images.float()).cpu().contiguous().numpy().tobytes()
    return {"dims": list(images.shape), "data": base64.b64encode(content).decode()}
