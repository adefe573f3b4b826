"""Random numbers as functions of what they are for, so that no generator's state ever has to be
saved.
"""

from hashlib import blake2b

import torch


def mix(*parts: int | str) -> int:
    """A 63-bit seed that depends on every part and on their order."""
    digest = blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def generator(*parts: int | str, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator on `device` seeded with mix(*parts)."""
    return torch.Generator(device).manual_seed(mix(*parts))


def seed_layers(number: int, device: torch.device) -> None:
    """torch.manual_seed(), of this device and the CPU alone: of every kind of device that is not in
    use it writes down who called it, which takes as long as an update of a small network.
    """
    torch.default_generator.manual_seed(number)
    if device.type not in ("cpu", "meta"):
        torch.get_device_module(device).manual_seed(number)
