"""Options from the fields of settings; --help with what people use, --help-all with all."""

from collections.abc import Collection, Sequence
from types import NoneType
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

import click

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

SHORT = {"algorithm": "-a", "gpu": "-g", "out": "-o"}
WORDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}


def options(model: "type[BaseModel]") -> list[click.Option]:
    """One option per field. Values stay text (None if not given): the model checks them."""
    from ganlib.runs.settings import ALIASES  # imports pydantic, which other helps spare

    fields, aliases = model.model_fields, dict[str, list[str]]()
    for alias in sorted(ALIASES.keys() - fields):
        aliases.setdefault(ALIASES[alias], []).append(alias)
    return [_option(name, field, aliases.get(name, [])) for name, field in fields.items()]


def dashed(name: str) -> str:
    """A flag as it is listed; settings and chainer-gan-lib have underscores, which do as well."""
    return name.replace("_", "-")


def _option(name: str, field: "FieldInfo", aliases: Sequence[str]) -> click.Option:
    text = f"{field.description or ''} {_facts(field)}".strip()
    flag = dashed(name)
    if bool in _flatten(field.annotation):
        return click.Option([name, f"--{flag}/--no-{flag}"], default=None, help=text)
    spellings = [f"--{flag}", *(dashed(f"--{alias}") for alias in aliases)]
    short = [SHORT[name]] if name in SHORT else []
    # click takes any flag_value, None too, to mean that the value may be left out
    optional: dict[str, Any] = {"flag_value": "auto"} if name == "resume" else {}
    return click.Option(
        [name, *short, *spellings],
        multiple=get_origin(field.annotation) is tuple,
        help=text,
        metavar=_kind(field),
        default=None,
        is_flag=False,
        **optional,
    )


def _kind(field: "FieldInfo") -> str:
    types = [t for t in _flatten(field.annotation) if t is not NoneType]
    if get_origin(types[0]) is Literal:
        return "|".join(map(str, get_args(types[0])))
    return {"int": "N", "float": "X", "Path": "PATH", "str": "NAME"}.get(types[0].__name__, "VALUE")


def _facts(field: "FieldInfo") -> str:
    """Range and default in brackets."""
    facts = [
        f"{word} {getattr(bound, key):g}"
        for bound in _bounds(field)
        for key, word in WORDS.items()
        if getattr(bound, key, None) is not None
    ]
    unsaid = any(field.default is nothing for nothing in (None, (), "", False))
    if not (field.is_required() or unsaid):
        facts.append(f"default {field.default}")
    return f"[{'; '.join(facts)}]" if facts else ""


def _bounds(field: "FieldInfo") -> list[Any]:
    inner = [m for t in get_args(field.annotation) for m in getattr(t, "__metadata__", ())]
    nested = [m for entry in inner for m in getattr(entry, "metadata", [])]
    return [*field.metadata, *inner, *nested]


def _flatten(annotation: Any) -> list[Any]:
    """The plain types in a union, an Annotated or a tuple."""
    if get_origin(annotation) is Literal or not get_args(annotation):
        return [annotation]
    parts = get_args(annotation)
    first = parts[:1] if hasattr(annotation, "__metadata__") else parts
    return [t for part in first for t in _flatten(part)]


class ShortHelp(click.Command):
    """`usual`: the names of the parameters that --help shows."""

    def __init__(self, *args: Any, usual: Collection[str] = (), **more: Any) -> None:
        super().__init__(*args, **more)
        self.usual = usual

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*super().get_params(ctx), HELP_ALL]

    def groups(self, ctx: click.Context) -> dict[str, Sequence[click.Parameter]]:
        """All parameters by the titles that they stand under."""
        return {"Options": self.get_params(ctx)}

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, parameters in self.groups(ctx).items():
            shown = [p for p in parameters if ctx.meta.get(ALL) or p.name in self.usual]
            records = [r for p in shown if (r := p.get_help_record(ctx)) is not None]
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)
        if not ctx.meta.get(ALL):
            formatter.write_paragraph()
            formatter.write_text("--help-all shows all options.")


ALL = "ganlib.help_all"


def _show_all(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked:
        ctx.meta[ALL] = True
        click.echo(ctx.get_help())
        ctx.exit()


HELP_ALL = click.Option(
    ["--help-all"], is_flag=True, is_eager=True, expose_value=False, callback=_show_all
)
