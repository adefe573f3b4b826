"""What methods that predict frames show: sequences as they are predicted, beside what came."""

import torch
from torch import Tensor
from torch.nn.functional import pad

from ganlib.common.data import DataSet
from ganlib.common.generator import Generator
from ganlib.common.pictures import to_uint8
from ganlib.common.seeds import generator
from ganlib.common.sources.futures import future
from ganlib.evaluation.pairs.frames import STEPS
from ganlib.training.samples.sample_stream import SampleStream
from ganlib.training.scores.pairs import has_pairs
from ganlib.training.updater import Updater

SHOWN = 6
"""How many sequences."""
FRAME, GREY = (1, 1, 1, 1), 128
"""Pixels of a border on each side, and the colour of one around what is predicted."""


class Predicting(Updater):
    """An updater whose samples are the frames that follow those of their sources, and that can go
    on from there: its roll-outs are shown beside what came, and scored, see frames.py.
    """

    def roll_out(self, gen: Generator, y: Tensor, steps: int) -> Tensor:
        """The next `steps` frames after sources (n, C', H, W): (n, steps * C, H, W) in [-1, 1]."""
        raise TypeError(f"{type(self).__name__} has no roll_out()")

    def past(self, y: Tensor) -> Tensor:
        """What of sources (n, C', H, W) is frames, the oldest first."""
        return y

    @torch.no_grad()
    def predicted(self, stream: SampleStream, index: Tensor, steps: int) -> Tensor:
        """What the network that samples predicts after the past of the held-out pairs `index` (n,),
        all at once: uint8 (n, steps, C, H, W) at the data's own size, on the network's device.
        """
        assert self.held_out is not None
        y = self.held_out.share(0, 1).condition_at(index)
        with stream.ready(), stream.noise(index.tolist()):
            x = self.roll_out(stream.gen, y.to(self.clock.device), steps)
        x = to_uint8(self.spec.to_native(x.float()).clamp(-1, 1))
        return x.reshape(len(x), steps, -1, *x.shape[2:])

    def context(self, data: DataSet, index: Tensor) -> Tensor:
        """The frames of the past of these pairs, uint8 (n, k, C, H, W)."""
        assert data.source is not None
        past = self.past(data.source[index])
        return past.reshape(len(past), -1, *data.frame)

    def pictures(self, seed: int) -> dict[str, Tensor]:
        """rollout: held-out sequences that `seed` chooses, each twice: as predicted and as they
        are. Predicted frames have a grey border.
        """
        if self.held_out is None or not has_pairs(self):
            return {}
        data = self.held_out.data
        index = torch.randperm(len(data), generator=generator(seed, "rollout"))[: 20 * SHOWN]
        truth, whole = future(data, index, STEPS[-1])
        if not whole.any():
            truth, whole = future(data, index, data.frames)
        index, truth = index[whole][:SHOWN], truth[whole][:SHOWN]
        predicted = self.predicted(self.sample_stream(seed), index, truth.shape[1])
        past = self.context(data, index).to(predicted.device)
        rows = [
            torch.cat([pad(past, FRAME), pad(next_ones, FRAME, value=border)], 1)
            for next_ones, border in ((predicted, GREY), (truth.to(predicted.device), 0))
        ]
        return {"rollout": torch.stack(rows, 1).flatten(0, 1) / 127.5 - 1}
