"""Tables of published figures: what is trained, what is kept of it, and what is printed."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import mean, stdev
from subprocess import CompletedProcess
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from click.testing import Result

from ganlib.commands import evaluate as evaluating
from ganlib.common.errors import StoppedError, UserError
from ganlib.common.io.cache import locked
from ganlib.evaluation import Evaluator
from ganlib.runs import jobs, tables
from ganlib.runs.tables import open_table, read_results, table_names

Run = Callable[..., Result]
LIMIT = 60.0  # seconds that anything may take
TABLE = """
title: Toys
notes: [Published by nobody.]
score: reverse_kl
checkpoints: true
seeds: 2
trials: 3
settings: {dataset: ring8, batch_size: 4, gpu: -1, max_iter: 20, evaluation_interval: 10,
  tensorboard: false, sample_interval: 0, evaluation_images: 100, display_interval: 5,
  adam_alpha: 2e-3, width: 0.25}
search: {adam_alpha: 'log:1e-3..1e-2'}
rows:
  dcgan: {published: [9.5, 0.1]}
  again: {published: [2.55, 0.1], settings: {algorithm: dcgan, adam_alpha: 3e-3}, search: {}}
  large: {settings: {algorithm: lsgan}, card: true, note: the only one}
"""


@pytest.fixture
def toys(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The table, in the folder where `run` is, without a card."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(jobs, "POLL", 0.01)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    path = tmp_path / "toys.yaml"
    path.write_text(TABLE)
    return path


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that train nothing, and take two hours: see scored_job.py."""
    monkeypatch.setattr(jobs, "estimates", lambda *_: {})
    job = str(Path(__file__).with_name("scored_job.py"))
    monkeypatch.setattr(jobs, "COMMAND", (sys.executable, job))
    monkeypatch.setattr(tables, "seconds_of", lambda *_: (7200.0, 360.0))


def cells(output: str, row: str) -> list[str]:
    """Of the last line that begins with the row's name."""
    (*_, line) = (line for line in output.splitlines() if line.split()[:1] == [row])
    return [cell for part in line.split("  ") if (cell := part.strip())]


def first_of(trial: dict[str, Any]) -> float:
    return float(trial["seed"] + 1000 * trial["adam_alpha"])


def figure(values: list[float]) -> str:
    spread = f" +- {stdev(values):.2f}" if len(values) > 1 else ""
    return f"{mean(values):.2f}{spread}"


@pytest.mark.usefixtures("pretended", "usual_signals")
def test_published_figures_stand_beside_ours(run: Run, toys: Path) -> None:
    done = run("reproduce", "toys.yaml", "--jobs", "2")
    assert done.exit_code == 0, done.output
    lines = [json.loads(line) for line in toys.with_suffix(".jsonl").read_text().splitlines()]
    tried = [line["settings"] for line in lines if line["row"] == "dcgan"]
    assert sorted(line["seed"] for line in tried) == [0, 0, 0, 1]
    trials = [settings for settings in tried if settings["seed"] == 0]
    drawn = [settings["adam_alpha"] for settings in trials if settings["adam_alpha"] != 2e-3]
    assert len(drawn) == 2 and all(1e-3 <= alpha <= 1e-2 for alpha in drawn)
    best = min(settings["adam_alpha"] for settings in trials)
    (second,) = (settings for settings in tried if settings["seed"] == 1)
    assert second["adam_alpha"] == best
    firsts = [1000 * best, 1 + 1000 * best]
    given = [first_of(s) for s in tried if s["adam_alpha"] == 2e-3]
    assert cells(done.output, "dcgan") == [
        *("dcgan", "9.5 +- 0.1"),
        *(f"{figure(values)} (n=1)" for values in ([1.5 * x for x in given], given)),
        *("3", figure([1.5 * x for x in firsts]), f"{figure(firsts)} *", "2", "2"),
    ]
    # as far from what was published, but nothing was searched for
    ours = [figure([4.5, 6.0]), figure([3.0, 4.0])]
    assert cells(done.output, "again") == ["again", "2.55 +- 0.1", *ours, "1", "–", "–", "2", "2"]
    assert "Left out, as they are for a card: large. --rows takes them." in done.output
    assert "large" not in done.output.partition("Toys: reverse_kl")[2]
    line = next(line for line in lines if line["settings"] == trials[0])
    first = first_of(trials[0])
    assert line["processor"] == "an old one" and line["seconds"] == 2.0
    assert line["scores"]["reverse_kl"]["values"] == [[10, first], [20, 1.5 * first]]
    assert line["scores"]["reverse_kl"]["protocol"]["n_generated"] == 100


@pytest.mark.usefixtures("pretended", "usual_signals")
def test_one_that_is_stopped_goes_on_to_what_another_prints(run: Run, toys: Path) -> None:
    hold = Path("result/reproduce/toys/hold")
    hold.parent.mkdir(parents=True)
    hold.touch()

    def stop() -> None:
        limit = time.monotonic() + LIMIT
        while not (hold.parent / "again_seed1/ready").exists() and time.monotonic() < limit:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=stop)
    thread.start()
    stopped = run("reproduce", "toys.yaml", "--jobs", "2")
    thread.join()
    assert isinstance(stopped.exception, StoppedError)
    hold.unlink()
    results = toys.with_suffix(".jsonl")
    begun = results.read_text().splitlines()
    assert len(begun) == 4
    results.write_text("\n".join([*begun[1:], "{"]))  # killed before one line, and within another
    before = {path: path.stat().st_mtime_ns for path in hold.parent.glob("*_seed0/DONE")}
    gone_on = run("reproduce", "toys.yaml", "--jobs", "2")
    assert gone_on.exit_code == 0, gone_on.output
    assert {path: path.stat().st_mtime_ns for path in before} == before
    again = toys.with_name("undisturbed.yaml")
    again.write_text(TABLE)
    undisturbed = run("reproduce", "undisturbed.yaml")
    table = undisturbed.stdout.partition("Toys: reverse_kl")[2]
    assert "again" in table and gone_on.stdout.partition("Toys: reverse_kl")[2] == table
    assert len(read_results(results)) == len(read_results(again.with_suffix(".jsonl"))) == 6
    assert run("reproduce", "toys.yaml").stdout == gone_on.stdout  # nothing is left to do


@pytest.mark.usefixtures("pretended", "usual_signals")
def test_two_commands_at_one_table_keep_the_lines_of_each_other(run: Run, toys: Path) -> None:
    run("reproduce", "toys.yaml", "--rows", "dcgan")
    path = toys.with_suffix(".jsonl")
    task = open_table("toys.yaml").tasks("dcgan", 0, 3)[0]
    told = {line.is_of(task): f"{line.model_dump_json()}\n" for line in read_results(path)}
    path.write_text("")
    with locked(path):
        at = Path("result/reproduce/toys", task.name)
        other = threading.Thread(target=tables.record, args=(path, task, at))
        other.start()
        other.join(0.2)
        assert other.is_alive()
        path.write_text(told[False])
    other.join(LIMIT)
    assert path.read_text() == told[False] + told[True]


@pytest.mark.usefixtures("pretended", "usual_signals")
def test_what_it_costs_is_said_first(run: Run, toys: Path) -> None:
    plan = run("reproduce", "toys.yaml", "--plan")
    assert cells(plan.output, "dcgan") == ["dcgan", "4", "0", "2.00", "0.10", "8.40"]
    assert cells(plan.output, "again") == ["again", "2", "0", "2.00", "0.10", "4.20"]
    assert "About 12.6 hours of one run after the other on this machine" in plan.output
    assert not Path("result").exists() and not toys.with_suffix(".jsonl").exists()
    assert run("reproduce", "toys.yaml", "--rows", "again", "--seeds", "3").exit_code == 0
    more = run("reproduce", "toys.yaml", "--rows", "again,large", "--seeds", "3,4", "--plan")
    assert cells(more.output, "again") == ["again", "2", "1", "2.00", "0.10", "2.10"]
    assert cells(more.output, "large") == ["large", "4", "0", "2.00", "0.10", "8.40"]
    shown = run("reproduce", "toys.yaml", "--rows", "again,dcgan", "--seeds", "3", "--show")
    assert "Without a result: dcgan." in shown.output
    marked = run(
        "reproduce", "toys.yaml", "--rows", "again", "--seeds", "3", "--show", "--markdown"
    )
    assert "| again | 2.55 +- 0.1 | 9.00 | 6.00 | 1 | 2 |" in marked.output
    assert "|  | published | reverse_kl | best checkpoint | n | seconds |" in marked.output


@pytest.mark.usefixtures("pretended", "usual_signals")
def test_the_first_seed_is_scored_once_more(
    run: Run, toys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def evaluate(arguments: list[str], **_: Any) -> None:
        asked.append(arguments)
        score = {"value": 0.0725, "hash": "d", "protocol": {"extractor": "other"}}
        line = json.dumps({"iteration": 20, "scores": {"FID9-test": score}})
        (Path(arguments[0]) / "trials.jsonl").write_text(f"{line}\n")

    def refuse(*_: Any, **__: Any) -> None:
        raise UserError("No weights here.")

    monkeypatch.setattr(evaluating.command, "main", evaluate)
    flags = "--metrics fid --reference 'my test'"
    toys.write_text(f'{TABLE}first: {{FID9-test: "{flags}"}}\n')
    with monkeypatch.context() as patch:
        patch.setattr(evaluating.command, "main", refuse)
        done = run("reproduce", "toys.yaml", "--rows", "again")
        assert done.exit_code == 1
        assert "again_seed0: No weights here." in " ".join(done.output.split())
        assert cells(done.output, "again")[4:] == ["–", "2", "2"]
    for _ in range(2):
        done = run("reproduce", "toys.yaml", "--rows", "again")
        assert cells(done.output, "again")[4:] == ["0.0725 (n=1)", "2", "2"]
    wanted = ["result/reproduce/toys/again_seed0", "--metrics", "fid", "--reference", "my test"]
    assert asked == [wanted]


def test_a_run_is_scored_as_often_as_it_is_evaluated(
    toys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (task,) = open_table("toys.yaml").tasks("again", 0, 1)
    points = task.settings.run
    told = {"dataset": "fashion_mnist", "extractor": "fashion", "evaluation_interval": 3907}
    told["evaluation_images"] = 5000
    run = points.model_copy(update=told)
    task = tables.Task("again", 0, tables.replace(task.settings, run=run))
    planned = SimpleNamespace(hours=1.0, iterations=15_625)
    monkeypatch.setattr(tables, "make_plan", lambda _: planned)
    costs = iter([(65_000, 650.0)])
    monkeypatch.setattr(Evaluator, "cost", lambda self, n: next(costs))
    rates: dict[str, float] = {}
    for _ in range(2):  # measured once
        assert tables.seconds_of(task, rates) == (3600.0, pytest.approx(4 * 50))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("title: Toys", "title: [", "toys.yaml cannot be read as YAML"),
        ("title: Toys", "tilte: Toys", "toys.yaml is no table: title: Field required."),
        ("seeds: 2", "seeds: 0", "is no table: seeds: Input should be greater than or equal to 1."),
        ("  dcgan:", "  dcgna:", "toys.yaml, dcgna: There is no algorithm 'dcgna'. Did you mean"),
        ("  dcgan:", "  dcgan, long:", "toys.yaml is no table: rows.dcgan, long."),
        ("max_iter: 20", "max_itre: 20", "toys.yaml, dcgan: There is no setting 'max_itre'"),
        ("seeds: 2", "first: {FID: -m fid}", "toys.yaml: first: FID: No such option '-m'"),
        (
            "seeds: 2",
            "first: {FID: -n many}",
            "toys.yaml: first: FID: -n is many; give a whole number",
        ),
        ("seeds: 2", "first: {FID: -n '3}", "toys.yaml: first: FID: No closing quotation"),
        ("log:1e-3", "lgo:1e-3", "toys.yaml, dcgan: The range of adam_alpha is 'lgo:1e-3..1e-2'"),
    ],
)
def test_a_table_that_cannot_be_is_a_sentence(
    old: str,
    new: str,
    words: str,
    main_here: Callable[..., CompletedProcess[str]],
    toys: Path,
) -> None:
    toys.write_text(TABLE.replace(old, new))
    done = main_here("reproduce", "toys.yaml")
    assert done.returncode == 2 and words in done.stderr and done.stderr.count("Error") == 1
    assert not Path("result").exists()


@pytest.mark.usefixtures("pretended")
def test_what_is_damaged_stays_and_is_a_sentence(
    main_here: Callable[..., CompletedProcess[str]], toys: Path
) -> None:
    assert main_here("reproduce", "toys.yaml", "--rows", "again").returncode == 0
    results = toys.with_suffix(".jsonl")
    for damage in ('{"settings": {}}', "{", '{"row": 3}'):
        text = results.read_text() + f"{damage}\n"
        results.write_text(text)
        done = main_here("reproduce", "toys.yaml")
        assert done.returncode == 2 and f"Line 3 of {results}" in done.stderr
        assert results.read_text() == text
        results.write_text(text.removesuffix(f"{damage}\n"))
    toys.write_text(TABLE.replace("max_iter: 20", "max_iter: 30"))  # and the folder has the runs
    for _ in ("of the table", "put there"):
        done = main_here("reproduce", "toys.yaml", "--rows", "again")
        assert done.returncode == 2 and "max_iter was 20 and is now 30" in done.stderr
        assert len(read_results(results)) == 2
        for path in Path("result/reproduce/toys").glob("*/job.yaml"):
            path.unlink()
    for arguments, words in (
        (("toys.yml",), "There is no table 'toys.yml'."),
        (("toys.yaml", "--rows", "agian"), "has no row 'agian'. Did you mean 'again'?"),
        (("toys.yaml", "--rows", ""), "has no row ''. There are: "),
        (("toys.yaml", "--seeds", "x"), "--seeds is 'x'"),
    ):
        done = main_here("reproduce", *arguments)
        assert done.returncode == 2 and words in done.stderr


@pytest.mark.usefixtures("plugins")
def test_the_tables_of_the_checkout_are_listed_and_all_of_their_runs_can_be(run: Run) -> None:
    listed = run("reproduce")
    for name in table_names():
        table = open_table(name)
        assert f" {name} " in listed.output
        for row in table.rows:
            assert len(table.tasks(row, 0, 3)) == (3 if table.rows[row].search else 1)
    assert table_names() and listed.exit_code == 0


def test_runs_are_asked_for_the_score_so_that_they_say_at_once_if_they_give_none(
    toys: Path,
) -> None:
    def asked() -> str | None:
        (task,) = open_table("toys.yaml").tasks("dcgan", 0, 1)
        assert "best_by" not in task.key
        return task.settings.run.best_by

    assert asked() == "min:reverse_kl"
    toys.write_text(TABLE.replace("reverse_kl", "high_quality"))
    assert asked() == "max:high_quality"
    toys.write_text(TABLE.replace("reverse_kl", "FID10k-test\nfirst: {FID10k-test: --metrics fid}"))
    assert asked() is None


def test_the_table_of_the_page_can_be(toys: Path) -> None:
    page = (Path(tables.__file__).parents[2] / "docs" / "reproduce.md").read_text("utf-8")
    text = page.partition("```yaml\n")[2].partition("```")[0]
    toys.write_text(text.replace(", plugin_dir: mine", ""))
    table = open_table("toys.yaml")
    assert [len(table.tasks(row, 0, table.trials)) for row in table.rows] == [6, 1]


@pytest.mark.slow
def test_a_command_that_is_killed_goes_on_to_the_same_results(toys: Path) -> None:
    again = toys.with_name("undisturbed.yaml")
    again.write_text(TABLE)
    results = [path.with_suffix(".jsonl") for path in (toys, again)]
    command = [sys.executable, "-m", "ganlib", "reproduce", "--jobs", "2"]
    disturbed = subprocess.Popen([*command, "toys.yaml"], stdout=subprocess.DEVNULL)
    limit = time.monotonic() + LIMIT
    while not results[0].exists():
        assert disturbed.poll() is None and time.monotonic() < limit
        time.sleep(0.01)
    disturbed.kill()
    disturbed.wait()
    shown = [
        subprocess.run([*command, path.name], capture_output=True, text=True, check=True).stdout
        for path in (toys, again)
    ]
    kept = [{json.dumps(line.settings): line.scores for line in read_results(p)} for p in results]
    assert kept[0] == kept[1] and len(kept[0]) == 6
    tables_shown = [text.replace("seconds", "").split("Toys: reverse_kl")[1] for text in shown]
    assert cells(tables_shown[0], "dcgan")[:-1] == cells(tables_shown[1], "dcgan")[:-1]
