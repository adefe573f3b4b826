"""Pixels as floats, against PyTorch's own arithmetic."""

import pytest
import torch

from ganlib.common.data import transfer as module
from ganlib.common.data.transfer import centre

generator = torch.Generator().manual_seed(0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("cached", [2**18, 7])
def test_the_bits_are_pytorchs(
    dtype: torch.dtype, cached: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CACHED", cached)
    levels = torch.arange(256, dtype=torch.uint8).view(4, 1, 8, 8)
    means = torch.rand((3, 2, 5, 5), generator=generator) * 255
    turned = levels.flip(-1).transpose(2, 3)
    for x in (levels, means, turned, levels[:0], levels[:1, :, :1, :1]):
        expected = x.to(dtype, copy=True).div_(127.5).sub_(1)
        out = torch.full(x.shape, 9, dtype=dtype)
        assert centre(x, out) is out and torch.equal(out, expected)
