"""One of two processes that grow together; rank 0 prints whether a run that stopped is another.

The argument is a file that is not there yet, by which the two meet.
"""

import json
import sys
from typing import Any

import torch
import torch.distributed as dist

from ganlib.contract.fixtures import small_updater
from ganlib.contract.test_contract import copied, tensors
from ganlib.training.device import ranks

SMALL: dict[str, Any] = {
    "batch_size": 8,
    "width": 0.05,
    "ema_decay": 0.9,
    "stage_images": 24,
    "max_resolution": 8,
    "reset_adam": True,
}
STOPS = [4, 6]
"""Iterations done in the middle of the fade, which is of iterations 3 to 5, and at its end."""
END = 8


def fresh(passes: int) -> Any:
    updater = small_updater("progressive", **SMALL)
    updater.split(passes)
    return updater


def straight(passes: int) -> tuple[Any, dict[int, Any], list[float]]:
    """An updater at END, its states at STOPS, and every iteration's alpha."""
    updater, states, alphas = fresh(passes), {}, []
    while updater.iteration < END:
        if updater.iteration in STOPS:
            states[updater.iteration] = copied(updater.state())
        updater.update()
        alphas.append(float(updater.now["alpha"]))
    return updater, states, alphas


def resumed(state: Any, passes: int) -> Any:
    updater = fresh(passes)
    updater.load_state(state)
    while updater.iteration < END:
        updater.update()
    return updater


def same(a: Any, b: Any) -> bool:
    a, b = tensors(a.state()), tensors(b.state())
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def ranks_agree(updater: Any) -> bool:
    own = torch.cat([t.double().reshape(-1) for t in updater.state_dict().values()])
    both = [torch.empty_like(own) for _ in range(2)]
    dist.all_gather(both, own)
    return torch.equal(*both)


def main() -> None:
    torch.set_num_threads(1)
    ranks.start(torch.device("cpu"), f"file://{sys.argv[1]}")
    results: dict[str, Any] = {"resumed differs": [], "ranks differ": [], "alphas": []}
    for passes in (1, 2):
        whole, states, alphas = straight(passes)
        results["alphas"].append(alphas)
        if not ranks_agree(whole):
            results["ranks differ"].append(passes)
        for stop, state in states.items():
            if not same(whole, resumed(state, passes)):
                results["resumed differs"].append([stop, passes])
    if ranks.rank() == 0:
        print(json.dumps({**results, "stops": STOPS}))
    ranks.stop()


if __name__ == "__main__":
    main()
