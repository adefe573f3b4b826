"""Files, pictures and tensors as the sources that a translator starts from: uint8 (C', H', W'), or
int32 ids (2, H', W').
"""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ganlib.common.data.spec import DataSpec, resize_ids, resize_pixels
from ganlib.common.errors import UserError
from ganlib.common.formats.decode import Unusable, check_numbers, ids, pixels
from ganlib.common.io.files import as_user_error
from ganlib.common.pictures import to_uint8
from ganlib.common.query import OWN, DataQuery
from ganlib.common.sources.grey import in_channels
from ganlib.sampling.translation.translator import grown, up_to

Inputs = Image.Image | Tensor | Sequence[Image.Image | Tensor]
"""A picture; a tensor (C', H', W') or (n, C', H', W'), uint8 or float in [-1, 1], of ids whole
numbers; or a list of such.
"""
KINDS = (
    "give a PIL image, a list of them, or a tensor (n, C, H, W), uint8 or float in [-1, 1], for "
    "maps of classes int32 (n, 2, H, W)"
)


class Reader:
    """Makes sources of picture files. source: what is made of a file first, as --source says it;
    None: the file is a source as it is. size: to how many pixels the shorter side of a file is
    brought before that.

    UserError for a source that is not made of the files themselves, and for a generator that starts
    from more than a picture holds.
    """

    def __init__(self, spec: DataSpec, source: str | None = None, size: int | None = None) -> None:
        self.spec, self.maps, self.size = spec, spec.source_kind == "ids", size
        self.source = DataQuery(source=source).starts
        assert spec.source is not None
        if not self.source.of_file:
            raise UserError(
                f"The source '{source}' is not made of the files themselves: give its files as "
                "INPUT, and leave --source out."
            )
        makes, multiple = self.source.makes, self.source.multiple
        if self.maps and makes:
            raise UserError(
                "This generator starts from maps of classes, which are not made of pictures: leave "
                "--source out."
            )
        self.channels = spec.image[0] // spec.frames if makes else spec.source[0]
        if spec.source_frames > 1 or (self.channels not in (1, 3) and not self.maps):
            raise UserError(
                f"This generator starts from {spec.source_frames} pictures of "
                f"{spec.source[0] // spec.source_frames} channels, which no picture file holds: "
                "give tensors to Model.translate in Python."
            )
        # of what it cannot be made, said before anything is read
        self.source.shape((self.channels, multiple, multiple))

    def read(self, source: Path | Image.Image) -> tuple[Tensor, bool]:
        """The source, and whether its picture was padded before the source was made of it; Unusable
        if the file or picture is of no use.
        """
        with warnings.catch_warnings():  # of PIL, about files that it reads all the same
            warnings.simplefilter("ignore")
            found = self.source.part(source) if isinstance(source, Path) else source
            # copies, because PIL's memory must not be written to
            if self.maps:
                y = torch.from_numpy(ids(found, None))
                if self.spec.instances:  # as Cityscapes has what is no instance of its own
                    y = y[:1].expand(2, -1, -1).clone()
                return _known(self._resized(y), self.spec.n_classes), False
            x = self._resized(torch.from_numpy(np.array(pixels(found, self.channels, None))))
        return self._made(x[None]) if self.source.makes else (x, False)

    def _resized(self, x: Tensor) -> Tensor:
        if self.size is None:
            return x
        resize, least = resize_ids if self.maps else resize_pixels, min(x.shape[1:])
        height, width = (max(1, round(side * self.size / least)) for side in x.shape[1:])
        return resize(x[None], (height, width))[0]

    def _made(self, x: Tensor) -> tuple[Tensor, bool]:
        assert self.spec.source is not None
        height, width = (up_to(side, self.source.multiple) for side in x.shape[2:])
        # number 0 for all: a file's source depends on nothing but the file
        made = self.source.of(grown(x, (height, width)), torch.zeros(1, dtype=torch.int64))
        y = _coloured(made, self.spec.source[0])
        return y[0], (height, width) != x.shape[2:]


def as_in_training(source: str | None) -> str | None:
    """The source of a run, where it was made of the files themselves; of lower resolutions None,
    for what is to be enlarged is small already.
    """
    try:
        found = DataQuery(source=source).starts
    except UserError:
        return None
    return source if found.of_file and found is not OWN and found.multiple == 1 else None


def as_sources(images: Inputs, spec: DataSpec) -> list[Tensor]:
    """What Python was given, as sources; floats are rounded to 0..255, as in files.

    UserError for anything else.
    """
    if isinstance(images, Image.Image) or (isinstance(images, Tensor) and images.dim() == 3):
        images = [images]
    if isinstance(images, Tensor):
        images = list(images) if images.dim() == 4 else []
    if not isinstance(images, list | tuple) or not images:
        raise UserError(f"There is nothing to translate: {KINDS}.")
    return [_source(image, spec) for image in images]


def _source(image: object, spec: DataSpec) -> Tensor:
    if isinstance(image, Image.Image):
        with as_user_error("One of the pictures cannot be translated: it is {}.".format, Unusable):
            return Reader(spec).read(image)[0]
    if not isinstance(image, Tensor) or image.dim() != 3 or not image.numel():
        what = f"shape {tuple(image.shape)}" if isinstance(image, Tensor) else type(image).__name__
        raise UserError(f"A source cannot be of {what}: {KINDS}.")
    assert spec.source is not None
    image = image.detach().cpu()
    if spec.source_kind == "ids":
        if image.is_floating_point() or image.dtype == torch.bool or image.shape[0] != 2:
            raise UserError(
                f"A map of classes cannot be {image.dtype} of shape {tuple(image.shape)}: give "
                "int32 (2, H, W), the class and the instance of each pixel."
            )
        with as_user_error("One of the maps cannot be translated: it is {}.".format, Unusable):
            return _known(image.to(torch.int32), spec.n_classes)
    if image.is_floating_point() and bool((image.abs() <= 1).all()):
        image = to_uint8(image)
    if image.dtype != torch.uint8:
        low, high = image.min(), image.max()
        raise UserError(
            f"A source is {image.dtype} from {low:g} to {high:g}: give uint8, or floats in [-1, 1]."
        )
    return _coloured(image[None], spec.source[0])[0]


def _coloured(y: Tensor, channels: int) -> Tensor:
    """uint8 (n, C, H, W) with so many channels; UserError if that is more than colour or grey."""
    if y.shape[1] == channels or {y.shape[1], channels} == {1, 3}:
        return in_channels(y, channels).contiguous()
    raise UserError(
        f"A source has {y.shape[1]} channels, and this generator starts from {channels}."
    )


def _known(ids: Tensor, n_classes: int) -> Tensor:
    check_numbers(ids[0], n_classes - 1, "classes")
    return ids
