"""common/networks/patchgan.py: counts of parameters, shapes, and what a logit sees."""

from functools import partial

import pytest
import torch
from parameters import count
from torch import nn

from ganlib.common.networks.patchgan import PatchDiscriminator

INSTANCE = partial(nn.InstanceNorm2d, affine=False)


def test_pix2pix_has_2768705_parameters_and_cyclegan_2764737() -> None:
    assert count(PatchDiscriminator(6, nn.BatchNorm2d)) == 2_768_705
    assert count(PatchDiscriminator(2, nn.BatchNorm2d)) == 2_764_609
    assert count(PatchDiscriminator(2, nn.BatchNorm2d, n_layers=2)) == 662_337
    assert count(PatchDiscriminator(3, INSTANCE, bias=True)) == 2_764_737


def test_256_pixels_are_judged_by_30_times_30_logits() -> None:
    dis = PatchDiscriminator(6, nn.BatchNorm2d, ch=2)
    x = torch.rand(1, 3, 256, 256)
    assert dis(x, x).shape == (1, 1, 30, 30)
    assert dis(x[..., :128, :128], x[..., :128, :128]).shape == (1, 1, 14, 14)


def test_the_source_comes_first() -> None:
    dis = PatchDiscriminator(3, INSTANCE, ch=2)
    x, y = torch.rand(1, 1, 32, 32), torch.rand(1, 2, 32, 32)
    assert torch.equal(dis(x, y), dis(torch.cat([y, x], 1)))


@pytest.mark.parametrize(("n_layers", "side"), [(0, 1), (1, 16), (2, 34), (3, 70), (4, 142)])
def test_a_logit_depends_on_a_square_of_so_many_pixels(n_layers: int, side: int) -> None:
    torch.manual_seed(0)
    dis = PatchDiscriminator(1, nn.Identity, ch=2, n_layers=n_layers).double()
    x = torch.rand(1, 1, 2 * side + 32, 2 * side + 32, dtype=torch.double, requires_grad=True)
    logits = dis(x)
    row, column = (n // 2 for n in logits.shape[2:])
    (gradient,) = torch.autograd.grad(logits[0, 0, row, column], x)
    rows, columns = gradient[0, 0].nonzero().T
    seen = {int(places.max() - places.min()) + 1 for places in (rows, columns)}
    assert seen == {side}

    inside = torch.zeros_like(x)
    inside[..., rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] = 1
    changed = dis(torch.where(inside.bool(), x, torch.rand_like(x)))
    assert torch.equal(changed[0, 0, row, column], logits[0, 0, row, column])


def test_pix2pixhd_pads_by_2() -> None:
    dis = PatchDiscriminator(39, INSTANCE, ch=64, bias=True, padding=2)
    assert count(dis) == 2_801_601  # half of its two scales
    small = PatchDiscriminator(1, INSTANCE, ch=2, padding=2)
    assert small(torch.rand(1, 1, 256, 256)).shape == (1, 1, 35, 35)


@pytest.mark.parametrize("n_layers", [0, 1, 3])
def test_activations_are_those_on_the_way_to_the_logits(n_layers: int) -> None:
    torch.manual_seed(0)
    dis = PatchDiscriminator(1, INSTANCE, ch=2, n_layers=n_layers)
    x = torch.rand(2, 1, 32, 32)
    *found, logits = dis.activations(x)
    assert len(found) == max(1, n_layers) + 1 and torch.equal(logits, dis(x))
    leaks = [k for k, layer in enumerate(dis.layers) if isinstance(layer, nn.LeakyReLU)]
    for k, h in zip(leaks, found, strict=True):
        assert torch.equal(dis.layers[: k + 1](x), h)
