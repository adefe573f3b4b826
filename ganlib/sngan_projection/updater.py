"""The projection discriminator's recipe and training."""

from typing import Literal

from torch import Tensor

from ganlib import config, updater
from ganlib.common.losses import loss_dis_hinge, loss_gen_hinge


class Config(config.AlgorithmConfig):
    """The authors' recipe for CIFAR-10, sngan_projection configs/sn_cifar10_conditional.yml;
    example_configs/sngan_projection_imagenet*.yaml: theirs for ImageNet.
    """

    condition = "labels"
    learns_in_bf16 = ("quick",)
    sides = {"imagenet64": 64, "imagenet128": 128, "imagenet128_concat": 128}
    architecture: Literal[
        "cifar10", "imagenet64", "imagenet128", "imagenet128_concat", "quick", "mlp"
    ] = "cifar10"
    """cifar10, imagenet64, imagenet128: the authors', for 32, 64 and 128 pixels;
    imagenet128_concat: the paper's comparison, a discriminator that is given the class's vector
    beside features; quick: small, for a CPU; mlp: small, for points.
    """
    n_dis: config.Count = 5
    """Discriminator updates per generator update."""
    gen_batch_multiplier: config.Count = 2
    """Generator batch in units of batch_size."""
    max_iter: int = 50_000
    lr_decay: Literal["none", "linear"] = "linear"
    dequantize: bool = True


class Updater(updater.Updater):
    """n_dis discriminator steps, each with fresh z, then one generator step with fresh z.

    The classes of generated images are drawn anew with every z, each as often as any other.
    """

    config: Config

    def loss_dis(
        self, x_real: Tensor, y: Tensor, x_fake: Tensor, y_fake: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The hinge loss of the discriminator, and D(x, y)."""
        d_real = self.dis(x_real, y)
        return self.lecam(loss_dis_hinge, d_real, self.dis(x_fake, y_fake)), d_real

    def loss_gen(self, z: Tensor, y_fake: Tensor) -> Tensor:
        """-E D(G(z, y), y)."""
        return loss_gen_hinge(self.dis(self.gen(z, y_fake), y_fake))

    def update_core(self) -> dict[str, Tensor]:
        loss_dis, n = self.train_dis()
        n *= self.config.gen_batch_multiplier
        loss_gen = self.loss_gen(self.hidden(n), self.uniform_labels(n))
        self.step(gen=loss_gen)
        return {"loss_dis": loss_dis, "loss_gen": loss_gen}

    def train_dis(self) -> tuple[Tensor, int]:
        """The discriminator's steps: the last one's loss, and of how many real images it is."""
        for _ in range(self.config.n_dis):
            x_real, y = next(self.data)
            n = len(x_real)
            z, y_fake = self.hidden(n), self.uniform_labels(n)
            loss_dis, d_real = self.loss_dis(x_real, y, self.fake(z, y_fake), y_fake)
            self.step(dis=loss_dis)
            self.saw_real(d_real)
        return loss_dis, n

    def uniform_labels(self, n: int) -> Tensor:
        """n labels, int64 (n,), each class as often, as the authors draw them."""
        return (self.uniform(n) * self.spec.n_classes).long()
