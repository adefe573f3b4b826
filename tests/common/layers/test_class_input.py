"""common/layers/conditional.py: the generator within sees z and the class behind it."""

import torch

from ganlib.common.layers.conditional import ClassInput
from ganlib.common.networks.dcgan import DCGANGenerator


def test_the_class_is_the_last_of_the_latents() -> None:
    torch.manual_seed(0)
    inner = DCGANGenerator((1, 8, 8), n_hidden=7, ch=8)
    gen = ClassInput(inner, 3)
    assert (gen.n_hidden, gen.latent) == (4, "uniform")
    z = gen.make_hidden(2)
    expected = inner(torch.tensor([[*z[0], 0, 0, 1], [*z[1], 1, 0, 0]]))
    torch.testing.assert_close(gen(z, torch.tensor([2, 0])), expected)
    torch.testing.assert_close(gen(z, torch.tensor([[0.0, 0, 1], [1, 0, 0]])), expected)
