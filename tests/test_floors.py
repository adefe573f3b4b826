"""Imports point down the floors of the house, never up, and never round in a circle."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import ganlib
from ganlib.registry import algorithms

ROOT = Path(ganlib.__file__).parents[1]
OF_THE_MACHINE = ("commands", "runs", "sampling", "speed", "training")
METHODS = {name for name, _ in algorithms.find(ROOT / "ganlib")}
FLOORS = [
    {"ganlib.__main__"},
    {"ganlib.commands"},
    {"ganlib.runs", "ganlib.contract"},
    {f"ganlib.{name}" for name in METHODS},
    {"ganlib.speed", "ganlib.sampling", "ganlib.updater"},
    {"ganlib.registry"},
    {"ganlib.training"},
    {"ganlib.config"},
    {"ganlib.evaluation"},
    {"ganlib.common"},
    {"ganlib.moved"},
]
"""From the top. A room of a floor knows its own and those below; methods know each other too."""


def rooms() -> dict[str, int]:
    return {room: level for level, floor in enumerate(FLOORS) for room in sorted(floor)}


def room_of(module: str) -> str | None:
    """The longest name of a room that the module's begins with."""
    fitting = [room for room in rooms() if f"{module}.".startswith(f"{room}.")]
    return max(fitting, key=len, default=None)


def files() -> dict[str, Path]:
    """Every module of the library by name, but for the face of the package."""
    found = {}
    for top, above in (("ganlib", ()), ("common", ("ganlib",)), ("evaluation", ("ganlib",))):
        for path in (ROOT / top).rglob("*.py"):
            parts = (*above, *path.relative_to(ROOT).with_suffix("").parts)
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    del found["ganlib"]
    return found


FILES = files()


def imports(module: str, types: bool = False) -> Iterator[str]:
    """The modules of the library that a module imports, also in functions; for types alone only
    where `types` are wanted too.
    """
    tree = ast.parse(FILES[module].read_text("utf-8"))
    for node in ast.walk(tree) if types else _running(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:  # of a method, whose files are beside each other
                here = FILES[module].name == "__init__.py"
                base = ".".join([module if here else module.rpartition(".")[0], base]).rstrip(".")
            names = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            while name and name not in FILES:
                name = name.rpartition(".")[0]
            if name:
                yield name


def _running(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)):
            yield from _running(child)


def test_imports_are_seen_wherever_they_stand() -> None:
    assert {"ganlib.common.errors", "ganlib.evaluation", "ganlib.training.scores.scorer"} < set(
        imports("ganlib.runs.default_extensions")
    )
    assert "ganlib.runs.run" in set(imports("ganlib.commands.train"))  # in a function
    assert "ganlib.updater" in set(imports("ganlib.dcgan.updater"))  # from ganlib
    assert "ganlib.dcgan.net" in set(imports("ganlib.dcgan"))  # as .net
    assert "ganlib.training.trainer" not in set(imports("ganlib.registry"))  # for its types
    assert "ganlib.training.trainer" in set(imports("ganlib.registry", types=True))


def test_every_file_is_in_a_room() -> None:
    assert [module for module in FILES if room_of(module) is None] == []


@pytest.mark.parametrize("room", rooms())
def test_imports_point_down(room: str) -> None:
    level = rooms()
    wrong = []
    for module in (m for m in FILES if room_of(m) == room):
        for other in imports(module):
            there = room_of(other)
            assert there is not None
            method = there.removeprefix("ganlib.") in METHODS
            allowed = there == room or level[there] > level[room]
            if method:  # nobody but a method names one; all others ask the registry
                allowed = room.removeprefix("ganlib.") in METHODS
            if not allowed:
                wrong.append(f"{module} imports {other}")
    assert wrong == []


def test_no_import_leads_back() -> None:
    """Not for types alone either: who reads one file must read those that it speaks of."""
    graph = {module: set(imports(module, types=True)) - {module} for module in FILES}
    done: set[str] = set()

    def visit(module: str, way: list[str]) -> None:
        assert module not in way, " > ".join([*way[way.index(module) :], module])
        if module not in done:
            for other in sorted(graph[module]):
                visit(other, [*way, module])
            done.add(module)

    for module in graph:
        visit(module, [])


def test_a_level_can_be_taken_in_at_a_glance() -> None:
    """At most 20 files and folders lie side by side in a room."""
    rooms = ["common", "evaluation", *(f"ganlib/{name}" for name in OF_THE_MACHINE)]
    levels = {
        path: [p for p in path.iterdir() if p.is_dir() or p.suffix in (".py", ".pyi")]
        for room in rooms
        for path in (ROOT / room, *(p for p in (ROOT / room).rglob("*") if p.is_dir()))
    }
    names = {
        path: [p.name for p in found if p.name != "__pycache__"] for path, found in levels.items()
    }
    crowded = {
        str(path.relative_to(ROOT)): len(found) for path, found in names.items() if len(found) > 20
    }
    assert crowded == {}
