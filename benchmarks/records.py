"""Time to quality: train by records' settings, score, and bring docs/leaderboard.md up to date:

python -m benchmarks.records [RECORD]...
"""

import json
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Any

import click
import torch

import ganlib
from ganlib.__main__ import in_a_sentence
from ganlib.commands.evaluate import command as evaluate
from ganlib.common.io.files import write_text
from ganlib.evaluation.comparison.table import figure
from ganlib.runs.grid import parse_seeds
from ganlib.runs.settings import read_yaml
from ganlib.runs.tables import open_table
from ganlib.speed.bench import card

ROOT = Path(__file__).parents[1]
RESULTS, PAGE = ROOT / "benchmarks" / "results" / "records.jsonl", ROOT / "docs" / "leaderboard.md"
FILES = [
    ROOT / "example_configs" / "quickstart.yaml",
    *sorted((ROOT / "benchmarks" / "records").glob("*.yaml")),
]
RECORDS = {path.stem: path for path in FILES}
MARK = "<!-- by python -m benchmarks.records -->\n"
HEAD = (
    "| settings | seconds | FD-fashion | FID | class accuracy | seeds | processor |\n"
    "|---|---|---|---|---|---|---|\n"
)
CPU = torch.device("cpu")
FD, FID, ACCURACY = "FD-fashion10k-train", "FID10k-test", "class-accuracy-fashion10k"


@click.command(help=f"Measure RECORDs, of {', '.join(RECORDS)}.")
@click.argument("names", nargs=-1, metavar="[RECORD]...", type=click.Choice(list(RECORDS)))
@click.option("--seeds", default="0,1,2", show_default=True)
@click.option("--fid", is_flag=True, help="Score FID too, in minutes each.")
@click.option("--tables-only", is_flag=True, help="Measure nothing, write the table.")
def command(names: Sequence[str], seeds: str, fid: bool, tables_only: bool) -> None:
    """By default all of them."""
    for name in () if tables_only else names or RECORDS:
        for seed in parse_seeds(seeds):
            line = measure(RECORDS[name], seed, fid)
            click.echo(json.dumps(line))
            with RESULTS.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
    lines = RESULTS.read_text("utf-8").splitlines() if RESULTS.exists() else []
    before, _, rest = PAGE.read_text("utf-8").partition(MARK)
    rest = rest.partition(MARK)[2]
    write_text(PAGE, before + MARK + table(map(json.loads, lines)) + MARK + rest)


def measure(path: Path, seed: int, fid: bool = False) -> dict[str, Any]:
    """Train in a process of its own, from whose start to whose end the clock runs; then score."""
    with TemporaryDirectory() as folder:
        flags = ["--seed", str(seed), "--evaluation-interval", "0", "--out", f"{folder}/run"]
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, ROOT / "train.py", "--config", path, *flags], cwd=ROOT, check=True
        )
        seconds = time.perf_counter() - start
        model = ganlib.load(f"{folder}/run", plugin_dir=read_yaml(path).get("plugin_dir", ()))
        scores = model.evaluate(10_000, metrics=["fid", "class_accuracy"])
        values = {name: round(scores[name].value, 4) for name in (FD, ACCURACY)}
        if fid:
            flags = [*open_table("equal_terms").first[FID].split(), "--out", f"{folder}/fid.json"]
            evaluate.main([f"{folder}/run", *flags], standalone_mode=False)
            found = json.loads(Path(f"{folder}/fid.json").read_text("utf-8"))
            values[FID] = round(found["scores"][FID]["value"], 2)
    return {
        "record": path.stem,
        "seed": seed,
        "seconds": round(seconds, 1),
        **values,
        "card": card(CPU),
    }


def table(lines: Iterable[Mapping[str, Any]]) -> str:
    """A row for each record and processor, the soonest first: means over the seeds, of which the
    last line counts.
    """
    found: dict[tuple[str, str], dict[int, Mapping[str, Any]]] = defaultdict(dict)
    for line in lines:
        found[line["record"], line["card"]][line["seed"]] = line
    rows = []
    for (name, processor), seeds in found.items():
        seconds, fd, accuracy, fid = (
            [line[key] for line in seeds.values() if key in line]
            for key in ("seconds", FD, ACCURACY, FID)
        )
        link = f"[{name}](../{RECORDS[name].relative_to(ROOT)})"
        row = (
            f"| {link} | {mean(seconds):.0f} | {figure(fd)} | {figure(fid) if fid else ''} "
            f"| {mean(accuracy):.1%} | {len(seeds)} | {processor} |\n"
        )
        rows.append((mean(seconds), row))
    return HEAD + "".join(row for _, row in sorted(rows))


if __name__ == "__main__":
    in_a_sentence(command)
