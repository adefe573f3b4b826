"""Simultaneous gradient descent: both gradients are of the weights that the iteration begins with,
so that neither network waits for the other.
"""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from copy import deepcopy
from functools import cached_property
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlib.acgan import updater
from ganlib.common.data import Loader
from ganlib.common.losses import loss_gen_softplus


class Config(updater.Config):
    """acgan's, of networks without dropout, whose draws would be of whichever thread is first."""

    architecture: Literal["quick", "mlp"] = "quick"
    """See acgan."""


class Updater(updater.Updater):
    """D and G descend acgan's losses of the same samples, D on a thread of its own. What comes out
    depends on the seed alone, whichever of them is first.

    beside_on: the types of devices where D has that thread; a graph of a card's work knows one.
    """

    config: Config
    beside_on: ClassVar = {"cpu"}

    def start_from(self, data: Loader) -> None:
        """Two threads, each without threads of its own: small networks gain nothing by those."""
        self.beside = ThreadPoolExecutor(1)
        torch.set_num_threads(1)
        self.beside.submit(torch.set_num_threads, 1).result()

    def update_core(self) -> dict[str, Tensor]:
        x_real, y = next(self.data)
        n = len(x_real)
        z, y_fake = self.hidden(n), self.labels(n)
        x_fake = self.gen(z, y_fake)
        of_dis = self.begin_dis(x_real, y, x_fake.detach(), y_fake)

        s_fake, c_fake = self.dis_for_gen(x_fake)
        loss_gen, class_gen = loss_gen_softplus(s_fake), F.cross_entropy(c_fake, y_fake)
        gen = solved(loss_gen + self.config.lam_gen * class_gen, self.gen)

        dis, loss_dis, class_dis, s_real = of_dis.result()
        self.step(dis=dis, gen=gen)
        self.saw_real(s_real)
        return {
            "loss_dis": loss_dis,
            "class_dis": class_dis,
            "loss_gen": loss_gen,
            "class_gen": class_gen,
        }

    def begin_dis(self, *batch: Tensor) -> "Future[tuple[Tensor, Tensor, Tensor, Tensor]]":
        """dis_side(), beside what comes next or before it."""
        if self.clock.device.type in self.beside_on:
            return self.beside.submit(self.dis_side, *batch)
        done = Future[tuple[Tensor, Tensor, Tensor, Tensor]]()
        done.set_result(self.dis_side(*batch))
        return done

    def dis_side(self, *batch: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """D's loss with its gradients, its parts, and its logits of the real images."""
        loss_dis, class_dis, s_real = self.loss_dis(*batch)
        total = solved(loss_dis + self.config.lam_dis * class_dis, self.dis)
        return total, loss_dis.detach(), class_dis.detach(), s_real.detach()

    @cached_property  # in the first update, once D computes as it will
    def dis_for_gen(self) -> nn.Module:
        """D with the same weights, but running averages of its own, which G's step moves while D's
        moves D's; nothing is computed by them.
        """
        return deepcopy(self.dis, {id(p): p for p in self.dis.parameters()})


class Solved(torch.autograd.Function):
    """A loss whose gradients are known."""

    @staticmethod
    def forward(ctx: Any, loss: Tensor, gradients: Sequence[Tensor], *_: Tensor) -> Tensor:
        ctx.gradients = gradients
        return loss.clone()

    @staticmethod
    def backward(ctx: Any, scale: Tensor) -> Any:
        return None, None, *ctx.gradients


def solved(loss: Tensor, network: nn.Module) -> Tensor:
    """The loss with its gradients by the weights of `network`, found by the thread that asks."""
    weights = [*network.parameters()]
    gradients = torch.autograd.grad(loss, weights)
    return Solved.apply(loss.detach(), gradients, *weights)
