"""PGN's training."""

from torch import Tensor
from torch.nn.functional import mse_loss
from torch.optim import Optimizer

from ganlib.common.data import Loader
from ganlib.common.errors import UserError
from ganlib.common.generator import Generator
from ganlib.common.losses import loss_dis_softplus, loss_gen_softplus
from ganlib.training.bases.predicting import Predicting

from .config import Config
from .net import PredictiveGenerator


class Updater(Predicting):
    """One roll-out of the generator, a step of the discriminator, and the generator's."""

    config: Config
    gen: PredictiveGenerator

    def start_from(self, data: Loader) -> None:
        n, own = self.config.actions, data.data.actions
        if n and "cutout" in self.config.augments:
            raise UserError("cutout hides actions from D: leave it out, as --diffaugment color.")
        if n and own not in (None, n):
            cure = f"give --actions {own}" if own else "leave --actions out"
            raise UserError(
                f"--actions is {n}, but an action of '{data.data.name}' is {own} numbers: {cure}."
            )

    def optimizers(self) -> dict[str, Optimizer]:
        """One Adam per network, each with its own learning rate."""
        found: dict[str, Optimizer] = {"gen": self.adam(self.gen)}
        if self.config.lam_adv:
            found["dis"] = self.adam(self.dis, alpha=self.config.adam_alpha_dis)
        return found

    def loss_dis(self, x_real: Tensor, x_fake: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """-log s(D(y, x)) - log(1 - s(D(y, G(y)))), means over frames; and D(y, x)."""
        y_real = self.dis(x_real, y)
        return self.lecam(loss_dis_softplus, y_real, self.dis(x_fake, y)), y_real

    def loss_gen(self, x_fake: Tensor, y: Tensor) -> Tensor:
        """-log s(D(y, G(y)))."""
        return loss_gen_softplus(self.dis(x_fake, y))

    def update_core(self) -> dict[str, Tensor]:
        x_real, y = next(self.data)
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

    def roll_out(self, gen: Generator, y: Tensor, steps: int) -> Tensor:
        """Each prediction is the newest past frame of the following one."""
        assert isinstance(gen, PredictiveGenerator)
        return gen.roll_out(y, steps)

    def past(self, y: Tensor) -> Tensor:
        """Of sources the frames, without the actions behind them."""
        return self.gen.sequences.past(y)
