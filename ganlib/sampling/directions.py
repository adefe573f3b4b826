"""Directions in which a generator's images change most, or towards a class."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ganlib.common.errors import UserError
from ganlib.common.pictures import levels
from ganlib.evaluation.extractors.small import Classified
from ganlib.sampling.codes import Space, code_of, images_of
from ganlib.training.samples.sample_stream import SampleStream

Kind = Literal["sefa", "pca", "classes"]
SAMPLES, AT_ONCE = 4096, 256
PARALLEL = 1 - 1e-5
"""The cosine from which on two vectors are taken for one, times a number."""


@dataclass(frozen=True)
class Directions:
    """names: what they are called. vectors: of length 1, (k, d) for codes (..., d). deviations: of
    random codes along each, (k,).
    """

    names: Sequence[str]
    vectors: Tensor
    deviations: Tensor

    def along(self, codes: Tensor, reach: float, frames: int) -> Tensor:
        """From each of the codes (n, ..., d) as many deviations back as on, in a line, of each w
        alike: (n, k, frames, ..., d).
        """
        steps = torch.linspace(-reach, reach, frames, device=codes.device)
        moves = steps[:, None] * (self.vectors * self.deviations[:, None]).to(steps.device)[:, None]
        inner = [1] * (codes.dim() - 2)
        return codes[:, None, None] + moves.reshape(*moves.shape[:2], *inner, moves.shape[2])


def closed_form(stream: SampleStream, space: Space, k: int) -> Directions:
    """The k eigenvectors of the sum of A'A with the largest eigenvalues, where A are the matrices
    of the layers that read the code first: SeFa, Shen & Zhou 2021,
    https://arxiv.org/abs/2007.06600, equation 6.

    What a layer is told besides the code is left out. UserError for a generator without such a
    layer.
    """
    codes = _random(stream, space)
    matrices = _first_layers(stream, space)
    width = codes.shape[1]
    total = torch.zeros(width, width, dtype=torch.float64, device=codes.device)
    for matrix in matrices:
        own = matrix.shape[1]
        total[:own, :own] += matrix.T @ matrix
    vectors = torch.linalg.eigh(total).eigenvectors.T.flip(0)[:k]
    return _named([str(i) for i in range(len(vectors))], vectors, codes)


def principal(stream: SampleStream, k: int) -> Directions:
    """The k principal components of the codes of a style-based generator, of the largest variance
    first: GANSpace, Harkonen et al. 2020, https://arxiv.org/abs/2004.02546, section 2.1.

    UserError for a generator whose codes are its latents, which vary alike in all directions.
    """
    if not stream.gen.has_codes:
        raise UserError(
            "This generator draws from its latents, which vary alike in all directions: give "
            "--directions=sefa instead."
        )
    codes = _random(stream, "code").double()
    vectors = torch.linalg.svd(codes - codes.mean(0), full_matrices=False).Vh[:k]
    return _named([str(i) for i in range(len(vectors))], vectors, codes)


def of_classes(stream: SampleStream, space: Space, extractor: Classified) -> Directions:
    """For each class that the extractor tells, the direction in which it finds more of it: its
    logits' least squares by the codes of random samples.
    """
    codes, found = list[Tensor](), list[Tensor]()
    for numbers in _parts():
        z, y = stream.latents(numbers)
        code = code_of(stream, z, y, space)
        logits = extractor(levels(images_of(stream, code, y, space))).logits
        assert logits is not None
        codes.append(code)
        found.append(logits)
    c, logits = torch.cat(codes).double().cpu(), torch.cat(found).double().cpu()
    weights = torch.linalg.lstsq(c - c.mean(0), logits - logits.mean(0)).solution
    return _named(extractor.classes, nn.functional.normalize(weights.T), c)


def _first_layers(stream: SampleStream, space: Space) -> list[Tensor]:
    """Matrices, float64 (m, d'), of the layers whose input begins with the code, or with its
    first d' numbers, times a number: what they make of each unit vector, less what they make of 0.
    """
    z, y = stream.latents([0])
    code, read = code_of(stream, z, y, space), list[tuple[nn.Module, Tensor]]()

    def look(module: nn.Module, given: tuple[Any, ...]) -> None:
        if len(given) == 1 and isinstance(given[0], Tensor) and _begins(given[0], code):
            read.append((module, given[0]))

    own = [m for m in stream.gen.modules() if next(m.parameters(recurse=False), None) is not None]
    hooks = [module.register_forward_pre_hook(look) for module in own]
    try:
        images_of(stream, code, y, space)
    finally:
        for hook in hooks:
            hook.remove()
    if not read:
        raise UserError(
            "No layer of this generator begins with its code: give --directions=classes instead."
        )
    with stream.ready(), torch.no_grad():
        return [_matrix(module, x)[:, : code.numel()] for module, x in read]


def _begins(x: Tensor, code: Tensor) -> bool:
    d = min(x.numel(), code.numel())
    a, b = (part.flatten()[:d].double() for part in (x, code))
    return d > 1 and bool(nn.functional.cosine_similarity(a, b, dim=0).abs() > PARALLEL)


def _matrix(module: nn.Module, x: Tensor) -> Tensor:
    """Of a layer that is affine in inputs of the shape of x (1, ...)."""
    d = x.numel()
    inputs = torch.cat([x.new_zeros(1, d), torch.eye(d, dtype=x.dtype, device=x.device)])
    zero, *rows = module(inputs.reshape(-1, *x.shape[1:])).double().flatten(1)
    matrix: Tensor = torch.stack(rows) - zero
    return matrix.T


def _named(names: Sequence[str], vectors: Tensor, codes: Tensor) -> Directions:
    spread = (codes.double() @ vectors.T).std(0)
    return Directions(names, vectors.to(torch.float32), spread.to(torch.float32))


def _parts() -> list[range]:
    return [range(i, i + AT_ONCE) for i in range(0, SAMPLES, AT_ONCE)]


def _random(stream: SampleStream, space: Space) -> Tensor:
    """Codes of SAMPLES random samples, (SAMPLES, d)."""
    return torch.cat([code_of(stream, *stream.latents(part), space) for part in _parts()])
