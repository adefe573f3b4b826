"""How a notebook shows a model: its name, a grid, and the newest scores."""

import base64
import io
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from PIL import Image

from ganlib.common.errors import UserError
from ganlib.common.io.jsonl import read_lines
from ganlib.training.scores.scorer import SCORES


def as_html(title: str, picture: Image.Image | None, scores: Mapping[str, float]) -> str:
    """A piece of a page that needs no other file."""
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{value:.4g}</td></tr>" for name, value in scores.items()
    )
    shown = "" if picture is None else f'<img alt="samples" src="{_data_url(picture)}">'
    table = f"<table>{rows}</table>" if rows else ""
    return f"<div><b>{escape(title)}</b><br>{shown}{table}</div>"


def newest_scores(out: Path) -> dict[str, float]:
    """Of the last evaluation in a run's folder, by name; {} if there is none."""
    try:
        lines: list[dict[str, Any]] = read_lines(out / SCORES)
        return {name: score["value"] for name, score in lines[-1]["scores"].items()}
    except (UserError, OSError, IndexError, KeyError, TypeError):  # a picture is worth showing
        return {}


def _data_url(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
