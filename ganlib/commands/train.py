"""Train an algorithm; its settings are flags."""

from pathlib import Path
from typing import Any

import click

from common.errors import UserError
from ganlib.config import RunConfig, read_yaml, unknown_setting
from ganlib.options import options
from ganlib.registry import add_plugins, algorithms


class TrainCommand(click.Command):
    """Options are the run's fields and those of the algorithm that the arguments name."""

    algorithm: str | None = None
    own: list[click.Option] = []

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        self.algorithm = _algorithm(args)
        fields = set(RunConfig.model_fields)
        run = [o for o in options(RunConfig)]
        self.own = []
        if self.algorithm is not None:
            config = algorithms[self.algorithm].config
            self.own = options(config)
            fields |= set(config.model_fields)
        fixed = [p for p in self.params if p.name in ("config", "list_all")]
        self.params = [*fixed, *run, *self.own]
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            name = error.option_name.lstrip("-").replace("-", "_")
            if self.algorithm is None:
                raise UserError(
                    f"There is no option '{error.option_name}' of every run; "
                    "an algorithm's own need --algorithm NAME."
                ) from None
            raise UserError(unknown_setting(name, self.algorithm, fields)) from None

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        own = {option.name for option in self.own}
        groups = (
            (f"Settings of {self.algorithm}", [p for p in self.get_params(ctx) if p.name in own]),
            ("Settings of every run", [p for p in self.get_params(ctx) if p.name not in own]),
        )
        for title, parameters in groups:
            records = [r for p in parameters if (r := p.get_help_record(ctx)) is not None]
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


def _list(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        from ganlib.commands.list import show

        show()
        ctx.exit()


@click.command(cls=TrainCommand, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--list",
    "list_all",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list,
    help="List all algorithms with their papers.",
)
@click.option("--config", metavar="FILE", help="Settings from a YAML file; flags go before it.")
def command(**values: Any) -> None:
    """Train a generator: python train.py --algorithm sngan

    `--algorithm NAME --help` shows the settings of that algorithm too.
    """
    from ganlib.run import gather, run

    run(gather({name: value for name, value in values.items() if value not in (None, ())}))


def _algorithm(args: list[str]) -> str | None:
    """The algorithm that the arguments name, by flag, settings file or run to resume; plugins are
    registered.
    """
    peeked = _peek(args)
    file = read_yaml(Path(peeked["config"])) if peeked["config"] else {}
    for folder in peeked["plugin_dir"] or file.get("plugin_dir") or ():
        add_plugins(Path(folder))
    name = peeked["algorithm"] or file.get("algorithm")
    if name is None and peeked["resume"] not in (None, "auto"):
        from ganlib.run import settings_to_resume

        name = settings_to_resume(peeked["resume"]).get("algorithm")
    return name if name is None else str(name)


def _peek(args: list[str]) -> dict[str, Any]:
    names = ("algorithm", "plugin_dir", "resume")
    wanted: list[click.Parameter] = [o for o in options(RunConfig) if o.name in names]
    parser = click.Command(
        "peek",
        params=[*wanted, click.Option(["--config"])],
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )
    return parser.make_context("peek", list(args), resilient_parsing=True).params
