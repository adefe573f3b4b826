"""Images that somebody has in Python already, as a data set."""

from collections.abc import Mapping, Sequence, Sized
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ganlib.common.data import DataSet
from ganlib.common.errors import UserError
from ganlib.common.io.console import progress
from ganlib.common.io.files import as_user_error
from ganlib.common.io.memory import require_memory

ARRAYS = Tensor | np.ndarray
NONE = (str, Mapping)  # no data sets, though they have a length and items
NOT_NUMBERS = TypeError, ValueError, RuntimeError
GIVEN = "given"
"""The name of such a data set."""
KINDS = (
    "give a name, a path, a tensor or array of images (N, C, H, W), uint8 or float in [-1, 1] or "
    "[0, 1], a pair (images, labels), or a torch Dataset of images or (image, label)"
)


def as_dataset(value: Any) -> DataSet:
    """Images in memory; what has no values below 0 is taken to be in [0, 1], if it is float.

    value: images as a tensor or array of shape (N, H, W), (N, C, H, W) or (N, H, W, C) with 1 or 3
    channels; a pair of them and of integers (N,), the labels; a torch Dataset with a length, whose
    items are images, or tuples that start with an image and a label. UserError for anything else.
    """
    if isinstance(value, DataSet):
        return value
    if isinstance(value, tuple | list) and len(value) == 2 and isinstance(value[0], ARRAYS):
        return _dataset(value[0], value[1], ())
    if isinstance(value, ARRAYS):
        return _dataset(value, None, ())
    if isinstance(value, Sized) and hasattr(value, "__getitem__") and not isinstance(value, NONE):
        return _from_items(value)
    raise UserError(f"A {type(value).__name__} is no data set: {KINDS}.")


def _dataset(images: Any, labels: Any, classes: Sequence[str]) -> DataSet:
    x = to_bytes(channels_first(_tensor(images, "images")))
    if len(x) == 0:
        raise UserError("The data set that was given has no images.")
    if labels is None:
        return DataSet(GIVEN, x)
    y = _tensor(labels, "labels")
    if y.shape != (len(x),) or y.is_floating_point() or y.dtype == torch.bool or y.min() < 0:
        raise UserError(
            f"The labels are {y.dtype} of shape {tuple(y.shape)}: give {len(x)} integers from 0 "
            "on, one for each image."
        )
    names = tuple(map(str, classes)) or tuple(map(str, range(int(y.max()) + 1)))
    if y.max() >= len(names):
        raise UserError(f"There is a label {int(y.max())}, and {len(names)} classes.")
    return DataSet(GIVEN, x, y.long(), classes=names)


def _tensor(value: Any, what: str) -> Tensor:
    """On the CPU, of a type that PyTorch can do with; an array in any order of bytes or rows."""
    with as_user_error(lambda _: f"The {what} are no array of numbers: {KINDS}.", NOT_NUMBERS):
        if not isinstance(value, Tensor):
            value = np.asarray(value)
            value = torch.as_tensor(np.require(value, value.dtype.newbyteorder("="), "C"))
        x: Tensor = value.detach().cpu()
        return x.to(torch.int64) if x.dtype in (torch.uint16, torch.uint32, torch.uint64) else x


def channels_first(x: Tensor) -> Tensor:
    """(N, H, W), (N, C, H, W) or (N, H, W, C) -> (N, C, H, W); C is 1 or 3."""
    if x.dim() == 3:
        return x[:, None]
    if x.dim() == 4 and x.shape[1] in (1, 3):
        return x
    if x.dim() == 4 and x.shape[3] in (1, 3):
        return x.permute(0, 3, 1, 2).contiguous()
    raise UserError(
        f"The images have the shape {tuple(x.shape)}: give (N, C, H, W) with 1 or 3 channels."
    )


def to_bytes(x: Tensor) -> Tensor:
    """uint8 0..255, from itself, from other integers in 0..255, or from floats in [-1, 1] or, if
    none is below 0, in [0, 1]; rounded.
    """
    if x.dtype == torch.uint8 or x.numel() == 0:
        return x.to(torch.uint8)
    low, high = float(x.min()), float(x.max())
    if x.is_floating_point():
        if -1 <= low < 0 and high <= 1:
            return (x * 127.5 + 127.5).round_().to(torch.uint8)
        if 0 <= low and high <= 1:
            return (x * 255).round_().to(torch.uint8)
    elif x.dtype != torch.bool and 0 <= low and high <= 255:
        return x.to(torch.uint8)
    raise UserError(
        f"The images are {x.dtype} from {low:g} to {high:g}: give uint8 in 0..255, or floats in "
        "[-1, 1] or [0, 1]."
    )


def _from_items(items: Any) -> DataSet:
    """All of a torch Dataset, read into memory."""
    images: list[Tensor] = []
    labels: list[int] = []
    with progress("reading the images", len(items)) as advance:
        for k in range(len(items)):
            image, label = _item(items[k])
            if images and image.shape != images[0].shape:
                raise UserError(
                    f"Image {k} of the data set is {tuple(image.shape)} and the first is "
                    f"{tuple(images[0].shape)}: bring all to one size, as by transforms.Resize "
                    "and CenterCrop."
                )
            if not images:
                advice = "give fewer or smaller images."
                require_memory(GIVEN, len(items) * image.nbytes, advice)
            images.append(image)
            labels += [] if label is None else [label]
            advance(1)
    if not images:
        raise UserError("The data set that was given has no images.")
    known = labels if len(labels) == len(images) else None
    return _dataset(torch.stack(images), known, getattr(items, "classes", ()) if known else ())


def _item(item: Any) -> tuple[Tensor, int | None]:
    """An image (C, H, W) or (H, W, C), and its label if it has one."""
    image, *more = item if isinstance(item, tuple | list) else (item,)
    label: Any = more[0] if more else None
    if isinstance(label, Tensor):
        known = label.dim() == 0 and not label.is_floating_point()
    else:
        known = isinstance(label, int | np.integer) and not isinstance(label, bool)
    if isinstance(image, Image.Image):
        image = np.array(image if image.mode == "L" else image.convert("RGB"))
    if not isinstance(image, ARRAYS):
        raise UserError(
            f"The data set gives a {type(image).__name__} where an image should be: {KINDS}."
        )
    return torch.as_tensor(image), int(label) if known else None
