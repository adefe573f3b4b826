"""One of several processes that train the methods that are named: all of them, then fewer, which go
on from a snapshot, then one alone. Rank 0 prints what became of each method.

Arguments: the name of a file that is not there yet, by which they meet; in JSON how many train in
turn, each with how many updates they make; and names.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from small_methods import FOLDER
from torch import nn

from ganlib.common.layers.basic import GaussianNoise, PixelNoise
from ganlib.contract.fixtures import small_updater
from ganlib.registry import add_plugins
from ganlib.speed import sync_bn
from ganlib.training.device import ranks

STAGES = {"stage_images": 24, "max_resolution": 8, "reset_adam": True, "width": 0.05}
"""Three updates in each."""


def fresh(name: str) -> Any:
    """In double precision, its networks looking at the batch of all ranks; without noise that is
    drawn for a share, so that there is more to compare.
    """
    settings: dict[str, Any] = {"batch_size": 8, "ema_decay": 0.9}
    settings |= STAGES if name == "progressive" else {}
    updater = small_updater(name, dtype=torch.float64, **settings)
    for network in updater.trained.values():
        sync_bn.synchronize(network)
    for layer in updater.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
        elif isinstance(layer, GaussianNoise):
            layer.sigma = 0.0
    for optimizer in updater.optimizer.values():
        for group in optimizer.param_groups:
            # a bias before its norm has a gradient of rounding errors alone, by whose size Adam
            # would divide
            group["eps"] = 1e-3
    return updater


def trained(updater: Any, updates: int) -> Any:
    """The same updater, after so many more."""
    updater.split(1)
    for _ in range(updates):
        updater.update()
    updater.check_finite()
    return updater


def flat(updater: Any) -> torch.Tensor:
    """All that is in the state."""
    return torch.cat([t.double().reshape(-1) for t in updater.state_dict().values()])


def differ(updater: Any) -> bool:
    """Whether any rank's state does in any bit."""
    own = flat(updater)
    every = [torch.empty_like(own) for _ in range(ranks.count())]
    dist.all_gather(every, own)
    return not all(torch.equal(own, other) for other in every)


def draws(updater: Any) -> bool:
    """Whether a layer draws for the share that it is given, or augments it."""
    noise = any(isinstance(module, PixelNoise) for module in updater.modules())
    return noise or bool(updater.config.diffaugment)


def main() -> None:
    torch.set_num_threads(1)
    meeting, turns, *names = sys.argv[1:]
    plan = json.loads(turns)
    add_plugins(FOLDER)
    results: dict[str, dict[str, Any]] = {name: {"ranks differ": False} for name in names}
    for turn, (count, updates) in enumerate(plan):
        if int(os.environ["RANK"]) >= count:
            return
        os.environ["WORLD_SIZE"] = str(count)
        ranks.start(torch.device("cpu"), f"file://{meeting}{turn}")
        for name in names:
            updater, snapshot = fresh(name), Path(f"{meeting}.{name}")
            if turn:
                updater.load_state(torch.load(snapshot, weights_only=True))
            trained(updater, updates)
            results[name]["ranks differ"] |= count > 1 and differ(updater)
            ranks.wait()
            if ranks.rank() == 0:
                torch.save(updater.state(), snapshot)
            if count == 1 and not draws(updater):
                one = flat(trained(fresh(name), sum(n for _, n in plan)))
                apart = (one - flat(updater))[one.isfinite()]  # a lowest value is infinite at first
                results[name]["from one process"] = float(apart.abs().max())
        ranks.wait()
        ranks.stop()
    print(json.dumps(results))


if __name__ == "__main__":
    main()
