"""One of two processes that train the methods that are named; rank 0 prints what became of each.

Arguments: a file that is not there yet, by which the two meet, and names.
"""

import json
import sys
from typing import Any

import torch
import torch.distributed as dist
from small_methods import FOLDER
from torch import nn

from ganlib.common.layers.basic import PixelNoise
from ganlib.contract.fixtures import small_updater
from ganlib.registry import add_plugins, algorithms
from ganlib.training.device import ranks

UPDATES = 3
SETTINGS: dict[str, Any] = {"batch_size": 8, "ema_decay": 0.9}


def without_dropout(name: str) -> dict[str, float]:
    """Masks are drawn for a share: without them there is more to compare."""
    return {n: 0.0 for n in algorithms[name].config.model_fields if n.startswith("dropout")}


def trained(name: str, shared: bool) -> Any:
    """After UPDATES in double precision, as one of two ranks or as the only process."""
    count, rank = ranks.count, ranks.rank
    if not shared:
        ranks.count, ranks.rank = lambda: 1, lambda: 0
    try:
        updater = small_updater(name, dtype=torch.float64, **SETTINGS, **without_dropout(name))
        updater.split(1)
        for _ in range(UPDATES):
            updater.update()
    finally:
        ranks.count, ranks.rank = count, rank
    return updater


def flat(updater: Any) -> torch.Tensor:
    """All that is in the state."""
    return torch.cat([t.double().reshape(-1) for t in updater.state_dict().values()])


def whole_batch_alone(updater: Any) -> bool:
    """Whether a sample's part of a loss is its own: no layer that looks at the batch, or draws for
    the share that it is given.
    """
    layers = (nn.modules.batchnorm._BatchNorm, nn.Dropout, PixelNoise)
    found = [module for module in updater.modules() if isinstance(module, layers)]
    return all(isinstance(module, nn.Dropout) and module.p == 0 for module in found)


def main() -> None:
    torch.set_num_threads(1)
    meeting, *names = sys.argv[1:]
    add_plugins(FOLDER)
    ranks.start(torch.device("cpu"), f"file://{meeting}")
    results = {}
    for name in names:
        updater = trained(name, shared=True)
        own = flat(updater)
        both = [torch.empty_like(own) for _ in range(2)]
        dist.all_gather(both, own)
        updater.check_finite()
        results[name] = {"ranks differ": not torch.equal(*both)}
        if whole_batch_alone(updater):
            distance = (own - flat(trained(name, shared=False))).abs().max()
            results[name]["from one process"] = float(distance)
    if ranks.rank() == 0:
        print(json.dumps(results))
    ranks.stop()


if __name__ == "__main__":
    main()
