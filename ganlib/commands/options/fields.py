"""Options from the fields of settings; --help with what people use, --help-all with all."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pydantic import BaseModel

SHORT = {"algorithm": "-a", "gpu": "-g", "out": "-o"}
KINDS = {"integer": "N", "number": "X", "path": "PATH", "string": "NAME"}
WORDS = {
    **dict.fromkeys(("minimum", "ge"), "at least"),
    **dict.fromkeys(("exclusiveMinimum", "gt"), "more than"),
    **dict.fromkeys(("maximum", "le"), "at most"),
    **dict.fromkeys(("exclusiveMaximum", "lt"), "less than"),
}
"""Of the bounds in a schema of pydantic's, which are called as it does where a validator of ours
stands beside them.
"""


def options(model: "type[BaseModel]") -> list[click.Option]:
    """One option per field. Values stay text (None if not given): the model checks them."""
    from ganlib.runs.settings import ALIASES  # which other helps spare

    fields, aliases = model.model_fields, defaultdict[str, list[str]](list)
    for alias in sorted(ALIASES.keys() - fields):
        aliases[ALIASES[alias]].append(alias)
    schemas = _schemas(model)
    return [
        _option(name, schemas[name], None if field.is_required() else field.default, aliases[name])
        for name, field in fields.items()
    ]


@cache
def _schemas(model: "type[BaseModel]") -> Mapping[str, Mapping[str, Any]]:
    """Kept: many settings take pydantic a while."""
    from pydantic.json_schema import GenerateJsonSchema

    class Schema(GenerateJsonSchema):
        ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}

        def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> dict[str, Any]:
            return {}  # of a type of a method's own, which makes something of text by itself

    found: Mapping[str, Mapping[str, Any]] = model.model_json_schema(
        by_alias=False, schema_generator=Schema
    )["properties"]
    return found


def dashed(name: str) -> str:
    """A flag as it is listed; settings and chainer-gan-lib have underscores, which do as well."""
    return name.replace("_", "-")


def _option(
    name: str, schema: Mapping[str, Any], default: Any, aliases: Sequence[str]
) -> click.Option:
    kind = next(k for k in schema.get("anyOf", [schema]) if k.get("type") != "null")
    text = f"{schema.get('description', '')} {_facts(kind, default)}".strip()
    flag = dashed(name)
    if kind.get("type") == "boolean":
        return click.Option([name, f"--{flag}/--no-{flag}"], default=None, help=text)
    spellings = [f"--{flag}", *(dashed(f"--{alias}") for alias in aliases)]
    short = [SHORT[name]] if name in SHORT else []
    # click takes any flag_value, None too, to mean that the value may be left out
    optional: dict[str, Any] = {"flag_value": "auto"} if name == "resume" else {}
    one = kind.get("items", kind)
    choices = one.get("enum", [one["const"]] if "const" in one else [])
    return click.Option(
        [name, *short, *spellings],
        multiple=kind.get("type") == "array",
        help=text,
        metavar="|".join(map(str, choices))
        or KINDS.get(one.get("format", one.get("type")), "VALUE"),
        default=None,
        is_flag=False,
        **optional,
    )


def _facts(kind: Mapping[str, Any], default: Any) -> str:
    """Range and default in brackets."""
    facts = [f"{WORDS[key]} {bound:g}" for key, bound in kind.items() if key in WORDS]
    if not any(default is nothing for nothing in (None, (), "", False)):
        facts.append(f"default {default}")
    return f"[{'; '.join(facts)}]" if facts else ""


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
