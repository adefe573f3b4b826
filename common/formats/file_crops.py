"""Square crops out of image files of any sizes, decoded when they are asked for."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import chain
from mmap import mmap
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from ganlib.common.data.crops import Croppable, centres, corners
from ganlib.common.errors import UserError
from ganlib.common.formats.blocks import Item, in_threads
from ganlib.common.formats.decode import Pixels, Unusable, crop, pixels
from ganlib.common.io.console import note
from ganlib.common.seeds import generator

UNREAD, WHOLE, USELESS = 0, 1, 2
"""What is known of an item."""
TRIES = 100  # of other files in place of one
NAMED = 10  # files of no use, in a line each

T = TypeVar("T")


class FileCrops(Croppable):
    """uint8 crops (N, channels, size, size) of the files, each as large as it is.

    In place of one that turns out to be of no use another of its class stands, by its number alone;
    of a pair both are then another's. A line on stderr names it. known: of each item, in memory
    that forked processes share.
    """

    def __init__(
        self, items: Sequence[Item], channels: int, size: int, known: Tensor | None = None
    ) -> None:
        self.items, self.channels, self.size = items, channels, size
        self.shape = len(items), channels, size, size
        memory = mmap(-1, len(items) or 1)
        self.known = torch.frombuffer(memory, dtype=torch.uint8) if known is None else known

    def starts(self, channels: int) -> "FileCrops":
        """Crops of what translations to these start from."""
        items = []
        for item in self.items:
            assert item.start is not None
            items.append(item._replace(source=item.start, start=item.source))
        return FileCrops(items, channels, self.size, self.known)

    def crops(self, index: Tensor, places: Tensor) -> Tensor:
        """uint8 (n, channels, size, size) at the places (n, 2); UserError if neither a file nor any
        of TRIES others can be used.
        """
        result = np.empty((len(index), *self.shape[1:]), dtype=np.uint8)
        with warnings.catch_warnings():  # of PIL, about files that it reads all the same
            warnings.simplefilter("ignore")
            for i, number in enumerate(index.tolist()):
                result[i] = self._crop(number, places[i])
        return torch.from_numpy(result)

    def uncut(self, index: Tensor, look: Callable[[Tensor], T]) -> tuple[Tensor, list[T]]:
        """See Uncut; a file is decoded once."""

        def both(number: int) -> tuple[Tensor, T]:
            array = self._made(number, lambda one: pixels(one.source, self.channels, None))
            image = torch.from_numpy(array)
            free = image.shape[1] - self.size, image.shape[2] - self.size
            top, left = map(int, corners(centres(1), free))
            crop = image[:, top : top + self.size, left : left + self.size].clone()
            return crop, look(image)

        ((_, found),) = in_threads(both, index.tolist(), len(index))
        usable = [one for one in found if not isinstance(one, Unusable)]  # all are: see _made
        return torch.stack([crop for crop, _ in usable]), [seen for _, seen in usable]

    def _crop(self, number: int, place: Tensor) -> Pixels:
        return self._made(number, lambda one: crop(one.source, self.channels, self.size, place))

    def _made(self, number: int, make: Callable[[Item], T]) -> T:
        """What `make`, which may raise Unusable, makes of an item, or of one in its place."""
        for one in chain([number], self._others(number)):
            if self.known[one] == USELESS:
                continue
            item = self.items[one]
            try:
                made = make(item)
                if item.start is not None and self.known[one] == UNREAD:
                    crop(item.start, self.channels, self.size, centres(1)[0])
                    self.known[one] = WHOLE
                return made
            except Unusable as error:
                self._leave_out(one, error)
        raise UserError(
            f"{self.items[number].name} cannot be used, nor any of {TRIES} others in its place: "
            "see whether the files are still there, and go on by --resume auto."
        )

    def _leave_out(self, number: int, error: Unusable) -> None:
        told = int((self.known == USELESS).sum())
        self.known[number] = USELESS
        line = f"{self.items[number].name} is of no use ({error}): another stands in its place."
        if told == NAMED:
            line = "Further files that are of no use are not named."
        if told <= NAMED:
            note(line)

    def _others(self, number: int) -> Iterator[int]:
        """Those of its class, at random."""
        numbers = self._classes[self.items[number].label]
        random = generator("another file", number)
        yield from (numbers[k] for k in torch.randint(len(numbers), (TRIES,), generator=random))

    @cached_property
    def _classes(self) -> dict[int | None, list[int]]:
        """The numbers of the items by label."""
        found: dict[int | None, list[int]] = {}
        for number, item in enumerate(self.items):
            found.setdefault(item.label, []).append(number)
        return found
