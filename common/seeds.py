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
    """torch.manual_seed(), of the CPU and devices of this kind alone: of every kind that is not in
    use it writes down who called it, which takes as long as an update of a small network.
    """
    torch.default_generator.manual_seed(number)
    if device.type == "cuda":
        torch.cuda.manual_seed_all(number)  # as there: the device need not be the current one
    elif device.type != "cpu":
        torch.manual_seed(number)
