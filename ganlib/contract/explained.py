"""What a reader would miss in a method's folder."""

from ganlib.registry import algorithms


def lacks(algorithm: str) -> list[str]:
    """Of an idea, a paper and a README those that are not there, in words: "no README.md"."""
    entry = algorithms.check(algorithm)
    idea, _, paper = algorithms.describe(algorithm).partition("\n\n")
    readme = entry.source is None or (entry.source.parent / "README.md").is_file()
    there = {
        "no idea in a sentence at the start of its docstring": bool(idea),
        "no paper with its URL in its docstring, after an empty line": "http" in paper,
        "no README.md": readme,
    }
    return [words for words, found in there.items() if not found]
