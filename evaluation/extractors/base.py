"""Extractors: networks that turn images into the features that scores are made of.

An extractor is a module of evaluation/extractors/, or of a plugin, with
`make(device, options) -> Extractor`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ganlib.common.errors import UserError
from ganlib.common.io.files import WEIGHTS, as_user_error, expand, regular
from ganlib.common.registry import Registry, having
from ganlib.evaluation.protocol import FEATURES, Instrument

Network = TypeVar("Network", bound=nn.Module)
Value = TypeVar("Value")
Precision = Literal["float32", "tf32", "bf16"]

FOLDED = "bf16, folded"
"""bfloat16 by place(), as protocols call it."""
TRAINED = {"fashion_mnist": "fashion", "emoji": "emoji", "wardrobe": "wardrobe"}
"""The extractors that come with ganlib, by the data sets that they were trained on."""
OWN = {**TRAINED, "wardrobe_wide": "wardrobe", "moving": "fashion", "pushed": "fashion"}
"""The extractors of the data sets that come with ganlib."""
BATCH = {"cpu": 16}  # images at once: 256 of them take 3 GB on the way
GPU_BATCH = 128


class Features(NamedTuple):
    """pool: float32 (N, D). logits: float32 (N, K), or None if the network has no classes."""

    pool: Tensor
    logits: Tensor | None = None


@dataclass(frozen=True)
class Options:
    """What a user may ask of an extractor; every one that changes numbers shows in describe().

    weights: a file in place of the extractor's own, if it has one. precision: float32 is canonical.
    """

    weights: Path | None = None
    precision: Precision = "float32"
    channels_last: bool = False


@dataclass(frozen=True)
class Resize:
    """How images come to a network's size: `function` does what protocols call `name`. in_levels:
    to whole ones, so that small steps are lost.
    """

    name: str
    function: Callable[[Tensor], Tensor]
    in_levels: bool = False

    def __call__(self, x: Tensor) -> Tensor:
        """Float images (N, C, H, W) to those that the network takes."""
        return self.function(x)


AS_THEY_ARE = Resize("none", lambda x: x)


def bilinear(side: int, smaller: bool = True) -> Resize:
    """To squares of this side, without aliases; smaller: images that are smaller, too."""

    def function(x: Tensor) -> Tensor:
        fits = x.shape[2:] == (side, side) if smaller else max(x.shape[2:]) <= side
        return x if fits else F.interpolate(x, (side, side), mode="bilinear", antialias=True)

    name = f"bilinear, antialiased, to {side}x{side}"
    return Resize(name if smaller else f"{name} if larger", function)


def in_parts(x: Tensor, device: torch.device) -> Sequence[Tensor]:
    """Images, so many at a time as a large network's memory is for."""
    return torch.split(x, BATCH.get(device.type, GPU_BATCH))


def in_channels(x: Tensor, channels: int) -> Tensor:
    """Images (N, C, H, W) in float, colours averaged or grey repeated where there are others."""
    x = x.float()
    return x if x.shape[1] == channels else x.mean(1, keepdim=True).expand(-1, channels, -1, -1)


class Extractor:
    """A fixed network; the same uint8 images always give the same features.

    name: as registered. digest: SHA-256 of its weights, hexadecimal. n_features: D of the pool
    features. n_classes: K of the logits, 0 for none. classes: what those classes are called, if
    they are a data set's. device: where both come out. resize: by which images come to its size.
    """

    name: str
    digest: str
    resize = AS_THEY_ARE
    n_features: int
    n_classes: int = 0
    classes: tuple[str, ...] = ()
    device: torch.device
    options: Options = Options()
    packages: tuple[str, ...] = FEATURES
    """Whose change may change features."""
    bf16 = "bf16"
    """What protocols call bfloat16: that of autocast, where nothing else is said."""

    @property
    def score_name(self) -> str:
        """What the Frechet distance in these features is called; only Inception's is a FID."""
        return f"FD{self.suffix}"

    @property
    def suffix(self) -> str:
        """What follows the name of every other score in these features."""
        return f"-{self.name}"

    def describe(self) -> Mapping[str, str]:
        """How images become features: "resize", "precision", and what else tells two apart."""
        precision = self.bf16 if self.options.precision == "bf16" else self.options.precision
        if self.options.channels_last:
            precision += ", channels_last"
        return {"resize": self.resize.name, "precision": precision}

    @property
    def instrument(self) -> Instrument:
        """The network and describe(), for protocols."""
        facts = dict(self.describe())
        resize, precision = facts.pop("resize"), facts.pop("precision")
        return Instrument(self.name, resize, self.digest, precision, facts)

    def __call__(self, x: Tensor) -> Features:
        """Features of images (N, C, H, W) in 0..255, C 1 or 3, on any device: uint8, or float where
        they are not rounded.
        """
        raise NotImplementedError


Make = Callable[[torch.device, Options], Extractor]

extractors: Registry[Make] = Registry(
    "extractor", "ganlib.evaluation.extractors", "make", having("make"), "ganlib.extractors"
)


def make_extractor(
    name: str, device: torch.device | str = "cpu", options: Options | None = None
) -> Extractor:
    """The extractor `name` on `device`; UserError if there is none or its weights are not right."""
    return extractors[name](torch.device(device), options or Options())


def default_extractor(dataset: str) -> str:
    """The extractor for a data set: its own if there is one, see OWN, else "inception"."""
    return OWN.get(dataset, "inception")


@contextmanager
def arithmetic(device: torch.device, precision: Precision) -> Iterator[None]:
    """No gradients, and matrix products and convolutions in `precision`, by algorithms that are not
    searched for with every new size of batch; whatever training uses.
    """
    with (
        torch.no_grad(),
        _switched(precision == "tf32"),
        torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"),
    ):
        yield


@contextmanager
def _switched(on: bool) -> Iterator[None]:
    """TF32 on or off (PyTorch's own default for convolutions is on), and cuDNN's search off.

    PyTorch keeps these switches twice, in an older form and since 2.9 in a newer one, and raises in
    places if the two differ: both are set, and put back.
    """
    matmul, cudnn = torch.backends.cuda.matmul, cast(Any, torch.backends.cudnn)
    places = (matmul, cudnn.conv, cudnn.rnn) if hasattr(matmul, "fp32_precision") else ()
    newer = [place.fp32_precision for place in places]
    older = _older(torch.get_float32_matmul_precision), _older(lambda: cudnn.allow_tf32)
    search, cudnn.benchmark = cudnn.benchmark, False

    def switch(matmuls: str | None, convolutions: bool | None, each: Sequence[str]) -> None:
        if matmuls is not None:
            torch.set_float32_matmul_precision(matmuls)
        if convolutions is not None:
            cudnn.allow_tf32 = convolutions
        for place, value in zip(places, each, strict=True):
            place.fp32_precision = value

    try:
        switch("high" if on else "highest", on, len(places) * ["tf32" if on else "ieee"])
        yield
    finally:
        switch(*older, newer)
        cudnn.benchmark = search


def _older(read: Callable[[], Value]) -> Value | None:
    try:
        return read()
    except RuntimeError:  # the forms differ: a user has set the newer one
        return None


def place(network: Network, device: torch.device, options: Options) -> Network:
    """The network on the device, in the memory format that is asked for, and folded with weights in
    bfloat16 where that is; UserError for arithmetic that the device has not.
    """
    if options.precision != "float32" and not has_arithmetic(device, options.precision):
        raise UserError(
            f"--precision {options.precision} is arithmetic that '{device}' does not have, and "
            "nothing would be faster: leave it out."
        )
    if options.precision == "bf16":
        network = folded(network).bfloat16()
    if options.channels_last:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network.to(device)


def folded(network: Network) -> Network:
    """In evaluation mode, batch normalisation as a part of the convolution right before it: what it
    gives has other last bits in float32.
    """
    for module in list(network.modules()):
        for (name, conv), (after, norm) in pairwise(list(module.named_children())):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(module, name, fuse_conv_bn_eval(conv, norm))
                setattr(module, after, nn.Identity())
    return network


def has_arithmetic(device: torch.device, precision: Precision) -> bool:
    """Whether `device` has instructions for a precision other than float32."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)  # of both, TF32 and bfloat16
    fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return device.type == "cpu" and precision == "bf16" and fast


def read_weights(path: Path) -> bytes:
    """The content of a weights file; UserError if it cannot be read."""
    problem = f"The weights file {path} cannot be read"
    with as_user_error(lambda e: f"{problem} ({e.strerror}): give the path of a file.", OSError):
        return regular(expand(path), WEIGHTS).read_bytes()
