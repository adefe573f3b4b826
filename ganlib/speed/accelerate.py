"""How an updater does its work on this machine: the settings for speed, put into effect."""

from collections.abc import Callable

import torch
from torch import nn

from ganlib.common.errors import UserError
from ganlib.common.layers.checkpoint import checkpoint_blocks
from ganlib.common.layers.spectral_norm import iterate_together
from ganlib.config import RunConfig
from ganlib.speed import precision, sync_bn
from ganlib.speed.compiled import Trial, compile_losses, restore_losses
from ganlib.speed.graph import CudaRecorder, Graphs
from ganlib.training.device import ranks
from ganlib.training.updater import Updater

Say = Callable[[str], None]


def accelerate(updater: Updater, s: RunConfig, iterations: int, say: Say) -> None:
    """Prepare an updater, with its data and after its state was loaded, to train so many
    iterations.
    """
    device = updater.clock.device
    precision.set_float32(s.precision)
    # shapes stay the same, so the search for the fastest convolutions is made once
    torch.backends.cudnn.benchmark = not s.deterministic
    networks = list(updater.trained.values())
    if s.checkpoint_blocks:
        _checkpoint(networks, s, say)
    if s.precision == "bf16":
        for network in updater.frozen.networks.values():
            precision.compute_in_bf16(network)
    for network in networks:
        if s.precision == "bf16":
            precision.train_in_bf16(network)
        if s.sync_bn and ranks.count() > 1:
            sync_bn.synchronize(network)
        iterate_together(network)
    _share(updater, s)
    graph = device.type == "cuda" if s.graph is None else s.graph
    if graph and device.type != "cuda":
        raise UserError("--graph needs a GPU with CUDA: leave it out.")
    if s.compile:
        compile_losses(updater, say)

    def perform() -> Callable[[], dict[str, torch.Tensor]]:
        return Graphs(updater, CudaRecorder(device), say) if graph else updater.iterate

    decide = s.compile is None and device.type == "cuda" and not s.deterministic
    decide = decide and not s.checkpoint_blocks
    # ranks must decide alike, and time differs between them
    decide = decide and ranks.count() == 1 and not s.sync_bn
    updater.perform = Trial(updater, iterations, perform, say) if decide else perform()


def release(updater: Updater) -> None:
    """Let go what an updater does its work with: graphs, and what they read; compiled losses."""
    updater.perform = updater.iterate
    updater.streams.wrap(lambda loader: loader)
    restore_losses(updater)


def _checkpoint(networks: list[nn.Module], s: RunConfig, say: Say) -> None:
    if s.compile:
        raise UserError(
            "--checkpoint-blocks decides what is kept for the gradients, and --compile lets the "
            "compiler decide: give one of them."
        )
    if sum(map(checkpoint_blocks, networks)) == 0:
        say("--checkpoint-blocks changes nothing: these networks have no blocks.")


def _share(updater: Updater, s: RunConfig) -> None:
    if s.sync_bn and s.accumulate > 1:
        raise UserError(
            "--sync-bn joins the batches of several GPUs, and --accumulate takes a batch apart: "
            "give one of them."
        )
    updater.split(s.accumulate)
    ranks.broadcast_([*updater.parameters(), *updater.buffers()])
