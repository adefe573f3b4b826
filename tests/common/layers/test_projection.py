"""common/layers/conditional.py: against equation 3 of the paper, term by term."""

import pytest
import torch
from torch import nn

from ganlib.common.layers.conditional import Projection, ProjectionDiscriminator
from ganlib.common.layers.spectral_norm import spectral_normalize


@pytest.mark.parametrize("bias", [True, False])
def test_a_projection_is_its_formula(bias: bool) -> None:
    torch.manual_seed(0)
    head = Projection(5, n_classes=3, bias=bias).double().eval()
    h, y = torch.randn(4, 5, dtype=torch.float64), torch.tensor([2, 0, 0, 1])
    psi, _ = spectral_normalize(head.linear.weight, head.linear.u)
    v, _ = spectral_normalize(head.embedding.weight, head.embedding.u)
    b = torch.tensor(0.0, dtype=torch.float64)
    if bias:
        nn.init.normal_(head.linear.bias)
        b = head.linear.bias[0]
    expected = [v[c] @ h[i] + psi[0] @ h[i] + b for i, c in enumerate(y.tolist())]
    torch.testing.assert_close(head(h, y), torch.stack(expected)[:, None])
    parts = torch.tensor([[0.0, 0.25, 0.75]] * 4, dtype=torch.float64)
    mixed = 0.25 * head(h, torch.full((4,), 1)) + 0.75 * head(h, torch.full((4,), 2))
    torch.testing.assert_close(head(h, parts), mixed)


def test_it_starts_as_glorot_says() -> None:
    torch.manual_seed(0)
    head = Projection(200, n_classes=100)
    assert head.linear.weight.abs().max().item() == pytest.approx((6 / 201) ** 0.5, rel=0.02)
    assert head.embedding.weight.abs().max().item() == pytest.approx((6 / 300) ** 0.5, rel=0.01)
    assert not head.linear.bias.any()


def test_the_discriminator_projects_features() -> None:
    torch.manual_seed(0)
    features = nn.Sequential(nn.Flatten(), nn.Linear(12, 5))
    dis = ProjectionDiscriminator(features, Projection(5, 3)).eval()
    x, y = torch.randn(4, 3, 2, 2), torch.tensor([2, 0, 0, 1])
    assert dis(x, y).shape == (4, 1)
    torch.testing.assert_close(dis(x, y), dis.head(features(x), y))
