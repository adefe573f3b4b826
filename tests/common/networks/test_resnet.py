"""common/networks/resnet.py: blocks, written out once more, and networks of them."""

from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ganlib.common.layers.conditional import ClassBatchNorm2d
from ganlib.common.layers.spectral_norm import SNConv2d
from ganlib.common.layers.weight_norm import WNConv2d, initialize_from
from ganlib.common.networks.resnet import (
    ClassResNetGenerator,
    DisBlock,
    GenBlock,
    OptimizedDisBlock,
    ResNetFeatures,
    ResNetGenerator,
    WideDisBlock,
    global_mean,
)


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


class _Doubled(nn.Conv2d):
    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return 2 * super().forward(input)


def _hooked(*args: int, **kwargs: int) -> nn.Module:
    conv = nn.Conv2d(*args, **kwargs)
    conv.register_forward_pre_hook(lambda _, inputs: (inputs[0] + 1,))
    return conv


OF_THEIR_OWN = {
    "forward": _Doubled,
    "hook": _hooked,
    "padding": partial(nn.Conv2d, padding_mode="circular"),
    "groups": partial(nn.Conv2d, groups=2),
    "network": lambda *args, **kwargs: nn.Sequential(nn.Conv2d(*args, **kwargs), nn.Tanh()),
}


@pytest.mark.parametrize("conv", OF_THEIR_OWN.values(), ids=OF_THEIR_OWN)
def test_blocks_call_a_convolution_that_does_more_than_multiply(conv: Any) -> None:
    torch.manual_seed(0)
    gen, dis = GenBlock(4, 6, conv=conv), DisBlock(4, 6, 2, conv=conv)
    x = torch.randn(2, 4, 4, 4)
    h = F.relu(F.batch_norm(x, None, None, training=True, eps=2e-5))
    h = gen.c1(F.interpolate(h, scale_factor=2))
    h = gen.c2(F.relu(F.batch_norm(h, None, None, training=True, eps=2e-5)))
    torch.testing.assert_close(gen(x), h + F.interpolate(gen.c_sc(x), scale_factor=2))
    h = F.avg_pool2d(dis.c2(F.relu(dis.c1(F.relu(x)))), 2)
    torch.testing.assert_close(dis(x), h + dis.c_sc(F.avg_pool2d(x, 2)))
    first = OptimizedDisBlock(4, 6, conv)
    h = F.avg_pool2d(first.c2(F.relu(first.c1(x))), 2)
    torch.testing.assert_close(first(x), h + first.c_sc(F.avg_pool2d(x, 2)))


def test_layers_of_a_block_start_from_data() -> None:
    torch.manual_seed(0)
    block = DisBlock(3, 4, 2, conv=WNConv2d)
    initialize_from(block, torch.randn(8, 3, 8, 8))
    assert not torch.equal(block.c2.bias, torch.zeros(4))


def test_a_shortcut_has_weights_whenever_the_size_changes() -> None:
    assert isinstance(DisBlock(3, 4).c_sc, nn.Conv2d)
    assert isinstance(DisBlock(3, 3, down=2).c_sc, nn.Conv2d)
    assert isinstance(GenBlock(3, 3).c_sc, nn.Conv2d)


def test_blocks_take_another_convolution_and_hidden_size() -> None:
    block = DisBlock(3, 5, down=2, hidden=7, conv=SNConv2d)
    assert all(isinstance(c, SNConv2d) for c in (block.c1, block.c2, block.c_sc))
    assert block.c1.out_channels == 7
    assert block(torch.randn(1, 3, 4, 4)).shape == (1, 5, 2, 2)
    wide = WideDisBlock(3, 5, 2, SNConv2d)
    assert [c.out_channels for c in (wide.c1, wide.c2, wide.c_sc)] == [5, 5, 5]
    assert wide(torch.randn(1, 3, 4, 4)).shape == (1, 5, 2, 2)


def test_blocks_start_as_glorot_says() -> None:
    torch.manual_seed(0)
    block = DisBlock(64, 64, down=2)
    bound = (2 * 6 / (2 * 64 * 9)) ** 0.5
    assert block.c1.weight.abs().max().item() == pytest.approx(bound, rel=1e-3)
    assert block.c_sc.weight.abs().max().item() == pytest.approx((6 / 128) ** 0.5, rel=1e-2)
    assert not block.c1.bias.any() and not block.c_sc.bias.any()


def test_generators_blocks_double_the_size_and_change_the_channels() -> None:
    torch.manual_seed(0)
    gen = ResNetGenerator((3, 16, 32), [8, 6, 4])
    h = gen.l1(z := gen.make_hidden(2)).reshape(2, 8, 4, 8)
    shapes = []
    for block in gen.blocks:
        shapes.append((h := block(h)).shape[1:])
    assert shapes == [(6, 8, 16), (4, 16, 32)]
    h = F.relu(F.batch_norm(h, None, None, training=True, eps=2e-5))
    torch.testing.assert_close(gen(z), torch.tanh(gen.c5(h)))


def test_a_generators_blocks_are_told_of_classes() -> None:
    """With the class's row as the affine of plain batch normalisation it is the plain generator."""
    torch.manual_seed(0)
    told, plain = (
        kind((1, 8, 8), [4, 3], **more)
        for kind, more in ((ClassResNetGenerator, {"n_classes": 3}), (ResNetGenerator, {}))
    )
    norms = [m for m in told.modules() if isinstance(m, ClassBatchNorm2d)]
    assert len(norms) == 2
    for norm in norms:
        nn.init.normal_(norm.gains.weight)
        nn.init.normal_(norm.betas.weight)
    z = told.make_hidden(4)
    images = []
    for c in range(3):
        weights = {k: v for k, v in told.state_dict().items() if k in plain.state_dict()}
        for name in ("blocks.0.b1", "blocks.0.b2"):
            norm = told.get_submodule(name)
            weights |= {f"{name}.{k}": v for k, v in norm.norm.state_dict().items()}
            weights |= {
                f"{name}.weight": norm.gains.weight[c],
                f"{name}.bias": norm.betas.weight[c],
            }
        plain.load_state_dict(weights)
        images.append(told(z, torch.full((4,), c)))
        torch.testing.assert_close(images[-1], plain(z))
    assert not torch.allclose(images[0], images[1])


def test_features_first_blocks_halve_the_size() -> None:
    torch.manual_seed(0)
    features, x = ResNetFeatures(3, [4, 6, 8], down=2), torch.randn(2, 3, 8, 8)
    kinds = [(type(b), b.c2.out_channels, b(h).shape[2]) for b, h in through(features.blocks, x)]
    assert kinds == [(OptimizedDisBlock, 4, 4), (DisBlock, 6, 2), (DisBlock, 8, 2)]
    torch.testing.assert_close(features(x), F.relu(features.blocks(x)).sum((2, 3)))
    mean = ResNetFeatures(3, [4, 6], 1, pool=global_mean, block=WideDisBlock)
    assert type(mean.blocks[1]) is WideDisBlock
    torch.testing.assert_close(mean(x), F.relu(mean.blocks(x)).mean((2, 3)))


def through(blocks: nn.Sequential, x: torch.Tensor) -> list[tuple[nn.Module, torch.Tensor]]:
    """Each block with what goes into it."""
    pairs = []
    for block in blocks:
        pairs.append((block, x))
        x = block(x)
    return pairs
