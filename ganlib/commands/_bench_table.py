"""Measurements as a table to print."""

from collections.abc import Iterable

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ganlib.commands._terminal import table_console
from ganlib.speed.bench import Row

HEADERS = ("it/s", "ms", "quartiles", "images/s", "TFLOP/s", "of ceiling", "memory", "warm-up")
CAPTION = (
    "An iteration is one generator update with its discriminator updates; ms is the median. "
    "images/s: real images taken from the data. TFLOP/s: convolutions and matrix products only; "
    "of ceiling: against a large matrix product of the same precision on this device."
)


def show(rows: Iterable[Row], title: str, console: Console | None = None) -> None:
    """Print a row per measurement."""
    # not the table's own title, which is folded to the table's width
    heading = Text(title, style="bold")
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("algorithm", "mode", "precision"):
        table.add_column(name)
    for name in HEADERS:
        table.add_column(name, justify="right")
    failed = []
    for row in rows:
        table.add_row(*map(Text, (row.work, row.mode, row.precision, *cells(row))))
        if row.error:
            failed.append(f"{row.work}, {row.mode}, {row.precision}: {row.error}")
    console = table_console(table, console)
    console.print(heading, soft_wrap=True)
    console.print(table)
    for sentence in (*failed, CAPTION):
        console.print(Text(sentence, style="dim"), soft_wrap=True)


def cells(row: Row) -> tuple[str, ...]:
    """The text below HEADERS; the first says so if there is no measurement."""
    t, rates = row.timing, row.rates
    if t is None or not rates:
        return ("failed", *("" for _ in HEADERS[1:]))
    return (
        number(rates["iterations_per_second"]),
        number(1000 * t.seconds),
        f"{number(1000 * t.low)} - {number(1000 * t.high)}",
        number(rates["images_per_second"]),
        number(rates["tflops"]),
        f"{100 * rates['share_of_ceiling']:.1f} %",
        f"{t.memory / 2**30:.2f} GiB",
        f"{t.warm_up:.0f} s",
    )


def number(value: float) -> str:
    """Three digits that count, and no exponent for a large number."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
