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
    return generator_on(device).manual_seed(mix(*parts))


def generator_on(device: torch.device | str) -> torch.Generator:
    """A generator for tensors on `device`; those of "meta" have no values, and any will do."""
    return torch.Generator("cpu" if torch.device(device).type == "meta" else device)
