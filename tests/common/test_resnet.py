"""common/resnet.py: blocks, written out once more."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ganlib.common.resnet import DisBlock, GenBlock, OptimizedDisBlock
from ganlib.common.spectral_norm import SNConv2d


def test_gen_block() -> None:
    torch.manual_seed(0)
    block, x = GenBlock(3, 4), torch.randn(2, 3, 4, 4)
    up = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
    h = F.relu(F.batch_norm(x, None, None, training=True, eps=2e-5))
    h = block.c1(h.repeat_interleave(2, 2).repeat_interleave(2, 3))
    h = block.c2(F.relu(F.batch_norm(h, None, None, training=True, eps=2e-5)))
    torch.testing.assert_close(block(x), h + block.c_sc(up))
    assert (block.c1.out_channels, block.c_sc.kernel_size) == (4, (1, 1))


def test_dis_block() -> None:
    torch.manual_seed(0)
    block, x = DisBlock(3, 4, down=2), torch.randn(2, 3, 4, 4)
    h = F.avg_pool2d(block.c2(F.relu(block.c1(F.relu(x)))), 2)
    torch.testing.assert_close(block(x), h + F.avg_pool2d(block.c_sc(x), 2))
    assert (block.c1.out_channels, block.c_sc.kernel_size) == (3, (1, 1))


def test_dis_block_with_an_identity_shortcut() -> None:
    torch.manual_seed(0)
    block, x = DisBlock(3, 3), torch.randn(2, 3, 4, 4)
    torch.testing.assert_close(block(x), x + block.c2(F.relu(block.c1(F.relu(x)))))
    assert len(list(block.parameters())) == 4


def test_optimized_dis_block() -> None:
    torch.manual_seed(0)
    block, x = OptimizedDisBlock(3, 4), torch.randn(2, 3, 4, 4)
    h = F.avg_pool2d(block.c2(F.relu(block.c1(x))), 2)
    torch.testing.assert_close(block(x), h + block.c_sc(F.avg_pool2d(x, 2)))


def test_a_shortcut_has_weights_whenever_the_size_changes() -> None:
    assert isinstance(DisBlock(3, 4).c_sc, nn.Conv2d)
    assert isinstance(DisBlock(3, 3, down=2).c_sc, nn.Conv2d)
    assert isinstance(GenBlock(3, 3).c_sc, nn.Conv2d)
    assert isinstance(GenBlock(3, 3, up=1).c_sc, nn.Identity)


def test_blocks_take_another_convolution_and_hidden_size() -> None:
    block = DisBlock(3, 5, down=2, hidden=7, conv=SNConv2d)
    assert all(isinstance(c, SNConv2d) for c in (block.c1, block.c2, block.c_sc))
    assert block.c1.out_channels == 7
    assert GenBlock(3, 5, hidden=7).b2.num_features == 7
    assert block(torch.randn(1, 3, 4, 4)).shape == (1, 5, 2, 2)


def test_blocks_start_as_glorot_says() -> None:
    torch.manual_seed(0)
    block = DisBlock(64, 64, down=2)
    bound = (2 * 6 / (2 * 64 * 9)) ** 0.5
    assert block.c1.weight.abs().max().item() == pytest.approx(bound, rel=1e-3)
    assert block.c_sc.weight.abs().max().item() == pytest.approx((6 / 128) ** 0.5, rel=1e-2)
    assert not block.c1.bias.any() and not block.c_sc.bias.any()
