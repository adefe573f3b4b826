"""Harms to images, by hand."""

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from scipy.ndimage import gaussian_filter

from scripts import harms


@pytest.mark.parametrize("std", [0.4, 0.6])
def test_blurring_is_scipys(std: float) -> None:
    x = torch.rand(2, 1, 7, 9)
    found = harms.blurred(x, std)
    for image, blurred in zip(x[:, 0].numpy(), found[:, 0].numpy(), strict=True):
        wanted = gaussian_filter(image, std, mode="constant", radius=2)
        np.testing.assert_allclose(blurred, wanted, atol=1e-6)


def test_a_net_turns_from_pixel_to_pixel() -> None:
    found = harms.net(torch.zeros(1, 1, 4, 6))
    assert found.tolist()[0] == [1, -1, 1, -1, 1, -1]
    assert (found[1:] == -found[:-1]).all() and float(found.sum()) == 0


def test_black_alone_is_lifted_and_things_alone_are_netted() -> None:
    x = torch.zeros(1, 1, 4, 4)
    x[..., :2] = 100
    lifted = harms.HARMS["black is 0 to 3 at random"](x)
    assert (lifted[..., :2] == 100).all() and set(lifted[..., 2:].unique().tolist()) <= {0, 1, 2, 3}
    netted = harms.HARMS["the same where not black"](x)
    assert (netted[..., 2:] == 0).all() and set(netted[..., :2].unique().tolist()) == {94, 106}


def test_one_image_has_no_spread() -> None:
    result = CliRunner().invoke(harms.main, ["1"])
    assert result.exit_code == 2 and "1 is not in the range" in result.output
