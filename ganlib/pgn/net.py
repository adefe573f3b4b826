"""An encoder of frames, an LSTM over their codes and a decoder of the next one; and a
discriminator with an encoder and an LSTM of its own.

The kinds of layers are the paper's; their sizes are this project's.
"""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from math import prod
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from ganlib.common.data import DataSpec, Shape
from ganlib.common.errors import UserError
from ganlib.common.init import init_glorot_uniform
from ganlib.common.layers import LEAK
from ganlib.common.net import Architectures, Generator, NetConfig, scaled

HALVINGS = 3
"""How often the encoder halves a frame; its sides are multiples of 2^3."""

GAIN = 2**0.5
"""Of the first weights of convolutions and linear layers: what goes through them keeps its size.
"""
State = tuple[Tensor, Tensor]
"""h and c of an LSTM, (N, units) each."""


class PgnConfig(NetConfig, Protocol):
    """What `build` reads of the settings."""

    @property
    def lam_adv(self) -> float: ...


def encoder(frame: Shape, ch: int) -> nn.Sequential:
    """Frames (N, C, H, W) -> codes (N, 4 ch H/8 W/8)."""
    widths = [frame[0], *(ch << k for k in range(HALVINGS))]
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(widths):
        layers += [nn.Conv2d(n_in, n_out, 4, 2, 1), nn.LeakyReLU(LEAK)]
    return nn.Sequential(*layers, nn.Flatten())


def bottom_of(frame: Shape, ch: int) -> Shape:
    """The shape of a code before it is flattened."""
    _, height, width = frame
    return ch << (HALVINGS - 1), height >> HALVINGS, width >> HALVINGS


def decoder(frame: Shape, ch: int, units: int) -> nn.Sequential:
    """States (N, units) -> frames (N, C, H, W) in [-1, 1]."""
    bottom = bottom_of(frame, ch)
    widths = [ch << k for k in reversed(range(HALVINGS))]
    layers: list[nn.Module] = [
        nn.Linear(units, prod(bottom)),
        nn.LeakyReLU(LEAK),
        nn.Unflatten(1, bottom),
    ]
    for n_in, n_out in pairwise([*widths, ch]):
        layers += [nn.Upsample(scale_factor=2), nn.Conv2d(n_in, n_out, 3, padding=1)]
        layers.append(nn.LeakyReLU(LEAK))
    return nn.Sequential(*layers, nn.Conv2d(ch, frame[0], 3, padding=1), nn.Tanh())


class Memory(nn.Module):
    """An LSTM over the codes of frames; it starts at 0."""

    def __init__(self, frame: Shape, ch: int, units: int) -> None:
        super().__init__()
        self.channels = frame[0]
        self.encoder = encoder(frame, ch)
        self.cell = nn.LSTMCell(prod(bottom_of(frame, ch)), units)

    def codes(self, frames: Tensor) -> Sequence[Tensor]:
        """Of frames (N, T * C, H, W), the oldest first, T codes (N, k)."""
        each = frames.unflatten(1, (-1, self.channels))
        codes: Tensor = self.encoder(each.flatten(0, 1))
        return codes.unflatten(0, each.shape[:2]).unbind(1)

    def forward(self, codes: Sequence[Tensor]) -> State:
        """The state after all codes."""
        first, *others = codes
        state: State = self.cell(first)
        for code in others:
            state = self.cell(code, state)
        return state


class PredictiveGenerator(Generator):
    """Past frames (N, k C, H, W) to the next ones. No noise, and as many past ones as there are."""

    def __init__(self, frame: Shape, frames: int, ch: int, units: int) -> None:
        super().__init__(n_hidden=0, latent="normal")
        self.frames = frames
        self.memory = Memory(frame, ch, units)
        self.decoder = decoder(frame, ch, units)
        init_glorot_uniform(self, GAIN)

    def roll_out(self, y: Tensor, steps: int) -> Tensor:
        """The next `steps` frames, (N, steps * C, H, W): each prediction is the newest past frame
        of the following one.
        """
        state = self.memory(self.memory.codes(y))
        frames: list[Tensor] = [self.decoder(state[0])]
        while len(frames) < steps:
            (code,) = self.memory.codes(frames[-1])
            state = self.memory.cell(code, state)
            frames.append(self.decoder(state[0]))
        return torch.cat(frames, 1)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """As many of the next frames as an image of the data holds; z is (N, 0)."""
        assert y is not None
        return self.roll_out(y, self.frames)


class PredictiveDiscriminator(nn.Module):
    """Judges each frame by the state that the frames before it left, and by its own code."""

    def __init__(self, frame: Shape, ch: int, units: int) -> None:
        super().__init__()
        self.memory = Memory(frame, ch, units)
        code = prod(bottom_of(frame, ch))
        self.verdict = nn.Sequential(
            nn.Linear(units + code, units),
            nn.LeakyReLU(LEAK),
            nn.Linear(units, units),
            nn.LeakyReLU(LEAK),
            nn.Linear(units, 1),
        )
        init_glorot_uniform(self, GAIN)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Next frames (N, n C, H, W) after past ones (N, k C, H, W) to logits (N, n). What lies
        before the second next frame is the first one, real or not, and so on.
        """
        state = self.memory(self.memory.codes(y))
        first, *others = codes = self.memory.codes(x)
        logits: list[Tensor] = [self.verdict(torch.cat([state[0], first], 1))]
        for before, code in zip(codes, others, strict=False):
            state = self.memory.cell(before, state)
            logits.append(self.verdict(torch.cat([state[0], code], 1)))
        return torch.cat(logits, 1)


class Sizes(NamedTuple):
    """ch: channels of the first convolution; units: of the LSTMs and of D's hidden layers."""

    ch: int
    units: int


def networks(sizes: Sizes, config: PgnConfig, spec: DataSpec) -> dict[str, nn.Module]:
    """Networks of these sizes, times the settings' width; without a weight of its verdict there is
    no D.
    """
    frame = frame_of(spec)
    ch, units = (scaled(n, config.width) for n in sizes)
    found: dict[str, nn.Module] = {"gen": PredictiveGenerator(frame, spec.frames, ch, units)}
    if config.lam_adv:
        found["dis"] = PredictiveDiscriminator(frame, ch, units)
    return found


def frame_of(spec: DataSpec) -> Shape:
    """(C, H, W) of one frame; UserError where past and next ones are not alike."""
    channels, height, width = spec.image
    assert spec.source is not None
    past = (spec.source[0] // spec.source_frames, *spec.source[1:])
    frame = (channels // spec.frames, height, width)
    if spec.source_kind != "image" or past != frame:
        raise UserError(
            "pgn predicts the frames that follow others, and these are of "
            f"{_words(frame)}, their sources of {_words(past)}: give sequences, such as --dataset "
            "moving."
        )
    return frame


def _words(frame: Shape) -> str:
    channels, height, width = frame
    return f"{width}x{height} pixels and {channels} channel{'s' if channels > 1 else ''}"


build = Architectures(
    pgn=partial(networks, Sizes(ch=32, units=1024)),
    quick=partial(networks, Sizes(ch=16, units=256)),
)
