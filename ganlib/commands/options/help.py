"""A help with the options that people use, and --help-all for all of them."""

from collections.abc import Collection, Sequence
from typing import Any

import click


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
