"""Noise of networks: as PyTorch's in training, and by the samples' own seeds afterwards."""

import torch
from torch import nn

from ganlib.common.layers.basic import Dropout, PixelNoise, masks_by, noise_by


def test_in_training_it_is_dropout() -> None:
    x = torch.rand(4, 6)
    torch.manual_seed(1)
    ours = Dropout(0.3)(x)
    torch.manual_seed(1)
    assert torch.equal(ours, nn.Dropout(0.3)(x))
    assert torch.equal(Dropout(0.3).eval()(x), x)


def test_a_row_has_the_mask_of_its_seed_in_any_batch() -> None:
    network = nn.Sequential(Dropout(), nn.Identity(), Dropout()).eval()
    x = torch.ones(5, 3, 8, 8)
    with masks_by(network, [10, 11, 12, 13, 14]):
        whole, first = network(x), network[0](x)
    with masks_by(network, [13]):
        assert torch.equal(network(x[:1])[0], whole[3])
    assert not torch.equal(first[0], first[1])  # samples differ, and so do layers
    assert {0.0, 4.0} == set(whole.unique().tolist()) and {0.0, 2.0} == set(first.unique().tolist())
    share = (whole != 0).double().mean()
    assert 0.2 < share < 0.3  # of two independent masks of one half
    assert torch.equal(network(x), x)


def test_all_can_be_dropped() -> None:
    layer = Dropout(1.0).eval()
    with masks_by(layer, [0, 1]):
        assert not layer(torch.ones(2, 9)).any()


def test_pixel_noise_is_new_in_training_and_fixed_afterwards() -> None:
    layer, x = PixelNoise(3, 4, 5), torch.zeros(2, 3, 4, 5)
    assert not layer(x).any()  # the strengths start at 0
    nn.init.constant_(layer.strength, 2.0)
    assert not torch.equal(layer(x), layer(x))
    layer.eval()
    assert torch.equal(layer(x), 2 * layer.fixed.expand(2, 3, 4, 5))
    assert "fixed" in layer.state_dict()


def test_how_much_noise_there_is_of_pixels() -> None:
    layer, x = PixelNoise(2, 4, 4).eval(), torch.randn(3, 2, 4, 4)
    nn.init.constant_(layer.strength, 0.7)
    whole = layer(x)
    with noise_by(nn.Sequential(layer), 0.5) as n:
        torch.testing.assert_close(layer(x), x + 0.35 * layer.fixed)
    assert n == 1 and torch.equal(layer(x), whole)
    with noise_by(layer, 0):
        assert torch.equal(layer(x), x)
