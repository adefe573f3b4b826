"""Train improved_gan's classifier on the labelled images alone, without the GAN, and test it.

Run `python -m scripts.train_labels_alone [CONFIG.yaml [SEEDS]]` at the top of the checkout. CONFIG
holds the settings of an improved_gan run, SEEDS are numbers with commas between. The weights at the
start, the images that keep their labels, their order and the noise on them are those of the run
with the same seed, and so are the learning rate and the length. What is left out are the two losses
without labels; the generator stays as it was.
"""

from pathlib import Path

import click
import torch.nn.functional as F
from torch import Tensor, device

from ganlib.__main__ import in_a_sentence
from ganlib.common.query import open_dataset
from ganlib.evaluation.comparison.table import figure
from ganlib.runs.grid import plan
from ganlib.runs.run import build, open_data
from ganlib.runs.settings import Settings
from ganlib.training.updater import Updater

CONFIG = Path("example_configs/fashion_mnist_cpu.yaml")


def learn_labels(updater: Updater) -> dict[str, Tensor]:
    """improved_gan's update_core() with L_lab for its only loss."""
    x_lab, y = next(updater.stream("labelled"))
    assert y is not None
    loss_lab = F.cross_entropy(updater.get_submodule("dis")(x_lab), y)
    updater.step(dis=loss_lab)
    return {"loss_lab": loss_lab}


def train(settings: Settings) -> Updater:
    """The updater of an improved_gan run after max_iter iterations of learn_labels()."""
    updater = build(settings, *open_data(settings), device("cpu"))
    updater.update_core = lambda: learn_labels(updater)  # type: ignore[method-assign]
    for _ in range(settings.algorithm.max_iter):
        updater.update()
    updater.check_finite()
    return updater


@click.command()
@click.argument("config", default=CONFIG, type=click.Path(path_type=Path))
@click.argument("seeds", default="0,1,2")
def main(config: Path, seeds: str) -> None:
    """Train improved_gan's classifier on the labelled images alone, and test it."""
    errors = []
    for settings in plan("improved_gan", seeds, {"config": config}):
        run = settings.run
        test = open_dataset(run.dataset, run.data_root, "test", run.size)
        errors.append(train(settings).scores(test)["test_error"])
        print(f"seed {run.seed}: test error {errors[-1]:.2f} %", flush=True)
    print(f"mean {figure(errors)} %")


if __name__ == "__main__":
    in_a_sentence(main)
