"""Names of things that live in files: listed without an import, imported one at a time."""

import ast
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from symtable import symtable
from types import ModuleType
from typing import Any, Generic, TypeVar, cast

from ganlib.common.errors import UserError, did_you_mean

T = TypeVar("T")
Finder = Callable[[Path], Iterable[tuple[str, Path]]]


@dataclass(frozen=True)
class Entry:
    """Where a name comes from: a place to show, the file that describes it, how to import it."""

    place: str
    source: Path | None
    load: Callable[[], Any]


def modules(folder: Path) -> Iterable[tuple[str, Path]]:
    """The Python files directly inside `folder`, as (name, file); not _x.py nor .x.py."""
    return [(file.stem, file) for file in sorted(folder.glob("*.py")) if file.stem[0] not in "._"]


def docstring(file: Path | None) -> str:
    """That of a Python file, which is not run; "" if there is none."""
    try:
        return (file and ast.get_docstring(ast.parse(file.read_text("utf-8")))) or ""
    except (OSError, SyntaxError, ValueError):
        return ""


def packages(folder: Path) -> Iterable[tuple[str, Path]]:
    """The folders in `folder` that are packages, as (name, __init__.py)."""
    return [(file.parent.name, file) for file in sorted(folder.glob("*/__init__.py"))]


def having(attribute: str, among: Finder = modules) -> Finder:
    """A finder of those `among` all in which `attribute` is assigned or defined; a file that cannot
    be parsed counts if it has the word, for its error to be told.
    """
    return lambda folder: [found for found in among(folder) if _assigns(found[1], attribute)]


def _assigns(file: Path, attribute: str) -> bool:
    try:
        source = file.read_text("utf-8")
        if attribute not in source:
            return False
        table = symtable(source, str(file), "exec")
    except SyntaxError:
        return True
    except (OSError, ValueError):
        return False
    found = [one for one in table.get_symbols() if one.get_name() == attribute]
    return any(one.is_assigned() or one.is_imported() for one in found)


class Registry(Generic[T]):
    """Every thing of one kind, by name.

    A thing is the attribute `attribute` of a module of `package`. Other folders join the package by
    `add_folder`, so a plugin is imported exactly as if it lay in the package's own folder. group:
    the entry points of those that installed packages offer. of: the type of a thing.
    """

    def __init__(
        self, kind: str, package: str, attribute: str, find: Finder, group: str, of: Any = Callable
    ) -> None:
        self.kind, self.package, self.attribute, self.find = kind, package, attribute, find
        self.of = of
        self.entries: dict[str, Entry] = {}
        for folder in list(import_module(package).__path__):
            self.add_folder(Path(folder))
        for point in entry_points(group=group):  # of installed packages
            self.add(point.name, Entry(f"entry point {point.value}", None, point.load))

    def add(self, name: str, entry: Entry) -> None:
        """Register one name; a second place for the same name is refused."""
        known = self.entries.setdefault(name, entry)
        if known.place != entry.place:
            raise UserError(
                f"Two {self.kind}s are called '{name}': {known.place} and {entry.place}. "
                "Rename one of them."
            )

    def add_folder(self, folder: Path) -> None:
        """Register everything of this kind that lies directly in `folder`."""
        path = import_module(self.package).__path__
        if str(folder) not in path:
            path.append(str(folder))
        for name, source in self.find(folder):
            module = source.parent.name if source.name == "__init__.py" else source.stem
            self.add(name, Entry(str(source), source, self._importer(module)))

    def add_module(self, name: str, module: ModuleType) -> None:
        """Register what lies in a module elsewhere."""
        source = Path(str(module.__file__))
        self.add(name, Entry(str(source), source, lambda: getattr(module, self.attribute)))

    def _importer(self, module: str) -> Callable[[], Any]:
        return lambda: getattr(import_module(f"{self.package}.{module}"), self.attribute)

    def names(self) -> list[str]:
        """All names, sorted; nothing is imported."""
        return sorted(self.entries)

    def check(self, name: str) -> Entry:
        """The entry of `name`; UserError, if there is none, with the file of that name or the
        nearest name.
        """
        if name not in self.entries:
            for home in import_module(self.package).__path__:
                if words := self.lack(Path(home), name):
                    raise UserError(f"There is no {self.kind} '{name}': {words}.")
            raise UserError(f"There is no {self.kind} '{name}'.{did_you_mean(name, self.names())}")
        return self.entries[name]

    def lack(self, home: Path, name: str) -> str:
        """What a file of this name in `home` lacks to be one, in words; "" if there is none."""
        file = dict(modules(home)).get(name)
        return f"{file} has no {self.attribute}" if file else ""

    def describe(self, name: str) -> str:
        """The docstring of the file behind `name`, read without running it; "" if there is none."""
        return docstring(self.check(name).source)

    def __getitem__(self, name: str) -> T:
        """Import and return the thing `name`; an error in its file is named with the file."""
        entry = self.check(name)
        try:
            thing = entry.load()
            if not isinstance(thing, self.of):
                kind = self.of.__name__
                raise TypeError(f"its {self.attribute} is {thing!r:.60}, which is no {kind}")
            return cast(T, thing)
        except Exception as error:
            raise UserError(
                f"The {self.kind} '{name}' ({entry.place}) cannot be used: "
                f"{type(error).__name__}: {error}"
            ) from error
