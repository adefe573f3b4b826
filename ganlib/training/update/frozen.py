"""Networks that do not train, which losses are computed with."""

from collections.abc import Mapping
from hashlib import sha256

import torch
from torch import Tensor, nn

from ganlib.training.device.devices import place


class Frozen:
    """They are no children of the updater: its weights are those that train.

    digests: the SHA-256 of the weights of each, by name.
    """

    def __init__(self) -> None:
        self.networks: dict[str, nn.Module] = {}
        self.digests: dict[str, str] = {}

    def add(self, name: str, network: nn.Module, like: Tensor) -> nn.Module:
        """The network as it is to be used: without gradients of its own, in evaluation mode, on the
        device and in the dtype of `like`.
        """
        self.digests[name] = digest(network)
        network = place(network.requires_grad_(False).eval().to(like.dtype), like.device)
        self.networks[name] = network
        return network

    def check(self, digests: Mapping[str, str] | None) -> None:
        """ValueError if a snapshot's are others; those of before there were any have none."""
        for name, then in (digests or {}).items():
            now = self.digests.get(name)
            if now != then:
                raise ValueError(
                    f"the weights of the frozen network '{name}' had the SHA-256 {then[:12]} and "
                    f"have {now[:12]} now"
                    if now
                    else f"there is no frozen network '{name}' any more"
                )


def digest(network: nn.Module) -> str:
    """The SHA-256 of all weights and saved buffers with their names."""
    found = sha256()
    for name, tensor in network.state_dict().items():
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
        found.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()
