"""StyleGAN2's training: regularisers that come only in some iterations."""

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ganlib import updater
from ganlib.common.losses import gradient_of, loss_dis_softplus, loss_gen_softplus, r1_penalty

from .config import Config
from .net import StyleGenerator

Y = Tensor | None
Drawn = tuple[Tensor, Y, Tensor | None, Tensor | None]
"""What a batch of generated images is of: z, classes, further z, the layer from which on they are
those of the image; None where there are none.
"""
PATH_DECAY = 0.01
"""What a batch's mean length is of the running mean."""


class Updater(updater.Updater):
    """A G step, and in every path_every-th iteration one of path lengths; a D step, and in every
    r1_every-th one of R1 on the same real images. Each has latents of its own, and classes as often
    as among the data.
    """

    config: Config
    gen: StyleGenerator
    path_mean: Tensor
    shared = {"path_mean": "equal"}

    def setup(self) -> None:
        self.register_buffer("path_mean", next(self.gen.parameters()).new_zeros(()))

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam that in k + 1 steps, one of a regulariser, goes as far and forgets as much as else
        in k.
        """
        c, made = self.config, dict[str, Optimizer]()
        for name, every in (("gen", c.path_every), ("dis", c.r1_every)):
            part = every / (every + 1)
            made[name] = self.adam(self.get_submodule(name), alpha=part * c.adam_alpha)
            made[name].param_groups[0]["betas"] = c.adam_beta1**part, c.adam_beta2**part
        return made

    def phase(self, iteration: int) -> tuple[bool, bool]:
        """Whether it has path lengths, and R1."""
        c = self.config
        return iteration % c.path_every == 0 and c.path_weight > 0, iteration % c.r1_every == 0

    def schedule(self, iteration: int) -> dict[str, float]:
        """The averaged generator's decay, if it follows from images."""
        c, numbers = self.config, super().schedule(iteration)
        half = 312.5 * c.batch_size if c.ema_images is None else c.ema_images
        if half == 0:
            return numbers
        if c.ema_ramp:
            half = min(half, iteration * c.batch_size * c.ema_ramp)
        return {**numbers, "ema_decay": 0.5 ** (c.batch_size / max(half, 1e-8))}

    @property
    def gamma(self) -> float:
        """Weight of R1, times 1/2."""
        _, height, width = self.spec.image
        c = self.config
        return 2e-4 * height * width / c.batch_size if c.gamma is None else c.gamma

    def drawn(self, n: int) -> Drawn:
        """What n generated images are of."""
        c = self.config
        z, y = self.hidden(n), self.labels(n) if c.labels else None
        if not c.style_mixing:
            return z, y, None, None
        # one layer for the whole batch, or for each share of it, as in the authors' code
        where, whether = self.uniform(n, 2)[0]
        last = self.gen.n_styles
        first = (1 + where * (last - 1)).floor().masked_fill(whether >= c.style_mixing, last)
        return z, y, self.hidden(n), first

    def loss_dis(self, x_real: Tensor, y: Y, x_fake: Tensor, y_fake: Y) -> tuple[Tensor, Tensor]:
        """E softplus(-D(x)) + E softplus(D(x~)), and D(x); real and generated images are batches of
        their own for minibatch deviation.
        """
        y_real = self.dis(x_real, y)
        return self.lecam(loss_dis_softplus, y_real, self.dis(x_fake, y_fake)), y_real

    def loss_gen(self, z: Tensor, y: Y, other: Y, first: Y) -> Tensor:
        """E softplus(-D(G(z)))."""
        return loss_gen_softplus(self.dis(self.gen(z, y, other, first), y))

    def loss_r1(self, x_real: Tensor, y: Y) -> Tensor:
        """E |grad D(x)|^2."""
        return r1_penalty(self.dis, x_real, y)[0]

    def loss_path(
        self, z: Tensor, y: Y, other: Y, first: Y, noise: Tensor, mean: Tensor
    ) -> tuple[Tensor, Tensor]:
        """E (l - a)^2 of the lengths l of J^T noise / sqrt(H W), J the slope of the image in the
        codes of all layers, and a, their new running mean: `mean` is the old one. l^2 is a mean
        over layers.
        """
        codes = self.gen.code(z, y, other, first)
        if codes.dim() == 2:
            codes = codes[:, None].expand(-1, self.gen.n_styles, -1)
        noise = noise / (noise.shape[2] * noise.shape[3]) ** 0.5
        slopes, _ = gradient_of(lambda codes: self.gen.draw(codes, y) * noise, codes)
        lengths = slopes.square().sum(2).mean(1).sqrt()
        a = mean.lerp(lengths.mean(), PATH_DECAY)
        return (lengths - a).square().mean(), a

    def update_core(self) -> dict[str, Tensor]:
        c, (with_path, with_r1) = self.config, self.phase(self.iteration)
        x_real, y = next(self.data)
        n = len(x_real)

        loss_gen = self.loss_gen(*self.drawn(n))
        self.step(gen=loss_gen)
        seen = {"loss_gen": loss_gen}
        if with_path:
            half = max(1, n // 2)
            noise = self.normal(half, *self.spec.image)
            loss_path, a = self.loss_path(*self.drawn(half), noise, self.path_mean)
            self.step(gen=c.path_every * c.path_weight * loss_path + no_slope(self.gen))
            self.path_mean.copy_(self.mean(a))
            seen |= {"loss_path": loss_path, "path_length": self.path_mean.clone()}

        drawn = self.drawn(n)
        with torch.no_grad():
            x_fake = self.gen(*drawn)
        loss_dis, y_real = self.loss_dis(x_real, y, x_fake, drawn[1])
        self.step(dis=loss_dis)
        self.saw_real(y_real)
        seen["loss_dis"] = loss_dis
        if with_r1:
            r1 = self.loss_r1(x_real, y)
            self.step(dis=c.r1_every * self.gamma / 2 * r1 + no_slope(self.dis))
            seen["r1"] = r1
        return seen


def no_slope(network: nn.Module) -> Tensor:
    """0, of whose gradients none is missing: as in the authors' code Adam counts a regulariser's
    step for all parameters, biases on which slopes do not depend among them.
    """
    return 0 * torch.stack([p.sum() for p in network.parameters()]).sum()
