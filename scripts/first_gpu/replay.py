"""A profiler's table of one iteration of a workload, on a GPU the replay of a CUDA graph:

python -m scripts.first_gpu.replay sngan_resnet
"""

import click
from torch.profiler import ProfilerActivity, profile

from benchmarks.workloads import choose
from ganlib.__main__ import in_a_sentence
from ganlib.config import RunConfig
from ganlib.speed import bench
from ganlib.speed.accelerate import accelerate
from ganlib.training.device.devices import pick_device, synchronize

ROWS = 40
WIDTH = 90  # of a kernel's name


@click.command()
@click.argument("name")
@click.option("--device", help="cpu or cuda:0.  [default: the first GPU if there is one]")
def command(name: str, device: str | None) -> None:
    """The operations of one iteration of the workload NAME by the time that they take."""
    where = pick_device(None, device)
    gpu = where.type == "cuda"
    (found,) = choose((name,))
    work = found.work(name)
    updater = bench.assemble(work, where)
    how = RunConfig(algorithm=name, precision="bf16" if gpu else "fp32", graph=gpu, compile=False)
    accelerate(updater, how, 1, click.echo)
    turns = bench.steady(updater, work)
    for k in turns[: bench.UNTIMED[where.type]]:
        updater.iteration = k
        updater.update()
    synchronize(where)
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if gpu else [])]
    with profile(activities=activities) as seen:
        updater.update()
        synchronize(where)
    by = "self_cuda_time_total" if gpu else "self_cpu_time_total"
    averages = seen.key_averages()
    click.echo(averages.table(sort_by=by, row_limit=ROWS, max_name_column_width=WIDTH))


if __name__ == "__main__":
    in_a_sentence(command)
