"""Train a generator, or several, with several seeds: a grid."""

from collections.abc import Sequence
from typing import Any, cast

import click

from ganlib.commands.options.fields import ShortHelp, dashed, options
from ganlib.common.errors import UserError
from ganlib.config import AlgorithmConfig, RunConfig
from ganlib.registry import algorithms
from ganlib.runs.settings import ALIASES, owners, parse_names, read_config, unknown_setting

OF_A_GRID = ("seeds", "sweep", "trials", "jobs")
USUAL = (
    *("algorithm", "preset", "dataset", "size", "flip", "seed", "out", "gpu", "resume"),
    *("epochs", "max_iter", "max_hours", "batch_size", "adam_alpha", "architecture"),
)


class TrainCommand(ShortHelp):
    """Options are its own, the run's fields, and those of the algorithm that the arguments name, or
    those that all algorithms have if they name none or several.
    """

    algorithm: str | None = None
    own: list[click.Option] = []

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.fixed = self.params

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        self.algorithm = _algorithm(args)
        fields = set(RunConfig.model_fields)
        run = options(RunConfig)
        self.usual = {*USUAL, *(p.name or "" for p in self.fixed)}
        if self.algorithm is None or "," in self.algorithm:
            self.own = _options_of_all(self.algorithm or "")
        else:
            config = algorithms[self.algorithm].config
            self.own = options(config)
            fields |= set(config.model_fields)
            self.usual |= config.model_fields.keys() - AlgorithmConfig.model_fields.keys()
            self.usual |= {"source"} if config.condition in ("images", "unpaired") else set()
        self.params = [*self.fixed, *run, *self.own]
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            raise UserError(_no_flag(error.option_name, self.algorithm, fields)) from None

    def groups(self, ctx: click.Context) -> dict[str, Sequence[click.Parameter]]:
        """The algorithm's settings, or those that all have, before those of every run."""
        own = {option.name for option in self.own}
        return {
            f"Settings of {self.algorithm or 'every algorithm'}": self.own,
            "Settings of every run": [p for p in self.get_params(ctx) if p.name not in own],
        }


def _list(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        from ganlib.commands.list import show

        show()
        ctx.exit()


CONTEXT = {"help_option_names": ["-h", "--help"], "token_normalize_func": dashed}
config = click.option(
    "--config",
    metavar="FILE",
    help="Settings from a YAML file, or an example of ganlib's by name; flags go before it.",
)


@click.command(cls=TrainCommand, context_settings=CONTEXT)
@click.option(
    "--list",
    "list_all",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list,
    help="List all algorithms with their papers.",
)
@config
@click.option("--seeds", metavar="N,N,...", help="Train with each of these seeds.")
@click.option(
    "--sweep",
    metavar="NAME=V,V,...",
    multiple=True,
    help="Train with each of these values; may be repeated. With --trials also ranges, "
    "log:1e-5..1e-2 or uniform:0..1.",
)
@click.option(
    "--trials",
    type=click.IntRange(min=1),
    metavar="N",
    help="Draw so many points from what --sweep has, the same ones for the same seed.",
)
@click.option(
    "--jobs",
    metavar="N|auto",
    help="Runs at a time; auto: one for each GPU, or without any for each core.  [default 1]",
)
@click.option("--launcher", metavar="slurm", help="Submit to a cluster: see docs/clusters.md.")
@click.pass_context
def command(ctx: click.Context, /, **values: Any) -> None:
    """Train a generator: python train.py --algorithm sngan

    `--algorithm NAME --help` shows the settings of that algorithm, `--help-all` all settings.

    A grid, `--algorithm dcgan,sngan --seeds 0,1,2 --sweep width=0.5,1`, trains all combinations,
    each in a folder in --out (default result/grid), and ends with a table. Started again, it goes
    on with what is not done. An algorithm's own settings stand under its name in the file of
    --config.
    """
    given = {name: value for name, value in values.items() if value not in (None, ())}
    named = cast(TrainCommand, ctx.command).algorithm or ""
    if "," in named or any(name in given for name in OF_A_GRID):
        ctx.exit(_train_grid({**given, "algorithm": named}))
    if "launcher" in given:
        from ganlib.runs.slurm import parse_launcher, submit_run

        return submit_run(given, parse_launcher(given.pop("launcher")))
    from ganlib.runs.run import gather, run

    run(gather(given))


def _train_grid(given: dict[str, Any]) -> int:
    """Train, print the table and what failed; the exit status."""
    from ganlib.commands.compare import show
    from ganlib.evaluation.comparison.compare import compare
    from ganlib.runs.from_python import train_grid

    states = train_grid(**given)
    if found := [folder for folder in states if (folder / "config.yaml").exists()]:
        show(compare(found, split=True))
    failed = {run: state for run, state in states.items() if state.name in ("failed", "lost")}
    for run, state in failed.items():
        click.echo(f"Error: {run}: {state.sentence or state.name}", err=True)
    return 1 if failed else 0


def _options_of_all(names: str) -> list[click.Option]:
    """One option per setting that all algorithms have; their defaults differ, and are not told. No
    alias that is a setting of one of those named.
    """
    named = parse_names(names) if names else []
    owned = {f"--{alias}" for alias in ALIASES if owners(alias, named)}
    shared = options(AlgorithmConfig)
    for option in shared:
        option.help = (option.help or "").partition(" [")[0]
        option.opts = [opt for opt in option.opts if opt not in owned]
    return shared


def _no_flag(flag: str, algorithm: str | None, fields: set[str]) -> str:
    """The sentence for a flag that there is not, of one algorithm, of a grid or of every run."""
    name = flag.lstrip("-").replace("-", "_")
    if name in (*OF_A_GRID, "launcher"):
        return f"{flag} is a flag of train alone: a plan is that of one run."
    if algorithm is None:
        return (
            f"There is no option '{flag}' of every run; an algorithm's own need --algorithm NAME."
        )
    if "," not in algorithm:
        return unknown_setting(name, algorithm, fields)
    having = owners(name, parse_names(algorithm))
    if not having:
        return unknown_setting(name, algorithm, fields | set(AlgorithmConfig.model_fields))
    return (
        f"{flag} is no flag of a grid, as not every algorithm has it: give --config with a file in "
        f"which it stands under '{having[0]}:'."
    )


def _algorithm(args: list[str]) -> str | None:
    """The algorithm of the arguments, by flag, file or run to resume; plugins are registered."""
    peeked = _peek(args)
    file = read_config(peeked)
    name = peeked["algorithm"] or file.get("algorithm")
    if name is None and peeked["resume"] is not None:
        from ganlib.runs.resuming import settings_to_resume

        name = settings_to_resume(peeked["resume"]).get("algorithm")
    return name if name is None else str(name)


def _peek(args: list[str]) -> dict[str, Any]:
    names = ("algorithm", "plugin_dir", "resume")
    wanted = [option for option in options(RunConfig) if option.name in names]
    parser = click.Command("peek", params=[*wanted, click.Option(["--config"])])
    lenient: dict[str, Any] = {"ignore_unknown_options": True, "allow_extra_args": True}
    lenient |= {"help_option_names": [], "resilient_parsing": True}
    return parser.make_context("peek", list(args), token_normalize_func=dashed, **lenient).params
