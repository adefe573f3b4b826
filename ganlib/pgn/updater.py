"""PGN's recipe and training."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss, pad
from torch.optim import Optimizer

from ganlib import config, updater
from ganlib.common.data import DataSet
from ganlib.common.futures import future
from ganlib.common.layers import evaluating
from ganlib.common.losses import loss_dis_softplus, loss_gen_softplus
from ganlib.common.pictures import to_uint8
from ganlib.common.seeds import generator

from .net import PredictiveGenerator
from .quality import qualities

STEPS = (1, 3, 10)
"""How far ahead predictions are scored; the last is how far they are shown."""
SCORED, SHOWN = 500, 6
"""How many sequences, as far as there are so many."""
AT_ONCE = 100


class Config(config.AlgorithmConfig):
    """The paper's losses; their weights and the optimizer's numbers are this project's."""

    condition = "images"

    architecture: Literal["pgn", "quick"] = "pgn"
    """pgn: of the paper's kinds of layers; quick: the same, small, for a CPU."""
    lam_adv: config.NonNegative = 0.02
    """Weight of the adversarial loss beside the mean square error of values in [-1, 1]; 0: the
    error alone, the paper's baseline, without a discriminator."""
    predicted: config.Interval = 1
    """How many of the next frames training predicts, each after its own predictions; 0: all."""
    actions: config.Interval = 0
    """Numbers of an action: sources hold, after the past frames, one for each next frame that
    follows from it, as constant channels; 2 for --dataset pushed."""
    batch_size: config.Count = 16
    """Sequences in a batch (of all GPUs together)."""
    adam_alpha: config.Positive = 1e-3
    """Adam's learning rate, the generator's."""
    adam_alpha_dis: config.Positive = 1e-4
    """The discriminator's."""
    adam_beta1: config.Rate = 0.5
    """Adam's decay of the first moment."""
    adam_beta2: config.Rate = 0.999
    """Adam's decay of the second moment."""


class Updater(updater.Updater):
    """One roll-out of the generator, a step of the discriminator, and the generator's."""

    config: Config
    gen: PredictiveGenerator
    dis: nn.Module

    def optimizers(self) -> dict[str, Optimizer]:
        """One Adam per network, each with its own learning rate."""
        found: dict[str, Optimizer] = {"gen": self.adam(self.gen)}
        if self.config.lam_adv:
            found["dis"] = self.adam(self.dis, alpha=self.config.adam_alpha_dis)
        return found

    def loss_dis(self, x_real: Tensor, x_fake: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """-log s(D(y, x)) - log(1 - s(D(y, G(y)))), means over frames; and D(y, x)."""
        y_real = self.dis(x_real, y)
        return loss_dis_softplus(y_real, self.dis(x_fake, y)), y_real

    def loss_gen(self, x_fake: Tensor, y: Tensor) -> Tensor:
        """-log s(D(y, G(y)))."""
        return loss_gen_softplus(self.dis(x_fake, y))

    def update_core(self) -> dict[str, Tensor]:
        x_real, y = next(self.data)
        assert y is not None
        frames, n = self.spec.frames, self.config.predicted
        n = min(n, frames) or frames
        x_real = x_real.unflatten(1, (frames, -1))[:, :n].flatten(1, 2)
        x_fake = self.gen.roll_out(y, n)
        if not self.config.lam_adv:
            loss_mse = mse_loss(x_fake, x_real)
            self.step(gen=loss_mse)
            return {"loss_mse": loss_mse}

        loss_dis, y_real = self.loss_dis(x_real, x_fake.detach(), y)
        self.step(dis=loss_dis)
        self.saw_real(y_real)

        loss_mse, loss_gen = mse_loss(x_fake, x_real), self.loss_gen(x_fake, y)
        self.step(gen=loss_mse + self.config.lam_adv * loss_gen)
        return {"loss_mse": loss_mse, "loss_dis": loss_dis, "loss_gen": loss_gen}

    @torch.no_grad()
    def rolled_out(self, data: DataSet, index: Tensor, steps: int) -> Tensor:
        """What the network that samples predicts after the past of the pairs `index` (n,): uint8
        (n, steps, C, H, W) at the data's own size, on the network's device.
        """
        assert self.held_out is not None
        loader, found = self.held_out.over(data).share(0, 1), []
        with evaluating(self.shown):
            for rows in index.split(AT_ONCE):
                y = loader.condition_at(rows)
                assert y is not None
                y = y.to(self.clock.device)
                x = self.spec.to_native(self.shown.roll_out(y, steps).float())
                found.append(to_uint8(x.clamp(-1, 1)))
        return torch.cat(found).unflatten(1, (steps, -1))

    def scores(self, test: DataSet) -> dict[str, float]:
        """How good the predictions of the next frame, the third and the tenth are, and beside each
        (copy_) the last frame that was seen, once more; see quality.py. Without frames so far ahead
        those are left out.
        """
        found: dict[str, float] = {}
        index = torch.arange(0, len(test), max(1, len(test) // SCORED))
        for step in STEPS:
            truth, whole = future(test, index, step)
            if whole.any():
                outputs = self.rolled_out(test, index[whole], step)[:, -1].cpu()
                pairs = {"": outputs, "copy_": self._last(test, index[whole])}
                for prefix, output in pairs.items():
                    for name, value in qualities(output, truth[whole, -1]).items():
                        found[f"{prefix}{name}_{step}"] = value
        return found

    def pictures(self, seed: int) -> dict[str, Tensor]:
        """rollout: held-out sequences that `seed` chooses, each twice: as predicted and as they
        are. Predicted frames have a grey border.
        """
        if self.held_out is None:
            return {}
        data = self.held_out.data
        index = torch.randperm(len(data), generator=generator(seed, "rollout"))[: 20 * SHOWN]
        truth, whole = future(data, index, STEPS[-1])
        if not whole.any():
            truth, whole = future(data, index, data.frames)
        index, truth = index[whole][:SHOWN], truth[whole][:SHOWN]
        past = self._past(data, index).reshape(len(index), -1, *truth.shape[2:])
        predicted = self.rolled_out(data, index, truth.shape[1])
        past = past.to(predicted.device)
        rows = [
            torch.cat([_framed(past, 0), _framed(next_ones, border)], 1)
            for next_ones, border in ((predicted, 128), (truth.to(predicted.device), 0))
        ]
        return {"rollout": torch.stack(rows, 1).flatten(0, 1) / 127.5 - 1}

    def _past(self, data: DataSet, index: Tensor) -> Tensor:
        """The past frames, uint8 (n, k C, H, W)."""
        assert data.source is not None
        return self.gen.sequences.past(data.source[index])

    def _last(self, data: DataSet, index: Tensor) -> Tensor:
        """The last of them, uint8 (n, C, H, W)."""
        return self._past(data, index)[:, -data.shape[0] // data.frames :]


def _framed(x: Tensor, value: int) -> Tensor:
    return pad(x, (1, 1, 1, 1), value=value)
