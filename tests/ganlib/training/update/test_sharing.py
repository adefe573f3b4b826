"""How buffers are shared: by what is said of them, otherwise by their kind."""

import pytest
import torch

from ganlib.common.errors import UserError
from ganlib.training.update.accumulation import sort

BUFFERS = {
    "gen.norm.mean": torch.zeros(2),
    "gen.norm.count": torch.tensor(0),
    "pool.images": torch.zeros(3),
    "pool.count": torch.tensor(0),
    "pooled": torch.zeros(4),
}


def test_floating_buffers_are_averaged_unless_it_is_said_otherwise() -> None:
    averaged, equal, own = sort(BUFFERS, {"pool": "equal", "pool.count": "own"})
    assert [t.shape for t in averaged] == [(2,), (4,)]
    assert equal[0] is BUFFERS["gen.norm.count"] and equal[1] is BUFFERS["pool.images"]
    assert len(equal) == 2 and own[0] is BUFFERS["pool.count"] and len(own) == 1


def test_mistakes_are_told() -> None:
    with pytest.raises(UserError, match="shared names 'poool', and no buffer is called so"):
        sort(BUFFERS, {"poool": "equal"})
    words = "shared\\['pool'\\] is 'each'; the words are averaged, equal, own"
    with pytest.raises(UserError, match=words):
        sort(BUFFERS, {"pool": "each"})  # type: ignore[dict-item]
