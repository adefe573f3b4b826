"""Text that came from elsewhere, on its way to a screen or a page."""


def printable(text: object) -> str:
    """The text with what is not printable (control characters, line breaks, half characters) as
    Python writes it, "\\x1b": a terminal would obey it, and no file can hold some of it.
    """
    return "".join(c if c.isprintable() else _escaped(c) for c in str(text))


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
