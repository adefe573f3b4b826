"""common/layers/conditional.py: against plain batch normalisation, a class at a time."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlib.common.layers import BatchNorm2d
from ganlib.common.layers.conditional import ClassBatchNorm2d, VectorBatchNorm2d


def layer(n_classes: int = 3) -> ClassBatchNorm2d:
    """With rows that differ."""
    torch.manual_seed(0)
    norm = ClassBatchNorm2d(4, n_classes).double()
    nn.init.normal_(norm.gains.weight)
    nn.init.normal_(norm.betas.weight)
    return norm


def images(n: int = 6) -> Tensor:
    return 2 * torch.randn(n, 4, 5, 5, dtype=torch.float64) + 1


def class_by_class(norm: ClassBatchNorm2d, x: Tensor, y: Tensor) -> Tensor:
    """The whole batch by a plain layer with the affine of each class, and of that its images."""
    result = torch.full_like(x, torch.nan)
    for c in range(norm.gains.num_embeddings):
        plain = BatchNorm2d(4).double()
        plain.load_state_dict(
            {
                **norm.norm.state_dict(),
                "weight": norm.gains.weight[c],
                "bias": norm.betas.weight[c],
            }
        )
        plain.train(norm.training)
        result[y == c] = plain(x)[y == c]
    return result


def test_classes_have_affines_of_their_own_and_share_statistics() -> None:
    norm, x, y = layer(), images(), torch.tensor([2, 0, 1, 1, 0, 2])
    expected = class_by_class(norm, x, y)
    torch.testing.assert_close(norm(x, y), expected)
    parts = torch.empty_like(x)
    for c in range(3):  # not the same as batches of one class each
        parts[y == c] = F.batch_norm(x[y == c], None, None, training=True)
    assert not torch.allclose(norm(x, y) / norm.gains(y)[:, :, None, None], parts)
    norm.eval()
    torch.testing.assert_close(norm(x, y), class_by_class(norm, x, y))


def test_running_statistics_are_those_of_the_whole_batch() -> None:
    norm, plain, x = layer(), BatchNorm2d(4).double(), images()
    norm(x, torch.tensor([2, 0, 1, 1, 0, 2]))
    plain(x)
    torch.testing.assert_close(norm.norm.running_mean, plain.running_mean)
    torch.testing.assert_close(norm.norm.running_var, plain.running_var)
    assert (norm.norm.eps, norm.norm.momentum) == (2e-5, 0.1)


def test_it_starts_as_normalisation_alone() -> None:
    norm, x = ClassBatchNorm2d(4, 3), images().float()
    plain = F.batch_norm(x, None, None, training=True, eps=2e-5)
    torch.testing.assert_close(norm(x, torch.tensor([0, 1, 2, 0, 1, 2])), plain)
    assert sum(p.numel() for p in norm.parameters()) == 2 * 3 * 4


def test_classes_in_parts_are_their_numbers_or_lie_between() -> None:
    norm, x, y = layer(), images(), torch.tensor([2, 0, 1, 1, 0, 2])
    parts = F.one_hot(y, 3).double()
    torch.testing.assert_close(norm(x, parts), norm(x, y))
    half = norm(x, (parts + parts.roll(1, 1)) / 2)
    torch.testing.assert_close(half, (norm(x, y) + norm(x, (y + 1) % 3)) / 2)


def test_gradients_reach_the_rows_of_the_classes_that_are_there() -> None:
    norm, x = layer(), images(4).requires_grad_()
    y = torch.tensor([0, 2, 2, 0])
    weights = [norm.gains.weight, norm.betas.weight]
    found = torch.autograd.grad(norm(x, y).square().sum(), [x, *weights])
    assert all(g.isfinite().all() for g in found)
    assert [row.any().item() for row in found[1]] == [True, False, True]
    assert [row.any().item() for row in found[2]] == [True, False, True]


def test_half_precision_stays_half() -> None:
    norm, x = layer().float(), images().bfloat16()
    y = torch.tensor([2, 0, 1, 1, 0, 2])
    with torch.autocast("cpu", torch.bfloat16):
        half = norm(x, y)
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), norm(x.float(), y), rtol=0.03, atol=0.03)


def test_gains_and_biases_of_vectors() -> None:
    torch.manual_seed(0)
    norm, x, told = VectorBatchNorm2d(4, 3).double(), images(), torch.randn(6, 3).double()
    mean = x.mean((0, 2, 3), keepdim=True)
    std = (x.var((0, 2, 3), correction=0, keepdim=True) + 1e-5).sqrt()
    for _ in range(200):  # the power iterations arrive
        found = norm(x, told)
    weights = [layer.weight.detach() for layer in (norm.gain, norm.beta)]
    gain, beta = (told @ (w / torch.linalg.matrix_norm(w, 2)).mT for w in weights)
    expected = (x - mean) / std * (1 + gain)[:, :, None, None] + beta[:, :, None, None]
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(
        norm.norm.running_mean.double(), mean.flatten(), rtol=1e-6, atol=1e-6
    )


def test_vectors_of_zeros_leave_normalisation_alone() -> None:
    norm, x = VectorBatchNorm2d(4, 3), images().float()
    plain = F.batch_norm(x, None, None, training=True, eps=1e-5)
    torch.testing.assert_close(norm(x, torch.zeros(6, 3)), plain)
