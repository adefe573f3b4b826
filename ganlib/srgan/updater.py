"""SRGAN's recipe and training: SRResNet by its content loss alone, then against D."""

from pathlib import Path
from typing import Literal

from torch import Tensor
from torch.nn.functional import mse_loss

from ganlib import config
from ganlib.common.data import Loader
from ganlib.common.errors import UserError
from ganlib.common.losses import loss_dis_softplus, loss_gen_softplus
from ganlib.common.networks.vgg import URL, VGG19, check_images
from ganlib.training.bases.staged import Staged
from ganlib.training.update.streams import Stages

LAYERS = {"vgg22": "relu2_2", "vgg54": "relu5_4"}
"""What content losses compare: phi_i,j is of the j-th convolution before the i-th pooling."""
VGG_SCALE = 1 / 12.75
"""Of VGG's activations: section 3.2."""
SLOWER = 0.1
"""The learning rate in the second half of the adversarial training, as a part of the first's."""


class Config(config.AlgorithmConfig):
    """The paper's recipe, with pixels as the content; example_configs/srgan.yaml: its VGG54;
    srresnet.yaml: the generator without a discriminator.
    """

    condition = "images"
    sides = {"srresnet": None, "quick": None}
    architecture: Literal["srresnet", "quick"] = "srresnet"
    """srresnet: the paper's; quick: small, for a CPU."""
    blocks: config.Count = 16
    """Residual blocks."""
    pretrain_iter: config.Interval = 1_000_000
    """Iterations in which G learns by pixels alone; 0 with --init-from a run that did."""
    max_iter: int = 1_200_000
    """Iterations to train for, those of pretrain_iter among them."""
    content: Literal["pixels", "vgg22", "vgg54"] = "pixels"
    """What the adversarial training compares beside D's verdict, by squares: pixels, or VGG19's
    activations before its second or its fifth pooling."""
    vgg_weights: Path | None = None
    """File of VGG19's weights for vgg22 and vgg54, torchvision's vgg19-dcbb9e9d.pth."""
    lam: config.NonNegative = 1e-3
    """Weight of the adversarial loss."""
    batch_size: int = 16
    adam_alpha: float = 1e-4
    adam_beta1: float = 0.9
    adam_beta2: float = 0.999
    lr_decay: Literal["none", "linear", "tenth"] = "tenth"  # type: ignore[assignment]
    """tenth: a tenth from the middle of the adversarial training on; linear: to 0 at max_iter."""


class Updater(Staged):
    """In stage 0 G descends the distance of pixels; in stage 1 D steps, then G, by the same fakes.

    Each stage begins with new moments of Adam, as two trainings one after the other do.
    """

    config: Config
    vgg: VGG19
    later = ("dis",)

    def start_from(self, data: Loader) -> None:
        c = self.config
        if c.content == "pixels":
            if c.vgg_weights is not None:
                raise UserError("--vgg-weights is for --content vgg22 or vgg54: give one of them.")
            return
        if c.vgg_weights is None:
            raise UserError(
                f"--content {c.content} needs --vgg-weights FILE, the weights of VGG19 that "
                f"torchvision has: {URL}."
            )
        check_images(self.spec.image, "give --content pixels")
        self.freeze("vgg", VGG19([LAYERS[c.content]], c.vgg_weights))

    def plan(self) -> Stages:
        c, n = self.config, self.config.batch_size
        return Stages([(n * c.pretrain_iter, n, None), (n * c.max_iter, n, None)])

    def stage_name(self, iteration: int) -> str:
        return "adversarial" if self.stage(iteration).number else "content alone"

    def schedule(self, iteration: int) -> dict[str, float]:
        numbers, c = super().schedule(iteration), self.config
        late = iteration >= c.pretrain_iter + (self.length() - c.pretrain_iter) / 2
        if c.lr_decay == "tenth" and self.stage(iteration).number and late:
            numbers["lr"] = SLOWER
        return numbers

    def loss_dis(self, x_real: Tensor, x_fake: Tensor) -> tuple[Tensor, Tensor]:
        """-log s(D(x)) - log (1 - s(D(G(y)))), and D(x)."""
        y_real = self.dis(x_real)
        return self.lecam(loss_dis_softplus, y_real, self.dis(x_fake)), y_real

    def loss_gen(self, x_real: Tensor, x_fake: Tensor) -> tuple[Tensor, Tensor]:
        """The two terms of equation 3: content, and -log s(D(G(y)))."""
        return self.content(x_real, x_fake), loss_gen_softplus(self.dis(x_fake))

    def content(self, x_real: Tensor, x_fake: Tensor) -> Tensor:
        """Equation 4 or, of VGG's activations, 5."""
        if self.config.content == "pixels":
            return mse_loss(x_fake, x_real)
        name = LAYERS[self.config.content]
        real, fake = self.vgg(x_real)[name], self.vgg(x_fake)[name]
        return mse_loss(VGG_SCALE * fake, VGG_SCALE * real)

    def update_core(self) -> dict[str, Tensor]:
        x_real, y = next(self.data)
        x_fake = self.gen(self.hidden(len(x_real)), y)
        if not self.current.number:
            content = mse_loss(x_fake, x_real)
            self.step(gen=content)
            return {"loss_content": content}

        loss_dis, y_real = self.loss_dis(x_real, x_fake.detach())
        self.step(dis=loss_dis)
        self.saw_real(y_real)

        content, loss_gen = self.loss_gen(x_real, x_fake)
        self.step(gen=content + self.config.lam * loss_gen)
        return {"loss_content": content, "loss_dis": loss_dis, "loss_gen": loss_gen}
