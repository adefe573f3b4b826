"""Write the table of sources in docs/translation.md, a row for each file of common/sources/.

Run `python -m scripts.write_sources` after a source was added; a test holds the page to the files.
"""

import re
from pathlib import Path

import ganlib
from ganlib.common.io.files import write_text
from ganlib.common.sources.parse import descriptions
from ganlib.evaluation.comparison.writers import markdown

PAGE = Path(ganlib.__file__).parents[1] / "docs" / "translation.md"
HEADERS = ("`--source`", "what it is")


def table() -> str:
    """What --source takes, and what each is."""
    rows = (
        (", ".join(f"`{way}`" for way in ways.split(", ")), what)
        for ways, what in descriptions().items()
    )
    return markdown(HEADERS, rows)


def page(text: str) -> str:
    """The page with the table as it is now."""
    start = re.escape(f"| {HEADERS[0]} |")
    return re.sub(rf"^{start}.*?(?=\n\n)", lambda _: table(), text, flags=re.M | re.S)


if __name__ == "__main__":
    write_text(PAGE, page(PAGE.read_text("utf-8")))
