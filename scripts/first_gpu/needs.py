"""That this machine has what the library and its tests need, before any of it is imported:
python -m scripts.first_gpu.needs
"""

import re
import sys
from collections.abc import Iterable, Iterator
from configparser import ConfigParser
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

SETUP = Path(__file__).parents[2] / "setup.cfg"
TESTS = ("pytest>=8", "pytest-timeout>=2.3", "pytest-xdist>=3.5")


def requirements() -> list[str]:
    """The library's own, and what its tests are run by; NAME>=VERSION each."""
    config = ConfigParser()
    config.read(SETUP, "utf-8")
    return [*config["options"]["install_requires"].split(), *TESTS]


def lacking(wanted: Iterable[str]) -> Iterator[str]:
    """Those that are not here, or too old, with what is."""
    for requirement in wanted:
        name, _, least = requirement.partition(">=")
        try:
            here = version(name)
        except PackageNotFoundError:
            yield requirement
            continue
        if numbers(here) < numbers(least):
            yield f"{requirement} (here it is {here})"


def numbers(text: str) -> list[int]:
    """Of a version: 2.11.0+cu130 is 2, 11, 0."""
    return [int(digits) for digits in re.findall(r"\d+", text.partition("+")[0])]


def main() -> None:
    """One sentence and status 2 if anything is missing."""
    if missing := list(lacking(requirements())):
        print(
            f"Error: this Python ({sys.executable}) lacks {', '.join(missing)}: put their wheels "
            "into wheels/ at the top of the checkout, as `make wheels` does, or give another, "
            "PYTHON=.",
            file=sys.stderr,
        )
        sys.exit(2)


if __name__ == "__main__":
    main()
