"""What is said to somebody who has no command line."""

import click
import pytest

from ganlib.common.errors import StoppedError, UserError
from ganlib.common.io.console import in_python, spoken

SENTENCES = [
    ("give another --out, or --resume auto.", 'give another out=, or resume="auto".'),
    ("try --accumulate 2 or --batch-size 32.", "try accumulate=2 or batch_size=32."),
    ("smaller networks (--width 0.5).", "smaller networks (width=0.5)."),
    ("leave --source out.", "leave source= out."),
    ("past --max-iter 300: give", "past max_iter=300: give"),
    ("by --source unpaired:NAME.", 'by source="unpaired:NAME".'),
    ("--resume=a/b c takes it on", 'resume="a/b" c takes it on'),
    ("--best-by: no evaluation gives 'x'", "best_by: no evaluation gives 'x'"),
    ("Give --no-graph, or --force", "Give graph=False, or force=True"),
    ("`ganlib data prepare --enlarge` takes them", "`ganlib data prepare --enlarge` takes them"),
    ("/home/a--b/--out/x is a--b", "/home/a--b/--out/x is a--b"),
]


@pytest.mark.parametrize(("flags", "keywords"), SENTENCES)
def test_flags_are_keywords_in_python_alone(flags: str, keywords: str) -> None:
    assert spoken(flags) == keywords and spoken(keywords) == keywords
    with click.Context(click.Command("train")):
        assert spoken(flags) == flags


@pytest.mark.parametrize("kind", [UserError, StoppedError])
def test_errors_of_a_function_are_spoken(kind: type[Exception]) -> None:
    @in_python
    def fails(name: str) -> None:
        raise kind(f"leave --{name} out.")

    with pytest.raises(kind, match="^leave size= out.$"):
        fails("size")
    with click.Context(click.Command("train")), pytest.raises(kind, match="^leave --size out.$"):
        fails("size")
