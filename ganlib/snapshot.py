"""The snapshot file: settings, data spec and the state of a run, as tensors and plain types."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from common.data import DataSpec
from common.errors import UserError
from common.files import atomic

FORMAT = "ganlib snapshot 1"
KEYS = {"settings", "spec", "updater", "extensions"}


def write_snapshot(
    path: Path, settings: Mapping[str, Any], spec: DataSpec, state: Mapping[str, Any]
) -> None:
    """Write everything that sampling and resuming need; the file is whole or not there."""
    content = {"format": FORMAT, "settings": dict(settings), "spec": asdict(spec), **state}
    with atomic(path) as temporary:
        torch.save(content, temporary)


def read_snapshot(path: Path) -> dict[str, Any]:
    """The content of a snapshot, on the CPU, `spec` as a DataSpec. Runs no code that the file may
    carry.
    """
    if path.is_dir():
        raise UserError(f"{path} is a folder; name a snapshot file in it.")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"There is no snapshot {path}.") from None
    except Exception:  # what torch.load raises for a file of another kind is no fixed set
        raise UserError(
            f"{path} is not a whole snapshot: it is damaged, or another kind of file."
        ) from None
    if not isinstance(content, dict) or content.get("format") != FORMAT or not KEYS <= set(content):
        raise UserError(f"{path} is not a snapshot of this version of ganlib ({FORMAT}).")
    content["spec"] = DataSpec(**content["spec"])
    return content


def newest_snapshot(run: Path) -> Path:
    """The newest snapshot in a run's folder."""
    found = list_snapshots(run / "snapshots")
    if not found:
        raise UserError(f"{run} holds no snapshots; name a snapshot file or another run's folder.")
    return found[-1]


def list_snapshots(folder: Path) -> list[Path]:
    """The snapshots by iteration in a folder, the oldest first."""
    return sorted(folder.glob("iter_*.pt"), key=lambda path: int(path.stem.removeprefix("iter_")))
