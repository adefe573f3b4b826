"""Codes that were found, as of photographs: a file of them, and a stream in which they stand for
the latents of samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from ganlib.common.data.classes import Conditions
from ganlib.common.errors import UserError
from ganlib.common.io.files import as_user_error, atomic
from ganlib.common.pictures import write_npz
from ganlib.training.samples.sample_stream import Sampler, SampleStream

Space = Literal["z", "code", "layers"]
"""Latents; what a generator draws from, w of a style-based one; or a w for each of its layers."""


@dataclass(frozen=True)
class Codes:
    """values: latents or codes (n, ...), as `space` says; y: what the generator is told with them,
    (n, ...), None if that is nothing.
    """

    values: Tensor
    y: Tensor | None
    space: Space

    def save(self, path: Path) -> None:
        """An .npz of `codes`, `space` and, if there are any, `conditions`."""
        arrays: dict[str, Any] = {"codes": self.values.cpu().numpy(), "space": np.array(self.space)}
        if self.y is not None:
            arrays["conditions"] = self.y.cpu().numpy()
        with atomic(path) as temporary:
            write_npz(temporary, arrays)


def read_codes(path: Path) -> Codes:
    """The codes in a file; UserError if it is none, in which case nothing of it has been run."""
    problem = f"{path} holds no codes as `ganlib invert` writes them."
    with as_user_error(lambda _: problem), np.load(path, allow_pickle=False) as arrays:
        values, y = torch.from_numpy(arrays["codes"]).float(), arrays.get("conditions")
        space = next(each for each in get_args(Space) if each == str(arrays["space"]))
        return Codes(values, None if y is None else torch.from_numpy(y), space)


def code_of(stream: SampleStream, z: Tensor, y: Tensor | None, space: Space) -> Tensor:
    """Latents in a space. UserError where a generator has no layers with a w each."""
    if space == "z":
        return z
    code, n = stream.code(z, y), stream.gen.n_styles
    if space == "code":
        return code
    if not n:
        raise UserError("This generator takes no w for each layer: give --space=code or z.")
    return code if code.dim() > 2 else code[:, None].expand(-1, n, -1)


def images_of(stream: SampleStream, code: Tensor, y: Tensor | None, space: Space) -> Tensor:
    """Images of codes of a space, as decode() and draw() give them."""
    return stream.decode(code, y) if space == "z" else stream.draw(code, y)


def _told_alike(codes: Codes, ours: Tensor | None, n_classes: int) -> bool:
    """Whether each code has what a generator is told, classes by number or by parts of each."""
    theirs = codes.y
    if theirs is None or ours is None:
        return theirs is ours
    if ours.dim() > 1:  # sources
        fits = theirs.shape[1:] == ours.shape[1:]
    elif theirs.is_floating_point():
        fits = theirs.shape[1:] == (n_classes,)
    else:
        fits = theirs.dim() == 1 and bool(((theirs >= 0) & (theirs < n_classes)).all())
    return fits and len(theirs) == len(codes.values)


class CodeStream(SampleStream):
    """Codes in place of the samples of a seed, by their numbers in the file. UserError for those of
    another generator.
    """

    def __init__(
        self,
        networks: Sampler,
        codes: Codes,
        truncation: float | None = None,
        statistics: str | None = None,
    ) -> None:
        super().__init__(networks, 0, truncation, statistics=statistics)
        self.codes, plain = codes, SampleStream(networks, 0)
        z, y = plain.latents([0])
        theirs, ours = codes.values.shape[1:], code_of(plain, z, y, codes.space).shape[1:]
        if theirs != ours or not _told_alike(codes, y, len(networks.classes)):
            raise UserError(
                f"The codes are {tuple(theirs)} and this generator's {tuple(ours)}, or it is told "
                "something else: they are of another one."
            )

    def latents(self, numbers: Sequence[int]) -> tuple[Tensor, Tensor | None]:
        values, y = self.codes.values, self.codes.y
        if max(numbers) >= len(values):
            raise UserError(
                f"There is no code number {max(numbers)}: the file holds {len(values)}."
            )
        device = next(self.gen.parameters()).device
        rows = list(numbers)
        return values[rows].to(device), None if y is None else y[rows].to(device)

    def code(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        if self.codes.space == "z":
            return super().code(z, y)
        return z if self.truncation is None else self.gen.truncate(z, self.truncation)


def stream_of(
    networks: Sampler,
    seed: int,
    y: Conditions | None,
    codes: Codes | None,
    truncation: float | None,
    statistics: str | None = None,
) -> SampleStream:
    """The samples of a seed, told y if that is given, or codes by their numbers."""
    if codes is None:
        return networks.sample_stream(seed, truncation, y, statistics)
    return CodeStream(networks, codes, truncation, statistics)
