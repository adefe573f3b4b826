"""The results as tables in Markdown, beside what other programs were measured at.

A number stands in a table only if a file of results holds it; where none does, it says so.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.beside import peers
from benchmarks.workloads import (
    CARD,
    FID_NAME,
    FID_PEER,
    FID_PEER_SECONDS,
    FID_TARGET_SECONDS,
    FID_TITLE,
    LOADING_NAME,
    PEERS_NAME,
    SOURCE,
    WORKLOADS,
    Workload,
)
from ganlib.commands.bench import HEADERS, cells, number
from ganlib.common.errors import UserError
from ganlib.common.io.files import write_text
from ganlib.evaluation.comparison.writers import markdown
from ganlib.speed.bench import Row

README = Path(__file__).with_name("README.md")
UNMEASURED = "unmeasured"
SAME = ""  # in place of what the row above says

Runs = Mapping[str, Any]
"""Of one card: a report of ganlib.speed.bench by the name of its workload."""


def read(folder: Path) -> dict[str, Runs]:
    """The results of each card, from the .json files in a folder."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        try:
            record = json.loads(path.read_text("utf-8"))
            found[record["card"]] = record["runs"]
        except (ValueError, KeyError, TypeError):
            raise UserError(f"{path} does not hold results: move it away.") from None
    return found


def all_tables(results: Mapping[str, Runs]) -> str:
    """The table beside the other programs, then those of each other card."""
    parts = [beside_peers(results.get(CARD, {}))]
    for card, runs in results.items():
        if card != CARD:
            parts.append(f"### {card}\n\n{_stamps(runs)}\n\n{alone(runs)}")
        if PEERS_NAME in runs:
            parts.append(peers(runs[PEERS_NAME]["rows"]))
        if LOADING_NAME in runs:
            parts.append(loading(runs[LOADING_NAME]["rows"]))
    return "\n\n".join(parts)


def beside_peers(runs: Runs) -> str:
    """Every workload that other programs were measured on, theirs and ours, on CARD."""
    headers = ("work", "program", "ms an iteration", "TFLOP/s", "of ceiling", "against the best")
    lines = []
    for work in (w for w in WORKLOADS if w.peers):
        best = min(peer.ms for peer in work.peers)
        block: list[tuple[str, ...]] = [
            (peer.name, f"{peer.ms:.1f}", "" if peer.tflops is None else f"{peer.tflops:g}", "", "")
            for peer in work.peers
        ]
        block += _ours(work, runs, best)
        if work.target is not None:
            block.append(("target", f"{work.target:g}", "", "", f"{best / work.target:.1f}x"))
        lines += [(title, *rest) for title, rest in _titled(work.title, block)]
    lines += [(title, *rest) for title, rest in _titled(FID_TITLE, _fid(runs))]
    note = f"{_stamps(runs)} The other programs: {SOURCE}."
    return f"{markdown(headers, lines, 2)}\n\n{note}"


def alone(runs: Runs) -> str:
    """Every measured workload on a card that no other program was measured on."""
    titles = {**{work.name: work.title for work in WORKLOADS}, FID_NAME: FID_TITLE}
    lines, block = [], list[tuple[str, ...]]()
    for name, report in runs.items():
        if name in (LOADING_NAME, PEERS_NAME):
            continue
        if name == FID_NAME:
            block = [_alone_fid(fid) for fid in report["rows"]]
        else:
            rows = [Row.from_dict(record) for record in report["rows"]]
            block = [(row.mode, row.precision, *cells(row)) for row in rows]
        lines += [(t, *rest) for t, rest in _titled(titles.get(name, name), block)]
    return markdown(("work", "mode", "precision", *HEADERS), lines, 3)


def loading(rows: Sequence[Mapping[str, Any]]) -> str:
    """What the loader alone gives."""
    headers = (
        *("loader alone", "as", "readers", "images/s", "quartiles", "fastest"),
        *("target", "ms of a core", "memory, MiB"),
    )
    lines = [
        (
            f"{row['image'][2]}x{row['image'][1]}, batch {row['batch_size']}",
            row["kind"],
            str(row["readers"]),
            f"{row['rate']:,.0f}",
            f"{row['low']:,.0f} - {row['high']:,.0f}",
            f"{row['fastest']:,.0f}",
            f"{row['target']:,.0f}",
            number(1000 * row["core"]),
            " to ".join(f"{mib:,.0f}" for mib in row["memory"]),
        )
        for row in rows
    ]
    return markdown(headers, lines, 2)


def fill(path: Path, name: str, text: str) -> bool:
    """Put `text` between the comments <!-- name --> and <!-- /name --> of a file.

    False, and nothing is written, if the file does not have them.
    """
    content = path.read_text("utf-8")
    start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    before, found, rest = content.partition(start)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        return False
    write_text(path, f"{before}{start}{text}\n{end}{after}")
    return True


def write(results: Mapping[str, Runs]) -> bool:
    """Bring the tables of README up to date; False if it has no place for them."""
    return fill(README, "tables", all_tables(results))


def _ours(work: Workload, runs: Runs, best: float) -> list[tuple[str, ...]]:
    if work.name not in runs:
        return [("ganlib", UNMEASURED, "", "", "")]
    return [_line(Row.from_dict(record), best) for record in runs[work.name]["rows"]]


def _line(row: Row, best: float) -> tuple[str, ...]:
    who = f"ganlib, {row.mode}, {row.precision}"
    if row.timing is None:
        return who, f"failed: {row.error}", "", "", ""
    ms, share = 1000 * row.timing.seconds, 100 * row.rates["share_of_ceiling"]
    return who, number(ms), number(row.rates["tflops"]), f"{share:.1f} %", f"{best / ms:.1f}x"


def _fid(runs: Runs) -> list[tuple[str, ...]]:
    peer, target = FID_PEER_SECONDS, FID_TARGET_SECONDS
    block: list[tuple[str, ...]] = [(FID_PEER, f"about {peer:g} s in all", "", "", "")]
    if FID_NAME not in runs:
        block.append(("ganlib", UNMEASURED, "", "", ""))
    for fid in runs.get(FID_NAME, {"rows": []})["rows"]:
        seconds = fid["seconds"]
        who = f"ganlib, {', '.join(filter(None, _how(fid)))}"
        block.append((who, f"{seconds:.1f} s in all", "", "", f"{peer / seconds:.1f}x"))
    block.append(("target", f"{target:g} s in all", "", "", f"{peer / target:.1f}x"))
    return block


def _alone_fid(fid: Mapping[str, Any]) -> tuple[str, ...]:
    rest = (f"{1000 * fid['seconds']:,.0f} in all", *("" for _ in HEADERS[2:]))
    return (*_how(fid), "", *rest)


def _how(fid: Mapping[str, Any]) -> tuple[str, str]:
    weights = "random weights" if fid["weights"] == "random" else ""
    layout = ", channels_last" if fid["channels_last"] else ""
    count = "" if fid["images"] == 50_000 else f"{fid['images']:,} images only"
    return ", ".join(filter(None, (weights, count))), f"{fid['precision']}{layout}"


def _stamps(runs: Runs) -> str:
    """What the results of a card were measured with, and when."""
    if not runs:
        return "ganlib is unmeasured: results/ has no file of this card yet."
    stamps = {
        f"torch {r['environment']['torch']}, CPU threads {r['environment']['threads']}, "
        f"commit {r['environment']['commit']}, {r['date']}"
        for r in runs.values()
    }
    return f"ganlib: {'; '.join(sorted(stamps))}."


def _titled(title: str, block: Sequence[tuple[str, ...]]) -> list[tuple[str, tuple[str, ...]]]:
    """The title with the first of the rows."""
    return [(SAME if k else title, row) for k, row in enumerate(block)]
