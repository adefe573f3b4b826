"""override(): one module's method is another, and a copy has its own weights."""

from copy import deepcopy

import torch
from torch import Tensor, nn

from ganlib.common.layers.basic import override


def test_one_module_and_its_copies_do_something_else() -> None:
    changed, other = nn.Linear(2, 2), nn.Linear(2, 2)
    plain = changed.forward

    def twice(self: nn.Linear, x: Tensor) -> Tensor:
        return 2 * nn.Linear.forward(self, x)

    x, names = torch.randn(3, 2), list(changed.state_dict())
    override(changed, {"forward": twice})
    torch.testing.assert_close(changed(x), 2 * plain(x))
    torch.testing.assert_close(other(x), nn.functional.linear(x, other.weight, other.bias))
    assert isinstance(changed, nn.Linear) and list(changed.state_dict()) == names
    assert type(changed).__name__ == "Linear" and type(changed).__doc__ == nn.Linear.__doc__
    copy = deepcopy(changed)
    with torch.no_grad():
        copy.weight.zero_()
        copy.bias.fill_(1)
    torch.testing.assert_close(copy(x), torch.full((3, 2), 2.0))
