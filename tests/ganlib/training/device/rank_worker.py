"""One of two processes that train together; rank 0 prints how far they are from one process.

The argument is a file that is not there yet, by which the two meet.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from ganlib.common.data import DataSet, Loader, fit_spec
from ganlib.common.layers.checkpoint import checkpoint_blocks
from ganlib.registry import algorithms
from ganlib.speed import compiled, sync_bn
from ganlib.training.device import ranks

BATCH = 8


def make(name: str, dtype: torch.dtype, batch_norm: bool) -> Any:
    """An updater for the whole batch, with the same weights in every process."""
    algorithm = algorithms[name]
    config = algorithm.config(batch_size=BATCH, width=0.1)
    random = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (40, 1, 28, 28), generator=random).to(torch.uint8)
    data = DataSet("noise", x)
    spec = fit_spec(data, config.image_size(28, 28))
    loader = Loader(data, spec, BATCH, 0, dtype=dtype, flip=True, dequantize=True)
    torch.manual_seed(0)
    networks = {k: net.to(dtype) for k, net in algorithm.build(config, spec).items()}
    if not batch_norm:
        for module in networks["gen"].modules():
            for child, layer in list(module.named_children()):
                if isinstance(layer, nn.modules.batchnorm._BatchNorm):
                    setattr(module, child, nn.Identity())
    return algorithm.updater(config, loader, spec, networks)


def alone(updater: Any, n: int) -> tuple[Any, dict[str, Tensor]]:
    """The updater after n updates as the only process."""
    count, rank = ranks.count, ranks.rank
    ranks.count, ranks.rank = lambda: 1, lambda: 0
    try:
        for _ in range(n):
            values = updater.update()
    finally:
        ranks.count, ranks.rank = count, rank
    return updater, values


def together(updater: Any, n: int, passes: int = 1, synchronized: bool = False) -> Any:
    """The same with the batch shared."""
    if synchronized:
        for network in (updater.gen, updater.dis):
            sync_bn.synchronize(network)
    updater.split(passes)
    for _ in range(n):
        values = updater.update()
    return updater, values


def distance(a: Any, b: Any) -> float:
    """The largest difference of parameters, buffers and logged values."""
    (x, logged_x), (y, logged_y) = a, b
    pairs = [*zip(x.state_dict().values(), y.state_dict().values(), strict=True)]
    pairs += [(logged_x[key], logged_y[key]) for key in logged_x]
    return max(float((p.double() - q.double()).abs().max()) for p, q in pairs)


def first_gradients(updater: Any, run: Any) -> list[Tensor]:
    """The averaged gradients of the first step."""
    found: list[Tensor] = []
    optimizer = next(iter([updater.optimizer["dis"]]))

    def note(*_: Any) -> None:
        if not found:
            found.extend(p.grad.clone() for p in updater.dis.parameters() if p.grad is not None)

    optimizer.register_step_pre_hook(note)
    run(updater, 1)
    return found


def ranks_differ(updater: Any) -> float:
    """Whether any parameter or buffer differs between the ranks in any bit."""
    flat = torch.cat([t.double().reshape(-1) for t in updater.state_dict().values()])
    both = [torch.empty_like(flat) for _ in range(ranks.count())]
    dist.all_gather(both, flat)
    return float(not all(torch.equal(both[0], other) for other in both))


def compiling(first: bool) -> float:
    """How many ranks compile their losses if rank 0's time says `first`, and all others' not so."""
    updater, said = make("dcgan", torch.float32, False), list[str]()
    compiled.repays = lambda *_: first == (ranks.rank() == 0)
    updater.split(1)
    updater.perform = compiled.Trial(updater, 100, lambda: updater.iterate, said.append)
    for _ in range(compiled.AFTER):
        updater.update()
    n = torch.tensor(float(bool(said)))
    dist.all_reduce(n)
    return float(n)


def gathered(value: Any) -> list[Any]:
    """Of all ranks."""
    values = [None] * ranks.count()
    dist.all_gather_object(values, value)
    return values


def agreement() -> float:
    """Whether all hear in the same call what the second alone says, and the first one's number; and
    nothing stays of calls that are over.
    """
    agree, heard, calls = ranks.Agreement(), "", 0
    store = dist.distributed_c10d._get_default_store()
    while not heard and calls < 1000:
        heard, then = agree("me" if ranks.rank() == 1 else "", 7 + ranks.rank())
        calls += 1
    first, second = gathered((heard, then, calls))
    left = [name for name in (f"{agree._name}/0", f"{agree._name}/0/read") if store.check([name])]
    return float(first == second == ("me", 7, calls) and not left)


def main() -> None:
    torch.set_num_threads(1)
    ranks.start(torch.device("cpu"), f"file://{sys.argv[1]}")
    double, single = torch.float64, torch.float32
    results = {}
    one, shared = alone(make("wgan_gp", double, False), 2), make("wgan_gp", double, False)
    results["wgan_gp, two ranks"] = distance(one, together(shared, 2))
    results["wgan_gp, ranks differ"] = ranks_differ(shared)
    in_passes = together(make("wgan_gp", double, False), 2, 2)
    results["wgan_gp, two ranks of two passes"] = distance(one, in_passes)
    synchronized = together(make("dcgan", double, True), 3, synchronized=True)
    results["dcgan, --sync-bn"] = distance(alone(make("dcgan", double, True), 3), synchronized)
    twice = make("dcgan", double, True)
    for network in (twice.gen, twice.dis):
        checkpoint_blocks(network)
    results["dcgan, --sync-bn --checkpoint-blocks"] = distance(
        synchronized, together(twice, 3, synchronized=True)
    )
    plain = together(make("dcgan", single, True), 3)
    results["dcgan, ranks differ"] = ranks_differ(plain[0])
    results["dcgan, without --sync-bn"] = distance(alone(make("dcgan", single, True), 3), plain)
    pairs = zip(
        first_gradients(make("wgan_gp", single, False), alone),
        first_gradients(make("wgan_gp", single, False), together),
        strict=True,
    )
    results["first gradients, float32"] = max(float((p - q).abs().max()) for p, q in pairs)
    results["compile where only rank 0 would"] = compiling(True)
    results["compile where only rank 0 would not"] = compiling(False)
    results["agreement"] = agreement()
    done = Path(f"{sys.argv[1]}.done")
    with ranks.first_alone():
        found = done.exists()
        if ranks.rank() == 0:
            time.sleep(1)
            done.touch()
    results["first alone"] = float(gathered(found) == [False, True])
    if ranks.rank() == 0:
        print(json.dumps(results))
    ranks.stop()
    threads = [path.read_text() for path in Path("/proc/self/task").glob("*/comm")]
    if any("gloo" in name for name in threads):  # they may abort the process as it ends
        raise SystemExit(f"rank {os.environ['RANK']} has left, and its threads have not: {threads}")


if __name__ == "__main__":
    main()
