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
