"""The look of the page, light and dark, on a desk and on a phone; and pieces of HTML that every
section uses.
"""

from html import escape

from ganlib.common.io.console import printable
from ganlib.evaluation.comparison.runs import Run
from ganlib.evaluation.comparison.table import Row, Table

# told apart by colour-blind readers too; from the seventh on the lines are dotted
LIGHT = ("#0072b2", "#d55e00", "#009e73", "#c2479a", "#8a6d00", "#5b5fc7")
DARK = ("#5ab4f0", "#ff8f4a", "#3fd0a4", "#f084c6", "#e0c040", "#a5a8ff")

STYLE = """
:root { color-scheme: light dark; --page: #fcfcfb; --ink: #1c1d1f; --soft: #5f6368;
  --line: #e2e2de; --wash: #f3f3f0; --best: #2e8b2e18; --shade: #0004; LIGHT }
@media (prefers-color-scheme: dark) { :root { --page: #16181b; --ink: #e6e6e3; --soft: #9da1a6;
  --line: #33363b; --wash: #1f2226; --best: #3fd07024; --shade: #fff4; DARK } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2.5rem 1.25rem 4rem; max-width: 72rem; background: var(--page);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.75rem; line-height: 1.2; font-weight: 650; margin: 0 0 .25rem;
  letter-spacing: -.01em; }
h2 { font-size: 1.35rem; font-weight: 650; margin: 3rem 0 .5rem; }
h3 { font-size: 1.05rem; font-weight: 650; margin: 2.5rem 0 .5rem; }
h4 { font-size: .9375rem; font-weight: 600; margin: 1.5rem 0 .25rem; }
p, caption, figcaption, .soft { color: var(--soft); font-size: .875rem; }
p { margin: .25rem 0; max-width: 46rem; }
.scroll { overflow-x: auto; margin: 1rem 0; position: relative; background:
  linear-gradient(90deg, var(--page) 50%, transparent) 0 / 3rem no-repeat local,
  linear-gradient(270deg, var(--page) 50%, transparent) 100% / 3rem no-repeat local,
  linear-gradient(90deg, var(--shade), transparent) 0 / 1rem no-repeat,
  linear-gradient(270deg, var(--shade), transparent) 100% / 1rem no-repeat; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }
.wide { width: 100%; }
caption { text-align: left; padding-bottom: .75rem; }
caption span { display: block; width: min(100%, 100vw - 2.5rem); position: sticky; left: 0; }
th, td { padding: .5rem .5rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--line); overflow-wrap: normal; }
th:first-child, td:first-child { text-align: left; padding-left: .25rem; }
thead th { font-weight: 500; font-size: .8125rem; color: var(--soft); vertical-align: bottom;
  white-space: normal; border-bottom-color: var(--soft); }
tbody th { font-weight: 600; position: sticky; left: 0; background: var(--page); }
.tall tbody th { font-weight: 500; white-space: normal; }
.tall thead th + th { color: var(--ink); font-weight: 600; }
.tall th, .tall td { padding-top: .3rem; padding-bottom: .3rem; }
.tall th + th, .tall td { padding-left: 1.5rem; }
td.left { text-align: left; }
td.best { background: var(--best); font-weight: 650; }
td .soft { font-weight: 400; }
td.cost { color: var(--soft); }
.badge { border: 1px solid var(--line); border-radius: 1em; padding: 0 .5em; margin-left: .4em;
  font-size: .75rem; font-weight: 400; color: var(--soft); }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.legend { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; padding: 0; margin: .75rem 0;
  list-style: none; font-size: .875rem; }
.key { width: 1.5rem; height: .75rem; margin-right: .4rem; vertical-align: -.05rem; }
.panels { display: grid; gap: 1.5rem 1.25rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 19rem), 1fr)); }
.pictures { display: grid; gap: 1.25rem; margin: 1rem 0;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, max(15rem, var(--least))), 1fr)); }
.pictures figure { max-width: max(24rem, var(--own)); }
figure { margin: 0; min-width: 0; }
figure img { width: 100%; height: auto; display: block; border-radius: 4px; }
figcaption { margin: .35rem 0; }
figcaption b { color: var(--ink); font-weight: 600; }
svg { display: block; width: 100%; height: auto; }
svg.key { display: inline-block; }
svg text { font: 10.5px system-ui, sans-serif; fill: var(--soft);
  font-variant-numeric: tabular-nums; }
svg .rule { stroke: var(--line); stroke-width: 1; }
svg polyline { fill: none; stroke-width: 1.4; stroke-linejoin: round; stroke-opacity: .85; }
svg .plot:hover polyline { stroke-opacity: .2; }
svg .plot polyline:hover { stroke-opacity: 1; stroke-width: 2.2; }
.dashed { stroke-dasharray: 5 2.5; }
.dotted { stroke-dasharray: 1.5 2; }
SERIES
details { border-top: 1px solid var(--line); padding: .6rem 0; }
details:last-of-type { border-bottom: 1px solid var(--line); }
summary { cursor: pointer; font-size: .9375rem; }
summary:focus-visible { outline: 2px solid var(--s0); outline-offset: 2px; }
dl { display: grid; grid-template-columns: minmax(7rem, max-content) 1fr; gap: .15rem 1rem;
  margin: .6rem 0; font-size: .875rem; }
dt { color: var(--soft); }
dd { margin: 0; }
code { font: .85em ui-monospace, monospace; }
footer { margin-top: 3rem; }
@media (max-width: 30rem) { body { padding: 1.5rem 1rem 3rem; } th, td { padding: .45rem .55rem; }
  .tall th + th, .tall td { padding-left: .75rem; } .tall thead th { white-space: normal; } }
"""


def style() -> str:
    """The style sheet."""
    colours = [
        " ".join(f"--s{i}: {colour};" for i, colour in enumerate(palette))
        for palette in (LIGHT, DARK)
    ]
    lines = [
        f".s{i} {{ stroke: var(--s{i}); }} circle.s{i} {{ fill: var(--s{i}); }}"
        for i in range(len(LIGHT))
    ]
    light, dark = colours
    sheet = STYLE.replace("LIGHT", light).replace("DARK", dark)
    return sheet.replace("SERIES", "\n".join(lines))


def e(text: object) -> str:
    """Text from a file, as text of HTML."""
    return escape(printable(text), quote=True)


def key(table: Table, row: Row) -> str:
    """A short line in the colour of a row."""
    line = f'<line x1="0" y1="6" x2="24" y2="6" stroke-width="3" class="{classes_of(table, row)}"/>'
    return f'<svg class="key" viewBox="0 0 24 12" aria-hidden="true">{line}</svg>'


def classes_of(table: Table, row: Row) -> str:
    """A colour per label; unfinished runs have the colour of the finished ones, and dashes."""
    labels = list(dict.fromkeys(other.label for other in table.rows))
    place = labels.index(row.label)
    dash = "" if row.done else " dashed"
    return f"s{place % len(LIGHT)}" + (dash or " dotted" * (place >= len(LIGHT)))


def labelled_runs(table: Table) -> list[tuple[str, str, Run]]:
    """Every run of a table, after its classes and its name."""
    return [
        (classes_of(table, row), f"{row.title}, seed {run.seed}", run)
        for row in table.rows
        for run in row.runs
    ]
