"""What a run was made with: versions, commit, device."""

import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

import ganlib

PACKAGES = ("torch", "torchvision", "numpy", "scipy", "h5py", "pydantic")


def describe(device: torch.device) -> dict[str, Any]:
    """Versions of what computes, the commit of this library, the device and the command."""
    return {
        "ganlib": ganlib.__version__,
        "commit": _commit(),
        "python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
        "device": _name(device),
        "device_type": device.type,
        "threads": torch.get_num_threads(),
        "command": sys.argv,
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return platform.processor() or platform.machine() if device.type == "cpu" else str(device)


def _commit() -> str | None:
    """The commit of the checkout that this file lies in, with a + if it was changed; None outside
    of one.
    """
    command = ["git", "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True)
    except OSError:
        return None
    return done.stdout.strip() or None
