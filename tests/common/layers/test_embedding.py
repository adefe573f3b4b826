"""Classes as numbers and as parts of classes."""

import torch

from ganlib.common.layers.basic import ClassEmbedding, one_hot


def test_one_hot_is_pytorchs_and_lets_parts_of_classes_through() -> None:
    y = torch.tensor([2, 0, 1])
    like = torch.empty(0, dtype=torch.float64)
    assert torch.equal(one_hot(y, 4, like), torch.nn.functional.one_hot(y, 4).double())
    parts = torch.tensor([[0.25, 0.75]])
    assert torch.equal(one_hot(parts, 2, like), parts.double())


def test_halfway_between_two_classes_lies_the_mean_of_their_vectors() -> None:
    classes = ClassEmbedding(3, 5)
    a, b = classes(torch.tensor([0, 2]))
    half = classes(torch.tensor([[0.5, 0, 0.5]]))
    torch.testing.assert_close(half[0], (a + b) / 2)
