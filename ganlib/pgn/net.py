"""An encoder of frames, an LSTM over their codes and a decoder of the next one; and a
discriminator with an encoder and an LSTM of its own.

The kinds of layers are the paper's; their sizes are this project's.
"""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ganlib.common.data import DataSpec, Shape
from ganlib.common.errors import UserError
from ganlib.common.formats.blocks import count
from ganlib.common.generator import Architectures, Generator, scaled
from ganlib.common.layers import LEAK
from ganlib.common.layers.init import init_glorot_uniform

from .config import Config

HALVINGS = 3
"""How often the encoder halves a frame; its sides are multiples of 2^3."""

GAIN = 2**0.5
"""Of the first weights of convolutions and linear layers, which keep the size of what they see."""
State = tuple[Tensor, Tensor]
"""h and c of an LSTM, (N, units) each."""


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


def decoder(frame: Shape, ch: int, n_in: int) -> nn.Sequential:
    """States (N, n_in) -> frames (N, C, H, W) in [-1, 1]."""
    bottom = bottom_of(frame, ch)
    widths = [ch << k for k in reversed(range(HALVINGS))]
    layers: list[nn.Module] = [
        nn.Linear(n_in, prod(bottom)),
        nn.LeakyReLU(LEAK),
        nn.Unflatten(1, bottom),
    ]
    for wide, n_out in pairwise([*widths, ch]):
        layers += [nn.Upsample(scale_factor=2), nn.Conv2d(wide, n_out, 3, padding=1)]
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


class Sequences(NamedTuple):
    """What lies on the channels of sources: frames of shape `frame` = (C, H, W), then for each of
    the `ahead` next frames the `actions` numbers of the action that it follows from.
    """

    frame: Shape
    ahead: int
    actions: int

    def past(self, y: Tensor) -> Tensor:
        """Of sources (N, k C + ahead * actions, H, W) the frames (N, k C, H, W)."""
        return y[:, : y.shape[1] - self.ahead * self.actions]

    def action(self, y: Tensor, step: int) -> Tensor:
        """That before the next frame number `step`, (N, actions); the last one is repeated."""
        # the middle, because borders may be padded
        middle = y[..., y.shape[2] // 2, y.shape[3] // 2]
        actions = middle[:, y.shape[1] - self.ahead * self.actions :]
        first = min(step, self.ahead - 1) * self.actions
        return actions[:, first : first + self.actions]


class PredictiveGenerator(Generator):
    """Past frames, of which there may be any number, to the next ones; there is no noise."""

    entries = ("roll_out",)

    def __init__(self, sequences: Sequences, ch: int, units: int) -> None:
        super().__init__(n_hidden=0, latent="normal")
        self.sequences = sequences
        self.memory = Memory(sequences.frame, ch, units)
        self.decoder = decoder(sequences.frame, ch, units + sequences.actions)
        init_glorot_uniform(self, GAIN)

    def roll_out(self, y: Tensor, steps: int) -> Tensor:
        """The next frames, (N, steps * C, H, W); each is the newest past frame of the next one."""
        state = self.memory(self.memory.codes(self.sequences.past(y)))
        return self.follow(state, [self.sequences.action(y, step) for step in range(steps)])

    def follow(self, state: State, actions: Sequence[Tensor]) -> Tensor:
        """The frames that follow from the state that the past left and from actions (N, actions),
        one for each: (N, len(actions) * C, H, W), each from the predictions before it.
        """
        frames = [self._next(state, actions[0])]
        for action in actions[1:]:
            (code,) = self.memory.codes(frames[-1])
            state = self.memory.cell(code, state)
            frames.append(self._next(state, action))
        return torch.cat(frames, 1)

    def _next(self, state: State, action: Tensor) -> Tensor:
        return self.decoder(torch.cat([state[0], action], 1))

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        """As many of the next frames as an image of the data holds; z is (N, 0)."""
        return self.roll_out(y, self.sequences.ahead)


class PredictiveDiscriminator(nn.Module):
    """Judges each frame by the state that the frames before it left, and by its own code."""

    def __init__(self, sequences: Sequences, ch: int, units: int) -> None:
        super().__init__()
        self.sequences = sequences
        self.memory = Memory(sequences.frame, ch, units)
        code = prod(bottom_of(sequences.frame, ch))
        self.verdict = nn.Sequential(
            nn.Linear(units + sequences.actions + code, units),
            nn.LeakyReLU(LEAK),
            nn.Linear(units, units),
            nn.LeakyReLU(LEAK),
            nn.Linear(units, 1),
        )
        init_glorot_uniform(self, GAIN)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Next frames (N, n C, H, W) after past ones to logits (N, n). What lies before the second
        next frame is the first one, real or not, and so on.
        """
        state = self.memory(self.memory.codes(self.sequences.past(y)))
        codes, logits = self.memory.codes(x), []
        for step, code in enumerate(codes):
            if step:
                state = self.memory.cell(codes[step - 1], state)
            seen = [state[0], self.sequences.action(y, step), code]
            logits.append(self.verdict(torch.cat(seen, 1)))
        return torch.cat(logits, 1)


def networks(config: Config, spec: DataSpec, ch: int, units: int) -> dict[str, nn.Module]:
    """ch: of the first convolution; units: of LSTMs and D's hidden layers. No D if lam_adv is 0."""
    sequences = sequences_of(config, spec)
    ch, units = scaled(ch, config.width), scaled(units, config.width)
    found: dict[str, nn.Module] = {"gen": PredictiveGenerator(sequences, ch, units)}
    if config.lam_adv:
        found["dis"] = PredictiveDiscriminator(sequences, ch, units)
    return found


def sequences_of(config: Config, spec: DataSpec) -> Sequences:
    """What the channels are; UserError where past and next frames are not alike."""
    channels, *size = spec.image
    frame = (channels // spec.frames, size[0], size[1])
    assert spec.source is not None
    past = spec.source[0] - config.actions * spec.frames
    alike = tuple(spec.source[1:]) == frame[1:] and past > 0 and past % frame[0] == 0
    counted = config.actions or past == spec.source_frames * frame[0]
    if spec.source_kind != "image" or not alike or not counted:
        many = count(spec.source_frames, "frame", "frames")
        told = f", the last {config.actions * spec.frames} for actions" if config.actions else ""
        raise UserError(
            f"pgn predicts the frames that follow others, and these are of {_words(frame)}, and "
            f"their sources {many} in {_words(spec.source)}{told}: give sequences, such as "
            "--dataset moving, or pushed with --actions 2."
        )
    return Sequences(frame, spec.frames, config.actions)


def _words(frame: Shape) -> str:
    channels, height, width = frame
    return f"{width}x{height} pixels and {count(channels, 'channel', 'channels')}"


build = Architectures(
    pgn=partial(networks, ch=32, units=1024),
    quick=partial(networks, ch=16, units=256),
)
