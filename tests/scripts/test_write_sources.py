"""The table of sources on the page on translation."""

from scripts import write_sources


def test_the_page_has_the_sources_that_there_are() -> None:
    text = write_sources.PAGE.read_text("utf-8")
    assert write_sources.table() in text  # else run: python -m scripts.write_sources
    assert write_sources.page(text.replace("| `own` |", "| `gone` |")) == text
