"""Batch normalisation in sampling, against PyTorch's own."""

import torch
from torch import nn
from torch.optim.swa_utils import update_bn

from ganlib.training.samples.bn_statistics import of_each_image, of_the_batch, standing


def network() -> nn.Sequential:
    torch.manual_seed(0)
    layers = (nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Unflatten(1, (3, 1, 2)))
    return nn.Sequential(*layers, nn.BatchNorm2d(3, momentum=0.3))


def test_standing_statistics_are_those_of_update_bn() -> None:
    gen, batches = network(), torch.randn(7, 5, 4)
    before = {name: t.clone() for name, t in gen.state_dict().items()}
    copy = standing(gen, lambda copy, k: copy(batches[k]), 7)
    assert all(torch.equal(t, before[name]) for name, t in gen.state_dict().items())
    update_bn(batches, gen)
    for name in ("1.running_mean", "1.running_var", "4.running_mean", "4.running_var"):
        torch.testing.assert_close(copy.state_dict()[name], gen.state_dict()[name])
    torch.testing.assert_close(copy(batches[0]), gen.eval()(batches[0]))


def test_a_batch_in_passes_has_the_statistics_of_the_whole() -> None:
    """Exactly where nothing is normalised before; behind it, as near as passes are alike."""
    gen, batches = network(), torch.randn(3, 256, 4)
    passes = batches.reshape(12, 64, 4)
    whole = standing(gen, lambda copy, k: copy(batches[k]), 3).state_dict()
    parted = standing(gen, lambda copy, k: copy(passes[k]), 3, 4).state_dict()
    for name in ("1.running_mean", "1.running_var"):
        torch.testing.assert_close(parted[name], whole[name], rtol=1e-5, atol=1e-6)
    for name in ("4.running_mean", "4.running_var"):
        torch.testing.assert_close(parted[name], whole[name], rtol=0.02, atol=0.02)
        assert not torch.equal(parted[name], whole[name])


def test_statistics_of_the_batch_are_those_of_training_and_move_nothing() -> None:
    gen, x = network(), torch.randn(5, 4)
    before = {name: t.clone() for name, t in gen.state_dict().items()}
    gen.eval()
    with of_the_batch(gen):
        found = gen(x)
    assert all(torch.equal(t, before[name]) for name, t in gen.state_dict().items())
    torch.testing.assert_close(found, gen.train()(x))


def test_statistics_of_each_image_are_those_of_training_in_batches_of_one() -> None:
    torch.manual_seed(0)
    layers = nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.BatchNorm2d(4, affine=False)
    gen, x = nn.Sequential(*layers), torch.randn(5, 2, 6, 7)
    nn.init.normal_(layers[1].weight)
    nn.init.normal_(layers[1].bias)
    before = {name: t.clone() for name, t in gen.state_dict().items()}
    plain = gen.eval()(x)
    with of_each_image(gen):
        found = gen(x)
    assert torch.equal(gen(x), plain) and not torch.allclose(found, plain, atol=1e-2)
    assert all(torch.equal(t, before[name]) for name, t in gen.state_dict().items())
    torch.testing.assert_close(found, torch.cat([gen.train()(row) for row in x.split(1)]))
