"""Images made larger by what is on their border."""

import pytest
import torch
import torch.nn.functional as F

from ganlib.sampling.translation.padding import grown, up_to


def test_multiples() -> None:
    assert [up_to(n, 4) for n in (1, 4, 5, 8)] == [4, 4, 8, 8]


@pytest.mark.parametrize("size", [(3, 4), (3, 9), (12, 4), (7, 40)])
def test_the_border_is_repeated_in_every_type(size: tuple[int, int]) -> None:
    x = torch.randint(256, (2, 3, 3, 4), generator=torch.Generator().manual_seed(0))
    expected = F.pad(x.float(), (0, size[1] - 4, 0, size[0] - 3), mode="replicate")
    for dtype in (torch.uint8, torch.int32, torch.float32):
        found = grown(x.to(dtype), size)
        assert found.dtype == dtype and torch.equal(found.float(), expected)
