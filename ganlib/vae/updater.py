"""VAE's training: Algorithm 1 of the paper with one sample of z per image (L = 1)."""

import torch
from torch import Tensor
from torch.optim import Optimizer

from ganlib.common.data import DataSet
from ganlib.common.seeds import generator
from ganlib.training.bases.reconstructing import Reconstructing

from .config import Config
from .net import Decoder, Encoder, kl_normal


class Updater(Reconstructing):
    """Encoder and decoder ascend the lower bound, equation 10 of the paper, in one step."""

    config: Config
    enc: Encoder
    gen: Decoder

    def optimizers(self) -> dict[str, Optimizer]:
        """One Adam for both networks, which share one loss."""
        return {"vae": self.adam(self.enc, self.gen)}

    def loss_vae(self, x: Tensor, eps: Tensor) -> tuple[Tensor, Tensor]:
        """KL(q(z|x) || p(z)) and -log p(x|z) at z = mean + deviation * eps, means of the batch."""
        mean, log_variance = self.enc(x)
        z = mean + (log_variance / 2).exp() * eps
        return kl_normal(mean, log_variance).mean(), -self.gen.log_likelihood(x, z).mean()

    def update_core(self) -> dict[str, Tensor]:
        x_real, _ = next(self.data)
        loss_kl, loss_rec = self.loss_vae(x_real, self.normal(len(x_real), self.gen.n_hidden))
        self.step(vae=loss_kl + loss_rec)
        return {"elbo": -loss_kl - loss_rec, "kl": loss_kl, "reconstruction": -loss_rec}

    def reconstruct(self, x: Tensor) -> Tensor:
        """The decoder's mean at the encoder's mean."""
        mean, _ = self.enc(x)
        return self.generate(self.gen, mean, None)

    def scores(self, test: DataSet) -> dict[str, float]:
        """elbo_test: nats per test image, with one eps for each that the run's seed fixes."""
        random = generator(self.data.seed, "elbo_test")
        total = torch.zeros((), dtype=torch.float64)
        for x in self.each(test):
            loss_kl, loss_rec = self.loss_vae(x, self.gen.make_hidden(len(x), random))
            total -= len(x) * (loss_kl + loss_rec).cpu().double()
        return {"elbo_test": float(total / len(test))}
