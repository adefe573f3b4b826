"""Slerp, segments and latent arithmetic against values worked out by hand."""

import math

import pytest
import torch

from ganlib.sampling.interpolation import signed_sum, slerp, spherical, straight

X, Y = torch.tensor([1.0, 0, 0]), torch.tensor([0, 1.0, 0])
HALF = torch.tensor([0.5])


def test_halfway_between_orthogonal_unit_vectors() -> None:
    expected = torch.tensor([[math.sqrt(0.5), math.sqrt(0.5), 0]])
    torch.testing.assert_close(slerp(X, Y, HALF), expected)


def test_a_third_of_the_way_is_a_third_of_the_angle() -> None:
    expected = torch.tensor([[math.cos(math.pi / 6), math.sin(math.pi / 6), 0]])
    torch.testing.assert_close(slerp(X, Y, torch.tensor([1 / 3])), expected)


def test_ends_are_exact() -> None:
    a, b = torch.randn(2, 128, generator=torch.Generator().manual_seed(0))
    path = slerp(a, b, torch.tensor([0.0, 0.5, 1.0]))
    assert torch.equal(path[0], a) and torch.equal(path[2], b)


def test_lengths_lie_between_those_of_the_ends() -> None:
    lengths = slerp(X, 3 * Y, torch.linspace(0, 1, 9)).norm(dim=1)
    assert (lengths.diff() > 0).all()
    assert lengths[0] == 1 and lengths[-1] == 3
    lengths = slerp(X, (X + Y) / math.sqrt(2), torch.linspace(0, 1, 9)).norm(dim=1)
    torch.testing.assert_close(lengths, torch.ones(9))


@pytest.mark.parametrize("b", [X, 2 * X, -X, 0 * X, X * (1 + 1e-7)])
def test_a_straight_line_where_there_is_no_great_circle(b: torch.Tensor) -> None:
    path = slerp(X, b, torch.tensor([0, 0.5, 1]))
    torch.testing.assert_close(path, torch.stack([X, (X + b) / 2, b]))


def test_there_is_a_segment_for_each_pair() -> None:
    z = torch.stack([X, Y, -X])
    path = spherical(z, 5, "normal")
    assert path.shape == (2, 5, 3)
    assert torch.equal(path[:, 0], z[:-1]) and torch.equal(path[:, -1], z[1:])


def test_uniform_latents_stay_in_the_box() -> None:
    a, b = torch.tensor([1.0, 1, 0]), torch.tensor([1.0, 0, 1])
    path = slerp(a, b, HALF)[0]
    assert path[0] > 1
    torch.testing.assert_close(
        spherical(torch.stack([a, b]), 3, "uniform")[0, 1],
        torch.stack([path[0] * 0 + 1, *path[1:]]),
    )


def test_sum_of_normal_latents_is_as_long_as_they_are() -> None:
    z = torch.stack([3 * X, 4 * Y, torch.tensor([0, 0, 5.0])])
    total = signed_sum(z, torch.tensor([1, -1, 1]), "normal")
    assert float(total.norm()) == pytest.approx(math.sqrt((9 + 16 + 25) / 3))
    torch.testing.assert_close(total / total.norm(), torch.tensor([3, -4, 5]) / math.sqrt(50))


def test_sum_keeps_the_expected_length() -> None:
    z = torch.randn(3, 10_000, generator=torch.Generator().manual_seed(0))
    total = signed_sum(z, torch.tensor([1, -1, 1]), "normal")
    assert float(total.norm()) == pytest.approx(100, rel=0.02)


@pytest.mark.parametrize("latent", ["normal", "uniform"])
def test_sum_of_one_is_itself(latent: str) -> None:
    z = torch.tensor([[0.3, -0.9, 0.1]])
    torch.testing.assert_close(signed_sum(z, torch.tensor([1]), latent), z[0])  # type: ignore[arg-type]


def test_sum_of_uniform_latents_is_clamped() -> None:
    z = torch.tensor([[0.5, 0.9, -0.2], [0.1, -0.9, 0.9]])
    total = signed_sum(z, torch.tensor([1, -1]), "uniform")
    torch.testing.assert_close(total, torch.tensor([0.4, 1.0, -1.0]))


def test_terms_that_cancel_out_are_refused() -> None:
    with pytest.raises(ValueError, match="cancel"):
        signed_sum(torch.stack([X, X]), torch.tensor([1, -1]), "normal")
    assert not signed_sum(torch.stack([X, X]), torch.tensor([1, -1]), "uniform").any()


def test_codes_are_joined_by_lines() -> None:
    codes = torch.tensor([[[0.0, 4.0]], [[2.0, 0.0]], [[2.0, 1.0]]])  # of two axes
    expected = [[[[0, 4]], [[1, 2]], [[2, 0]]], [[[2, 0]], [[2, 0.5]], [[2, 1]]]]
    assert straight(codes, 3).tolist() == expected
