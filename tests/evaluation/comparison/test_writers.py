"""Tables as Markdown, CSV and JSON."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ganlib.evaluation.comparison.table import Table
from ganlib.evaluation.comparison.writers import to_csv, to_json, to_latex, to_markdown

Make = Callable[..., Path]
Score = Callable[..., dict[str, Any]]
Tables = Callable[..., Table]


def test_markdown_csv_and_json_hold_the_table(make: Make, the_table: Tables, score: Score) -> None:
    make("a|b<i>", 0, {200: {"FD": 5.0}})
    make("a|b<i>", 1, {200: {"FD": 6.0}})
    make("sngan", 0, {200: {"FD": 3.0}})
    make("wgan_gp", 3, done=False)
    table = the_table()
    markdown = to_markdown([table])
    assert "| sngan | **3.00** | 1 | 200 | 640 | 0.0056 |" in markdown
    assert "| a\\|b&lt;i&gt; | 5.50 ± 0.71 | 2 | 200 |" in markdown
    assert "| wgan_gp, unfinished | – | 1 | 200 |" in markdown
    assert "\nProtocol: extractor fashion, n_generated 10000, reference test, k 3." in markdown
    records = list(csv.DictReader(io.StringIO(to_csv([table]))))
    assert [r["algorithm"] for r in records] == ["sngan", "a|b<i>", "wgan_gp"]
    assert float(records[1]["FD"]) == 5.5
    assert float(records[1]["FD std"]) == pytest.approx(np.std([5, 6], ddof=1))
    assert records[0]["FD std"] == records[2]["FD"] == ""
    assert [r["seeds"] for r in records] == ["0", "0 1", "3"]
    assert [r["finished"] for r in records] == ["yes", "yes", "no"]
    (content,) = json.loads(to_json([table]))["tables"]
    assert content["columns"][0]["protocol"] == score(5.0)["protocol"]
    assert content["rows"][1]["scores"]["FD"]["values"] == {"0": 5.0, "1": 6.0}
    assert content["rows"][2]["scores"]["FD"] is None


def test_latex_holds_the_table(make: Make, the_table: Tables, score: Score) -> None:
    make(
        "[a_b]", 0, {200: {"FD": 5.0, "IS": score(2.0, "IS", n_generated=50)}}, lr=r"\1% & $#~^{x}"
    )
    make(
        "[a_b]", 1, {200: {"FD": 6.0, "IS": score(2.5, "IS", n_generated=50)}}, lr=r"\1% & $#~^{x}"
    )
    make("[a_b]", 1, {200: {"FD": 3.0}}, name="other", lr="2|<3>")
    lines = to_latex([the_table()]).splitlines()
    start, middle, end = (lines.index(rf"\{rule}rule") for rule in ("top", "mid", "bottom"))
    assert lines[start - 1] == r"\begin{tabular}{lrrrrrr}"
    assert lines[start + 1].startswith(r"algorithm & FD $\downarrow$ & IS $\uparrow$ & n &")
    best, other = (row.split(" & ") for row in lines[middle + 1 : end])
    assert best[0] == r"{[}a\_b{]} (lr=2\textbar{}\textless{}3\textgreater{})"
    assert best[1:4] == [r"\textbf{3.00}", "--", "1"] and best[-1].endswith(r" \\")
    name = r"(lr=\textbackslash{}1\% \& \$\#\textasciitilde{}\textasciicircum{}\{x\})"
    assert " & ".join(other).startswith(rf"{{[}}a\_b{{]}} {name} & 5.50 $\pm$ 0.71 & 2.25 ")
    assert lines[end + 2] == (
        r"\par\smallskip{\footnotesize Protocol: extractor fashion, reference test, k 3. "
        r"FD: n\_generated 10000. IS: n\_generated 50.\par}"
    )
    assert lines[-1] == r"\end{table}"


def test_no_cell_of_a_csv_is_a_formula(make: Make, the_table: Tables) -> None:
    """https://owasp.org/www-community/attacks/CSV_Injection"""
    names = ["=1+1", "+1", "-2+3", "@SUM(A1)", "a=b"]
    for k, name in enumerate(names):
        make(name, 0, {200: {"-FD": -0.5 - k}})
    header, *rows = csv.reader(io.StringIO(to_csv([the_table()])))
    assert "'-FD" in header and "'-FD std" in header
    column = header.index("'-FD")
    assert {row[1]: row[column] for row in rows} == {
        name if name == "a=b" else f"'{name}": str(-0.5 - k) for k, name in enumerate(names)
    }
    texts = [cell for row in [header, *rows] for k, cell in enumerate(row) if k != column]
    assert not [cell for cell in texts if cell.startswith(tuple("=+-@"))]
