"""The methods in tests/methods, each of which shows one thing that the library carries."""

from pathlib import Path

FOLDER = Path(__file__).parent / "methods"
NAMES = sorted(file.parent.name for file in FOLDER.glob("*/__init__.py"))
