"""How a script ends on bad input: as the library's own commands do."""

from collections.abc import Callable

import click

from ganlib.common.errors import UserError


def in_a_sentence(main: Callable[[], object]) -> None:
    """Run a script; a UserError, or what is wrong with a file, is one line and exit status 2."""
    try:
        main()
    except (UserError, OSError) as error:
        click.echo(f"Error: {error}", err=True)
        raise SystemExit(2) from None
