"""Recipe and training of the semi-supervised GAN with feature matching."""

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ganlib import config, updater
from ganlib.common.data import DataSet, Loader
from ganlib.common.data.condition import check_labels
from ganlib.common.errors import UserError
from ganlib.common.layers.weight_norm import start_from_data
from ganlib.common.losses import loss_dis_softplus
from ganlib.common.seeds import generator

TEST_BATCH = 500
DISTANCES = {"absolute": F.l1_loss, "squared": F.mse_loss}


class Config(config.AlgorithmConfig):
    """The authors' recipe for CIFAR-10, openai/improved-gan train_cifar_feature_matching.py, with
    1,000 labels, the paper's fewest for CIFAR-10, and 100,000 iterations;
    example_configs/improved_gan_cifar10.yaml: their 4,000 and 600,000; improved_gan_mnist.yaml:
    theirs for MNIST.
    """

    sides = {"mnist": None}
    architecture: Literal["openai", "mnist", "quick", "mlp"] = "openai"
    """openai: the authors' networks for CIFAR-10; mnist: theirs for MNIST, fully connected, for any
    small grey images; quick: small, for a CPU; mlp: small, for points.
    """
    distance: Literal["absolute", "squared"] = "absolute"
    """Of mean features. absolute: the authors' for CIFAR-10; squared: theirs for MNIST."""
    noise: Literal["dropout", "gaussian"] = "dropout"
    """On the images that D sees in training, with `openai`. dropout: of a fifth of the pixels, the
    authors' for CIFAR-10; gaussian: of deviation 0.3, theirs for MNIST, which `mnist` has anyway,
    and for all images on a plain ground.
    """
    n_labels: config.Count = 1000
    """Images with labels, evenly by class; the authors': 4,000 of CIFAR-10, 100 of MNIST."""
    batch_size: int = 100
    """Images in a batch: as many with labels, as many without, and as many generated."""
    adam_alpha: float = 3e-4
    adam_beta1: float = 0.5
    adam_beta2: float = 0.999
    lr_decay: Literal["none", "linear", "late"] = "late"  # type: ignore[assignment]
    """linear: the learning rate falls to 0 at max_iter; late: so from two thirds of it on."""


class Updater(updater.Updater):
    """Sections 3.1 and 5 of the paper: D descends L_lab + L_unl, then G matches D's features.

    D has K outputs; the fake class is a further one whose logit is 0. `condition` stays None: the
    unlabelled batches and the samples have no labels, and the labelled ones are a stream apart.
    """

    config: Config
    dis: Any  # with features()

    def start_from(self, data: Loader) -> None:
        """Both networks from a batch, and the stream of labelled images."""
        start_from_data(self.gen, self.dis, data)
        labelled = data.over(labelled_subset(data.data, self.config.n_labels, data.seed))
        labelled.condition = "labels"
        self.stream("labelled", labelled)

    def loss_dis(
        self, x_lab: Tensor, y: Tensor, x_unl: Tensor, x_fake: Tensor
    ) -> tuple[Tensor, Tensor]:
        """L_lab: the labelled images' cross entropy over the K classes. L_unl: half the loss of a
        GAN whose logit for "real" is l(x), the logsumexp of the K outputs.
        """
        loss_lab = F.cross_entropy(self.dis(x_lab), y)
        l_unl = torch.logsumexp(self.dis(x_unl), 1)
        l_fake = torch.logsumexp(self.dis(x_fake), 1)
        return loss_lab, loss_dis_softplus(l_unl, l_fake) / 2

    def critic(self, x: Tensor) -> Tensor:
        """l(x), (N,), for the doctor."""
        return torch.logsumexp(self.dis(x), 1)

    def loss_gen(self, real: Tensor, fake: Tensor) -> Tensor:
        """The mean over D's features k of |E f_k(x) - E f_k(G(z))|, or of its square."""
        return DISTANCES[self.config.distance](fake, real)

    def mean_features(self, x: Tensor) -> Tensor:
        """E f(x) over the whole batch, with the slope of this share's part of it."""
        own = self.dis.features(x).mean(0)
        return own + (self.mean(own) - own.detach())

    def update_core(self) -> dict[str, Tensor]:
        x_lab, y = next(self.stream("labelled"))
        x_unl, _ = next(self.data)
        n = len(x_unl)
        loss_lab, loss_unl = self.loss_dis(x_lab, y, x_unl, self.fake(self.hidden(n)))
        self.step(dis=loss_lab + loss_unl)

        x_unl, _ = next(self.stream("gen"))
        with torch.no_grad():
            real = self.mean_features(x_unl)
        loss_gen = self.loss_gen(real, self.mean_features(self.gen(self.hidden(n))))
        self.step(gen=loss_gen)
        return {"loss_lab": loss_lab, "loss_unl": loss_unl, "loss_gen": loss_gen}

    def schedule(self, iteration: int) -> dict[str, float]:
        """As lr_decay says; "late" is the authors' min(3 - epoch / 400, 1) of 1200 epochs."""
        if self.config.lr_decay != "late":
            return super().schedule(iteration)
        return {"lr": max(0.0, min(1.0, 3 - 3 * iteration / self.config.max_iter))}

    def scores(self, test: DataSet) -> dict[str, float]:
        """test_error: in percent, of D in evaluation mode; nothing if the images have no labels."""
        if test.y is None:
            return {}
        weight, wrong = next(self.dis.parameters()), 0
        for index in torch.arange(len(test)).split(TEST_BATCH):
            x = self.spec.to_image(test.x[index].to(weight.device)).to(weight.dtype) / 127.5 - 1
            wrong += int((self.dis(x).argmax(1).cpu() != test.y[index]).sum())
        return {"test_error": 100 * wrong / len(test)}


def labelled_subset(data: DataSet, n_labels: int, seed: int) -> DataSet:
    """`n_labels` images of `data` with their labels, evenly by class; which ones follows from the
    seed.

    The first classes get one more where the number does not divide; a class with too few images
    gives all. UserError if `data` has no labels, or more classes than `n_labels`.
    """
    check_labels(data)
    assert data.y is not None
    n_classes = len(data.classes)
    if n_labels < n_classes:
        raise UserError(
            f"n_labels is {n_labels}, but '{data.name}' has {n_classes} classes and each needs a "
            "label."
        )
    order = torch.randperm(len(data), generator=generator(seed, "labels"))
    y = data.y[order]
    few, more = divmod(n_labels, n_classes)
    index = torch.cat([order[y == c][: few + (c < more)] for c in range(n_classes)])
    return DataSet(data.name, data.x[index], data.y[index], classes=data.classes)
