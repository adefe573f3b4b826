"""An algorithm's updater on a device."""

import torch

from ganlib.common.data import DataSpec, Loader
from ganlib.config import AlgorithmConfig
from ganlib.registry import Algorithm
from ganlib.training.device import devices, memory
from ganlib.training.updater import Updater


def assemble(
    algorithm: Algorithm,
    config: AlgorithmConfig,
    data: Loader | None,
    spec: DataSpec,
    device: torch.device,
) -> Updater:
    """The updater and its networks, with weights from PyTorch's own generator.

    Raises UserError if the device has no memory for them.
    """
    nbytes = memory.size_of(lambda: algorithm.networks(config, spec))
    memory.require(nbytes, "Networks", "give a smaller --width", device)
    networks = algorithm.networks(config, spec)
    placed = {name: devices.place(network, device) for name, network in networks.items()}
    return algorithm.updater(config, data, spec, placed).to(device)
