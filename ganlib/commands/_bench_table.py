"""Measurements as a table to print."""

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from ganlib.commands._tables import print_table
from ganlib.speed.bench import Row

NAMES = ("algorithm", "mode", "precision")
HEADERS = ("it/s", "ms", "quartiles", "images/s", "TFLOP/s", "of ceiling", "memory", "warm-up")
CAPTION = (
    "An iteration is one generator update with its discriminator updates; ms is the median. "
    "images/s: real images taken from the data. TFLOP/s: convolutions and matrix products only; "
    "of ceiling: against a large matrix product of the same precision on this device."
)


def show(rows: Sequence[Row], title: str, console: Console | None = None) -> None:
    """Print a row per measurement."""
    table = [(row.work, row.mode, row.precision, *cells(row)) for row in rows]
    lines = [list(map(Text, line)) for line in [(*NAMES, *HEADERS), *table]]
    failed = [f"{r.work}, {r.mode}, {r.precision}: {r.error}" for r in rows if r.error]
    print_table(title, lines, [*failed, CAPTION], NAMES, console)


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
