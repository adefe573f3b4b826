"""Other programs' updates, from clones of their repositories beside each other in a folder.

Nothing of theirs is copied here: their networks, losses and training steps are imported from the
clone and called. What lies in a training script of theirs and not in a function is called in the
same order here.
"""

import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Adam

from ganlib.common.errors import UserError


class Update(NamedTuple):
    """One iteration, n_dis updates of D and one of G, and the networks that it trains."""

    run: Callable[[], object]
    networks: tuple[nn.Module, ...]

    @property
    def weights(self) -> int:
        """How many numbers are trained."""
        return sum(p.numel() for network in self.networks for p in network.parameters())


Make = Callable[[int, int], Update]
"""An update from a batch size and n_dis, made while the clone's modules can be imported."""


class Program(NamedTuple):
    """Another program. clone: the folder of its clone, as its repository is called."""

    clone: str
    owner: str
    make: Make

    def update(self, folder: Path, batch_size: int, n_dis: int) -> Update:
        """On the CPU; UserError if the clone is not in `folder` or is of another kind."""
        clone = folder / self.clone
        if not clone.is_dir():
            raise UserError(f"missing: git clone https://github.com/{self.owner}/{self.clone}")
        with importing(clone), redirect_stdout(StringIO()):
            try:
                return self.make(batch_size, n_dis)
            except (ImportError, AttributeError, TypeError) as error:
                raise UserError(f"{self.clone} is not as expected: {error}") from error


@contextmanager
def importing(folder: Path) -> Iterator[None]:
    """Modules are looked for in `folder` first, and their names forgotten in the end: several
    clones have a package of the name models.
    """
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name, module in list(sys.modules.items()):
            places = (getattr(module, "__file__", None), getattr(module, "__path__", None))
            if name not in before and str(folder) in str(places):
                del sys.modules[name]


def images(n: int, side: int) -> Tensor:
    """Random ones in [-1, 1], (n, 3, side, side)."""
    return torch.rand(n, 3, side, side) * 2 - 1


def adam(network: nn.Module) -> Adam:
    """As the training scripts of 32 pixels make it."""
    return Adam(network.parameters(), 2e-4, (0.0, 0.9))


# --- pytorch-gan-collections


def collections(module: str, network: str, loss: str, n_hidden: int = 128) -> Make:
    """sngan.py or wgangp.py: its networks and losses, its steps; G's batch as large as D's."""

    def make(batch_size: int, n_dis: int) -> Update:
        models = import_module(f"source.models.{module}")
        loss_of = getattr(import_module("source.losses"), loss)()
        gen = getattr(models, f"{network}Generator32")(n_hidden)
        dis = getattr(models, f"{network}Discriminator32")()
        optim_gen, optim_dis = adam(gen), adam(dis)
        real = images(batch_size, 32)
        penalised = module == "wgangp"

        def run() -> None:
            for _ in range(n_dis):
                with torch.no_grad():
                    fake = gen(torch.randn(batch_size, n_hidden))
                total = loss_of(dis(real), dis(fake))
                if penalised:
                    total = total + 10 * slope_penalty(dis, real, fake)
                optim_dis.zero_grad()
                total.backward()
                optim_dis.step()
            dis.requires_grad_(not penalised)  # sngan.py leaves D's gradients on
            total = loss_of(dis(gen(torch.randn(batch_size, n_hidden))))
            optim_gen.zero_grad()
            total.backward()
            optim_gen.step()
            dis.requires_grad_(True)

        return Update(run, (gen, dis))

    return make


def slope_penalty(dis: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """WGAN-GP's, as a script without a library writes it."""
    t = torch.rand(len(real), 1, 1, 1)
    x = (t * real + (1 - t) * fake).requires_grad_()
    y = dis(x)
    (slope,) = torch.autograd.grad(y, x, torch.ones_like(y), create_graph=True)
    penalty: Tensor = ((slope.flatten(1).norm(dim=1) - 1) ** 2).mean()
    return penalty


# --- mimicry


def mimicry(method: str, kind: str) -> Make:
    """Its networks of 32 pixels and their own train_step()."""

    def make(batch_size: int, n_dis: int) -> Update:
        for name in ("torch_mimicry", "torch_mimicry.nets"):
            package = ModuleType(
                name
            )  # without the lines of its own file, which ask for TensorFlow
            package.__path__ = [str(Path(sys.path[0], *name.split(".")))]
            sys.modules[name] = package
        nets = import_module(f"torch_mimicry.nets.{method}.{method}_32")
        log = Namespace(add_metric=lambda *_, **__: None)
        gen, dis = getattr(nets, f"{kind}Generator32")(), getattr(nets, f"{kind}Discriminator32")()
        optim_gen, optim_dis = adam(gen), adam(dis)
        batch = images(batch_size, 32), torch.zeros(batch_size)

        def run() -> None:
            for _ in range(n_dis):
                dis.train_step(batch, netG=gen, optD=optim_dis, log_data=log)
            gen.train_step(batch, netD=dis, optG=optim_gen, log_data=log)

        return Update(run, (gen, dis))

    return make


# --- pytorch_GAN_zoo


def growing(doublings: int) -> Make:
    """Its ProgressiveGAN as pgan_config.py sets it, after so many doublings of 4 pixels."""

    def make(batch_size: int, n_dis: int) -> Update:
        def optimizer(network: str) -> Callable[[Any], Adam]:
            # theirs has an integer for beta1, which PyTorch does not take any more
            return lambda gan: Adam(getattr(gan, network).parameters(), 0.001, (0.0, 0.99))

        theirs = import_module("models.progressive_gan").ProgressiveGAN
        methods = {f"getOptimizer{n}": optimizer(f"net{n}") for n in "GD"}
        kind: Any = type("ProgressiveGAN", (theirs,), methods)
        gan = kind(useGPU=False, lambdaGP=10.0, epsilonD=0.001, miniBatchStdDev=True)
        for _ in range(doublings):
            gan.addScale(512)
        for network in (gan.netG, gan.netD, gan.avgG):
            network.setNewAlpha(0)  # nothing fades
        real = images(batch_size, 4 << doublings)
        assert n_dis == 1
        return Update(lambda: gan.optimizeParameters(real), (gan.netG, gan.netD))

    return make


# --- BigGAN-PyTorch


def biggan(ch: int) -> Make:
    """Its networks of 32 pixels and its train_fns, as launch_cifar_ema.sh sets them."""

    def make(batch_size: int, n_dis: int) -> Update:
        model, utils, steps = map(import_module, ("BigGAN", "utils", "train_fns"))
        both = {"resolution": 32, "n_classes": 10, "SN_eps": 1e-8}
        of_gen = {"G_ch": ch, "G_attn": "0", "G_init": "N02", "G_lr": 2e-4, "G_shared": False}
        gen = model.Generator(**both, **of_gen)
        average = model.Generator(**both, **of_gen, no_optim=True)
        dis = model.Discriminator(**both, D_ch=ch, D_attn="0", D_init="N02")
        z, y = utils.prepare_z_y(batch_size, gen.dim_z, 10, device="cpu")
        counts = {"num_D_steps": n_dis, "num_D_accumulations": 1, "num_G_accumulations": 1}
        off = {"toggle_grads": True, "split_D": False, "D_ortho": 0.0, "G_ortho": 0.0}
        step = steps.GAN_training_function(
            *(gen, dis, model.G_D(gen, dis), z, y, utils.ema(gen, average), {"itr": 1}),
            {"batch_size": batch_size, "ema": True, **counts, **off},
        )
        x, labels = images(n_dis * batch_size, 32), torch.arange(n_dis * batch_size) % 10
        return Update(lambda: step(x, labels), (gen, dis))

    return make


# --- pytorch-CycleGAN-and-pix2pix


def pix2pix(batch_size: int, n_dis: int) -> Update:
    """Its pix2pix model as options/ set it, on pairs of 256 pixels."""
    kind = import_module("models.pix2pix_model").Pix2PixModel
    where = {"gpu_ids": [], "device": torch.device("cpu"), "checkpoints_dir": ".", "name": "peer"}
    data = {"preprocess": "none", "direction": "AtoB", "input_nc": 3, "output_nc": 3}
    of_gen = {"netG": "unet_256", "ngf": 64, "no_dropout": False}
    of_dis = {"netD": "basic", "ndf": 64, "n_layers_D": 3}
    weights = {"norm": "batch", "init_type": "normal", "init_gain": 0.02}
    training = {"gan_mode": "vanilla", "lambda_L1": 100.0, "lr": 2e-4, "beta1": 0.5}
    model = kind(
        Namespace(isTrain=True, **where, **data, **of_gen, **of_dis, **weights, **training)
    )
    a, b = images(batch_size, 256), images(batch_size, 256)
    model.set_input({"A": a, "B": b, "A_paths": [""], "B_paths": [""]})
    assert n_dis == 1
    return Update(model.optimize_parameters, (model.netG, model.netD))
