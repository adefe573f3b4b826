"""Compare runs: tables on the screen, as files and as a page."""

from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from ganlib.commands._tables import print_table
from ganlib.commands.options import shared
from ganlib.common.errors import UserError
from ganlib.common.io.console import printable
from ganlib.common.io.files import MARK, check_free, output, write_text
from ganlib.evaluation.comparison.compare import compare
from ganlib.evaluation.comparison.table import Row, Table
from ganlib.evaluation.comparison.writers import to_csv, to_json, to_latex, to_markdown

WRITERS = {"markdown": to_markdown, "latex": to_latex, "csv": to_csv}


@click.command()
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path), metavar="[FOLDER|FILE]...")
@shared.path_option(
    "-o",
    "--out",
    callback=shared.folder,
    metavar="DIR",
    help="Where compare.md, .csv, .json and .html go; by default into the first FOLDER.",
)
@shared.force
@click.option(
    "--best", is_flag=True, help="Take of each run its best evaluation by the first score."
)
@click.option(
    "--split", is_flag=True, help="Give a score of several protocols a column for each of them."
)
@click.option("--trials", is_flag=True, help="Show what was tried too, in columns of its own.")
@click.option(
    "--columns",
    metavar="NAME,...",
    help="Show these scores alone and in this order, by name (FD-fashion10k-train), its beginning "
    "or metric (fid).",
)
@click.option(
    "--format",
    "written",
    type=click.Choice(sorted(WRITERS)),
    help="Write the tables for a paper to standard output, and no files.",
)
def command(
    folders: tuple[Path, ...],
    out: Path | None,
    force: bool,
    best: bool,
    split: bool,
    trials: bool,
    columns: str | None,
    written: str | None,
) -> None:
    """Compare the runs below FOLDER (default: result) across algorithms and seeds.

    One table per data set, of the last evaluation of each run. Scores that were obtained in
    different ways are never put into one column. A FILE that `evaluate --out x.json` wrote, of
    another program's images for instance, is a row too.

    For a paper: --format markdown, latex (whose tables need booktabs) or csv. The best is bold, and
    the protocol stands below.

    Trials are what `evaluate` scored otherwise than the run itself, with --truncation for instance.
    """
    folders = folders or (Path("result"),)
    choice = [word for part in (columns or "").split(",") if (word := part.strip())]
    if columns is not None and not choice:
        raise UserError("--columns is empty; give names of scores with commas, or leave it out.")
    if written is not None and out is not None:
        raise UserError("--format writes to standard output and no files: leave --out out.")
    tables = compare(folders, best, split, trials, choice)
    if written is not None:
        click.echo(WRITERS[written](tables), nl=False)
        return
    page = write(tables, out or next(filter(Path.is_dir, folders), folders[0].parent), force)
    show(tables)
    click.echo(f"Page: {printable(page)}")


def write(tables: Sequence[Table], folder: Path, force: bool = False) -> Path:
    """Write compare.md, .csv, .json and .html into a folder; returns the page's path. UserError if
    somebody else's files are there, unless `force` says that they may be replaced.
    """
    from ganlib.evaluation.page.document import to_html  # with jinja2, for a page alone

    note = f"<!-- {MARK} -->\n"
    texts = {
        "md": to_markdown(tables) + note,
        "csv": to_csv(tables),
        "json": to_json(tables),
        "html": to_html(tables) + note,
    }
    files = {folder / f"compare.{suffix}": text for suffix, text in texts.items()}
    check_free(files, force)
    page = folder / "compare.html"
    with output(page):
        for file, text in files.items():
            write_text(file, text)
    return page


def show(tables: Sequence[Table], console: Console | None = None) -> None:
    """Print the tables, on the console given or on standard output."""
    console = console or Console()
    for table in tables:
        lines = [table.headers, *(_cells(table, row) for row in table.rows)]
        print_table(table.dataset, lines, [table.caption, *table.notes], console=console)
        console.print()


def _cells(table: Table, row: Row) -> tuple[str | Text, ...]:
    scores = (Text(printable(f"{t} *"), "bold") if best else t for t, best in table.shown(row))
    return row.title, *scores, *table.costs(row)
