"""A discriminator of patches: one logit for each of many overlapping squares of an image.

PatchGAN: Isola et al. 2017, section 3.2.2, https://arxiv.org/abs/1611.07004
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from ganlib.common.generator import scaled
from ganlib.common.layers import LEAK, Factory

KERNEL = 4


class PatchDiscriminator(nn.Module):
    """Convolutions 4x4 with padding: ch channels (without norm), then as many of 2 ch, 4 ch, 8 ch
    and no more as n_layers says, of which the last has stride 1, as that to the logit has. Or, with
    n_layers 0, 1x1 convolutions: every pixel is judged alone, the paper's PixelGAN.

    channels: of all that it is shown. norm: of a number of channels; bias: of the convolutions
    before a norm, which batch normalisation and instance normalisation cancel.
    """

    def __init__(
        self,
        channels: int,
        norm: Factory,
        ch: int = 64,
        n_layers: int = 3,
        bias: bool = False,
        padding: int = 1,
    ) -> None:
        super().__init__()
        widths = [scaled(ch, 2 ** min(i, 3)) for i in range(max(1, n_layers) + 1)]
        kernel, padding, stride = (KERNEL, padding, 2) if n_layers else (1, 0, 1)
        layers: list[nn.Module] = [
            nn.Conv2d(channels, ch, kernel, stride, padding),
            nn.LeakyReLU(LEAK),
        ]
        for i, (n_in, n_out) in enumerate(pairwise(widths), 1):
            step = stride if i < n_layers else 1
            layers += [
                nn.Conv2d(n_in, n_out, kernel, step, padding, bias=bias),
                norm(n_out),
                nn.LeakyReLU(LEAK),
            ]
        layers.append(nn.Conv2d(widths[-1], 1, kernel, 1, padding))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Images (N, C, H, W), and behind the source y (N, C', H, W) if there is one, to logits
        (N, 1, h, w).
        """
        return self.activations(x, y)[-1]

    def activations(self, x: Tensor, y: Tensor | None = None) -> list[Tensor]:
        """What each leaky ReLU gives, from the first on, and behind them the logits."""
        h, found = x if y is None else torch.cat([y, x], 1), []
        for layer in self.layers:
            h = layer(h)
            if isinstance(layer, nn.LeakyReLU):
                found.append(h)
        return [*found, h]
