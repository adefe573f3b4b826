"""A card as a page: README.md, whose head is what a Hugging Face hub reads of a model."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from ganlib.common.errors import few
from ganlib.common.io.console import printable
from ganlib.common.io.files import write_text
from ganlib.common.query import datasets
from ganlib.evaluation.comparison.table import NOTHING, figures
from ganlib.evaluation.protocol import deciding

README, SAMPLES = "README.md", "samples.png"
LICENSES = ("mit", "apache-2.0", "cc-by-4.0")
"""What hubs know by these names; the card begins with one if the data's licence does."""
UNKNOWN = (
    "Unknown: look up the licence of the data set before you publish this; it may bind the "
    "generator too."
)
SHOWN = 100  # names of classes


def write_readme(card: Mapping[str, Any], folder: Path) -> None:
    """README.md of a card, beside samples.png if there is one. What others may have chosen, as the
    names of classes, is text in it: neither YAML nor markup nor HTML.
    """
    from jinja2 import Environment

    templates = Environment(trim_blocks=True, keep_trailing_newline=True)
    templates.filters.update(code=code, prose=prose)
    template = Path(__file__).with_name("card.md").read_text("utf-8")
    page = templates.from_string(template).render(
        card=card,
        front=yaml.safe_dump(front_matter(card), sort_keys=False, allow_unicode=True, width=1e9),
        title=_title(card),
        picture=(folder / SAMPLES).exists(),
        facts=dict(_facts(card)),
        scores=[list(_cells(name, record)) for name, record in card["scores"].items()],
        data=f"{code(_dataset(card))}. {prose(_about(card))}",
        environment=", ".join(f"{code(k)} {code(v)}" for k, v in card["environment"].items()),
        settings=[f"{k}: {json.dumps(v)}" for k, v in card["settings"].items() if v is not None],
    )
    write_text(folder / README, page, "backslashreplace")  # of half characters


def front_matter(card: Mapping[str, Any]) -> dict[str, Any]:
    """What a hub searches by, as huggingface_hub.ModelCardData has it."""
    name, task, scores = _dataset(card), _task(card), card["scores"]
    known, license = name in datasets.names(), card["data_license"].partition(",")[0].lower()
    other = {"license": "other", "license_name": f"that-of-{name}".replace("_", "-")}
    told = {"labels": "class-conditional", "none": "unconditional"}
    kind = told.get((card["condition"] or {"kind": "none"})["kind"], "translation")
    results = [
        {
            "task": {"type": task},
            "dataset": {"type": name, "name": name, **({} if split is None else {"split": split})},
            "metrics": [_metric(n, r) for n, r in scores.items() if _split(r) == split],
        }
        for split in dict.fromkeys(map(_split, scores.values()))
    ]
    found = {
        "library_name": "ganlib",
        "tags": ["gan", line(card["algorithm"]), kind],
        "datasets": [name] if known else None,
        "pipeline_tag": task,
        "metrics": list(dict.fromkeys(map(_type, scores))),
        "model-index": [{"name": _title(card), "results": results}] if scores else None,
    }
    if card["data_license"] == UNKNOWN:
        other = {"license": "unknown"}
    licensed = {"license": license} if license in LICENSES else other
    return {**licensed, **{key: value for key, value in found.items() if value}}


def line(words: object) -> str:
    """In one line, without control characters."""
    return printable(" ".join(str(words).split()))


def prose(words: object) -> str:
    """Words as Markdown that shows them as they are, but for addresses, which become links."""
    return " ".join(
        part if part.startswith("http") else re.sub(r"([\\`*_{}\[\]<>#&|~$!])", r"\\\1", part)
        for part in line(words).split()
    )


def code(words: object) -> str:
    """Anybody's words as Markdown's code, in which nothing is markup, HTML or a link."""
    text = line(words)
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence} {text} {fence}" if "`" in text or not text else f"{fence}{text}{fence}"


def _dataset(card: Mapping[str, Any]) -> str:
    return line(card["settings"].get("dataset") or "data")


def _title(card: Mapping[str, Any]) -> str:
    return f"{line(card['algorithm'])} on {_dataset(card)}"


def _task(card: Mapping[str, Any]) -> str:
    """One of Hugging Face's; of generators told classes there is none."""
    translates = (card["condition"] or {}).get("kind") in ("images", "unpaired")
    return "image-to-image" if translates else "unconditional-image-generation"


def _about(card: Mapping[str, Any]) -> str:
    """What is known of the data."""
    name = _dataset(card)
    about = datasets.describe(name).partition("\n\n")[0] if name in datasets.names() else ""
    return f"{about} Their licence: {card['data_license']}".strip()


def _facts(card: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    images, condition, latent = card["images"], card["condition"], card["latent"]
    yield "images", f"{'x'.join(map(str, images['shape']))} in [-1, 1], {images['fit']}"
    for part in latent if isinstance(latent, list) else [latent] * (latent is not None):
        name = code(part["name"]) if "name" in part else "latents"
        yield f"z, {name}", f"{part['size']} of {part['distribution']}"
    if condition and condition["kind"] == "labels":
        yield "classes", few([code(name) for name in condition["classes"]], SHOWN)
    elif condition:
        shape = "x".join(map(str, condition["shape"]))
        yield "starts from", f"{shape}, {condition['values']}, {card.get('direction', 'a source')}"
    rounded = card.get("precision")
    yield (
        "weights",
        f"{card['weights']}, {card['parameters']:,} parameters"
        + ("" if rounded is None else f", stored as {rounded['weights']}: {rounded['loss']}"),
    )
    seen = card["images_seen"]
    took = "" if seen is None else f", {seen:,} images"
    yield "training", f"{card['iteration']:,} iterations{took}"


def _type(score: str) -> str:
    """Which metric: "FID50k-train" is "fid"."""
    return line(re.sub(r"\d+k?(-[a-z]+)?$", "", score)).lower()


def _split(record: Mapping[str, Any]) -> str | None:
    against = record["protocol"].get("reference")
    return None if against is None else line(against)


def _metric(score: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """As hubs have it: the protocol, its hash and the standard error are its arguments."""
    protocol = deciding(record["protocol"])
    args = {line(k): line(v) if isinstance(v, str) else v for k, v in protocol.items()}
    errors = {name: record[name] for name in ("std", "error") if record.get(name) is not None}
    args = {"hash": record["hash"], **errors, **{k: v for k, v in args.items() if v is not None}}
    return {"type": _type(score), "value": record["value"], "name": line(score), "args": args}


def _cells(score: str, record: Mapping[str, Any]) -> Iterator[str]:
    """A row of the table; a | would end a cell even in code."""
    protocol, error = record["protocol"], record.get("error")
    real = f"{protocol.get('n_reference')} {_split(record)}" if _split(record) else NOTHING
    spread = NOTHING if error is None else figures(error)
    cells = code(score), figures(record["value"]), spread, str(protocol.get("n_generated"))
    yield from (cell.replace("|", "\\|") for cell in (*cells, line(real), code(record["hash"])))
