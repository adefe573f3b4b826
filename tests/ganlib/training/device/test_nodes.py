"""One run on two nodes: two agents of torchrun's on this machine, which meet by its rendezvous."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import ganlib
from ganlib.training.snapshot import newest_snapshot, read_snapshot

pytestmark = pytest.mark.slow
TRAIN = str(Path(ganlib.__file__).parents[1] / "train.py")
FLAGS = "-a wgan_gp --width=0.1 --batch-size=8 -g -1 --evaluation-interval=0 --sample-interval=0"


def begun(agent: str, data: Path, out: Path, max_iter: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "torch.distributed.run", *agent.split(), TRAIN, *FLAGS.split()]
    command += [f"--dataset={data}", f"--out={out}", f"--max-iter={max_iter}"]
    command += [f"--resume={out}"] if out.exists() else []
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def on_two_nodes(data: Path, out: Path, max_iter: int) -> str:
    """What both say."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{free.getsockname()[1]}"
    agent = f"--nnodes 2 --nproc-per-node 1 --rdzv-backend c10d --rdzv-id 1 --rdzv-endpoint {place}"
    agents = [begun(f"{agent} --local-addr 127.0.0.1", data, out, max_iter) for _ in range(2)]
    said = [process.communicate(timeout=600)[1] for process in agents]
    assert [process.returncode for process in agents] == [0, 0], said
    return "".join(said)


def weights(out: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = read_snapshot(newest_snapshot(out))["updater"]["modules"]
    return found


def test_two_nodes_train_what_two_processes_of_one_do(toy_file: Path, tmp_path: Path) -> None:
    """Bitwise, and where they go on too."""
    said = on_two_nodes(toy_file, tmp_path / "nodes", 4)
    assert said.count("Training wgan_gp") == 1
    said = on_two_nodes(toy_file, tmp_path / "nodes", 6)
    assert said.count("Continuing at iteration 4") == 1
    one = begun("--standalone --nproc-per-node 2", toy_file, tmp_path / "one", 6)
    _, said = one.communicate(timeout=600)
    assert one.returncode == 0, said
    others = weights(tmp_path / "one")
    for name, tensor in weights(tmp_path / "nodes").items():
        assert tensor.equal(others[name]), name
