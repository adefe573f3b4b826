"""The command line as a user meets it: help, listing, and one sentence for what is wrong."""

import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path

import click
import pytest
import torch
from click.testing import CliRunner, Result

import ganlib
from ganlib.__main__ import VERBS, cli, main
from ganlib.commands.list import show
from ganlib.common.errors import UserError
from ganlib.common.registry import modules
from ganlib.config import RunConfig
from ganlib.registry import ROOMS, algorithms

Run = Callable[..., Result]
Call = Callable[..., subprocess.CompletedProcess[str]]
ROOT = Path(ganlib.__file__).parents[1]


@pytest.fixture
def call(main_here: Call, monkeypatch: pytest.MonkeyPatch) -> Call:
    """call("-a", "sngan", ...): train.py in this process, without a GPU and in an empty folder."""
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    return partial(main_here, verb="train")


def test_list_imports_no_torch(tmp_path: Path) -> None:
    code = "import sys; sys.argv = ['ganlib', 'train', '--list']\n"
    code += "from ganlib.__main__ import main\ntry: main()\nexcept SystemExit: pass\n"
    code += "sys.exit('torch' in sys.modules or 'ganlib.sngan' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0
    for name in algorithms.names():
        assert f"\n{name} " in "\n" + done.stdout
    assert done.stdout.count("https://") == len(algorithms.names())


@pytest.mark.parametrize("width", [80, 120])
def test_a_list_breaks_no_word_of_a_terminal(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("FORCE_COLOR", "1")  # for rich what is captured is then a terminal
    show()
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= width
    assert " ".join(" ".join(lines).split()) == " ".join(
        f"{name} {' '.join(' '.join(algorithms.describe(name).split(chr(10) * 2)[:2]).split())}"
        for name in algorithms.names()
    )
    start = max(map(len, algorithms.names())) + 2
    assert {len(line) - len(line.lstrip()) for line in lines} == {0, start}


def test_help_of_the_program_imports_no_torch() -> None:
    for verb in ("[]", "['train']"):
        code = f"import sys; sys.argv = ['ganlib', *{verb}, '--help']\n"
        code += "from ganlib.__main__ import main\ntry: main()\nexcept SystemExit: pass\n"
        code += "sys.exit('torch' in sys.modules)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.returncode == 0, verb
    names = sorted(name for room in VERBS.values() for name, _ in modules(room))
    help_of_all = CliRunner().invoke(cli, ["--help"]).output.partition("Commands:")[2]
    assert [line.split()[0] for line in help_of_all.splitlines() if line[2:3].strip()] == names
    assert "Draw images from a trained generator." in help_of_all


@pytest.mark.parametrize("verb", ["smaple", "SAMPLE", "sampel"])
def test_a_mistyped_verb_is_found(verb: str) -> None:
    with pytest.raises(UserError, match="There is no verb .*Did you mean 'sample'?"):
        CliRunner().invoke(cli, [verb], catch_exceptions=False)


def test_help_shows_an_algorithms_own_settings_and_what_people_use(run: Run) -> None:
    general = run("train", "--help").output
    own = run("train", "--algorithm", "wgan_gp", "--help").output
    everything = run("train", "--algorithm", "wgan_gp", "--help-all").output
    assert "--n-dis" not in general and "--max-iter" in general and "--dataset" in general
    assert "Settings of wgan_gp" in own and "--n-dis N" in own
    text = " ".join(own.split())
    assert "Weight of the gradient penalty. [at least 0; default 10.0]" in text
    assert "dcgan|cnn|resnet" in text
    config = {*RunConfig.model_fields, *algorithms["wgan_gp"].config.model_fields}
    flags = {f"--{name.replace('_', '-')}" for name in config}
    assert flags <= set(re.findall("--[a-z0-9-]+", everything))
    assert len(own.splitlines()) < 70 < len(everything.splitlines())
    for rare in ("--snapshot-interval", "--ada-images"):
        assert rare in everything and rare not in own


def test_the_script_is_called_by_its_own_name(call: Call) -> None:
    assert call("--help").stdout.startswith("Usage: train.py [OPTIONS]")
    assert call("bogus").stderr.startswith("Usage: train.py [OPTIONS]")


def test_a_process_ends_with_its_status_and_one_line(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "train.py"), "-a", "sngan", "--n-dist", "3"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == "" and done.stderr.count("\n") == 1
    assert done.stderr.startswith("Error: ") and "Did you mean 'n_dis'" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("", "Which algorithm"),
        ("-a sngen", "Did you mean 'sngan'"),
        ("-a sngan --n-dist 3", "Did you mean 'n_dis'"),
        ("-a dcgan --n_dis 3", "dcgan has no setting 'n_dis'"),
        ("--n_dis 3", "need --algorithm"),
        ("-a sngan --adam_alpha fast", "adam_alpha is 'fast'"),
        ("-a sngan --batchsize 0", "batch_size is '0'"),
        ("-a sngan --dataset fashion_mnits", "Did you mean 'fashion_mnist'"),
        ("-a sngan --gpu 0", "-g -1"),
        ("-a sngan --device quantum", "quantum"),
        ("-a sngan --config missing.yaml", "no settings file"),
        ("-a sngan --config bad.yaml", "'n_dsi'"),
        ("-a sngan --resume nowhere.pt", "no snapshot"),
        ("-a sngan --plugin-dir nowhere", "no plugin folder"),
        ("-a broken --plugin-dir plugins", "ZeroDivisionError"),
        ("-a silent --plugin-dir plugins", "silent has no __init__.py that assigns ALGORITHM"),
        ("-a sngan extra words", "extra"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(
    arguments: str, sentence: str, call: Call, tmp_path: Path
) -> None:
    (tmp_path / "bad.yaml").write_text("n_dsi: 3\n")
    broken = tmp_path / "plugins" / "broken"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text('"""Broken."""\n1 / 0\nALGORITHM = None\n')
    (tmp_path / "plugins" / "silent").mkdir()
    (tmp_path / "plugins" / "silent" / "__init__.py").touch()
    before = sorted(tmp_path.rglob("*"))
    done = call(*arguments.split())
    assert done.returncode == 2
    assert sentence in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1 and done.stderr.rstrip().endswith(errors[0])
    assert sorted(p for p in tmp_path.rglob("*") if "__pycache__" not in str(p)) == before


def test_a_broken_folder_does_not_stop_the_others(call: Call, tmp_path: Path) -> None:
    broken = tmp_path / "plugins" / "broken"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("ALGORITHM =\n")
    done = call("-a", "dcgan", "--plugin-dir", "plugins", "--help")
    assert done.returncode == 0 and "Settings of dcgan" in done.stdout


def test_a_second_algorithm_of_one_name_is_refused(call: Call, tmp_path: Path) -> None:
    twin = tmp_path / "plugins" / "dcgan"
    twin.mkdir(parents=True)
    (twin / "__init__.py").write_text("ALGORITHM = None\n")
    done = call("-a", "dcgan", "--plugin-dir", "plugins")
    assert done.returncode == 2 and "Two algorithms are called 'dcgan'" in done.stderr


def test_an_algorithm_called_as_a_room_is_refused(call: Call, tmp_path: Path) -> None:
    for name in ROOMS:
        assert (ROOT / "ganlib" / name).is_dir() or (ROOT / name).is_dir()
    room = tmp_path / "plugins" / "training"
    room.mkdir(parents=True)
    (room / "__init__.py").write_text("ALGORITHM = None\n")
    done = call("-a", "dcgan", "--plugin-dir", "plugins")
    assert done.returncode == 2 and "is called as a room of ganlib is: rename it" in done.stderr


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_leaves_no_file_half_written(name: str, tmp_path: Path) -> None:
    code = f"""
import click, os, signal, sys
from pathlib import Path
from ganlib import __main__
from ganlib.common.io.files import atomic

for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)

@click.command()
def verb():
    with atomic(Path("big.npz")):
        os.kill(os.getpid(), signal.{name})

__main__.cli, sys.argv = verb, ["ganlib"]
__main__.main()
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr.strip()) == (1, "", "Aborted!")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_contract_test_runs_on_a_new_algorithm(main_here: Call, tmp_path: Path) -> None:
    main_here("new", "my_gan", "--from", "gan", "--plugin-dir", "mine")
    check = [sys.executable, "-m", "ganlib", "check", "my_gan", "--plugin-dir", "mine"]
    done = subprocess.run(check, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout and "failed" not in done.stdout and not done.stderr
    assert "hint: my_gan has no paper with its URL" in done.stdout
    updater = tmp_path / "mine" / "my_gan" / "updater.py"
    text = updater.read_text().replace("step(gen=loss_gen, dis", "step(gem=loss_gen, dis")
    updater.write_text(text)
    line = text[: text.index("gem=")].count("\n") + 1
    done = subprocess.run(check, cwd=tmp_path, capture_output=True, text=True)
    cause = "step(gem=...): there is no optimizer 'gem'. Did you mean 'gen'? "
    assert done.returncode == 1 and "1 failed" in done.stdout
    assert done.stdout.count(cause) == 1 and f"{cause}(my_gan/updater.py:{line})" in done.stdout
    assert done.stdout.count("FAILED, as above") > 10


def test_a_check_is_of_the_data_that_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    monkeypatch.setattr(pytest, "main", lambda given, plugins: seen.extend(given) or 0)
    command = import_module("ganlib.commands.check").command
    result = CliRunner().invoke(command, ["pix2pix", "--dataset", "emoji", "--source", "grey"])
    assert result.exit_code == 0 and {"--dataset=emoji", "--source=grey"} <= set(seen)
    seen.clear()
    result = CliRunner().invoke(command, ["pix2pix", "--dataset", "emoji"])
    assert isinstance(result.exception, UserError) and not seen
    assert "say by --source what it starts from" in str(result.exception)


def test_a_check_needs_an_algorithm(main_here: Call) -> None:
    done = main_here("check", "wgan_gq")
    assert done.returncode == 2 and "Did you mean 'wgan_gp'?" in done.stderr


def test_a_sentence_gives_a_terminal_no_orders(main_here: Call) -> None:
    error = main_here("compare", "a\x1b]0;x\x07b").stderr
    assert "a\\x1b]0;x\\x07b" in error and error.count("\n") == 1


def test_a_warning_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)  # put back at the end
    monkeypatch.setattr("ganlib.__main__.cli", lambda *_, **__: None)
    main()
    line = warnings.formatwarning("the sky\nfalls\x07", UserWarning, "sky.py", 3)
    assert line == "Warning: the sky falls\\x07\n"


def named(verb: str) -> click.Command:
    """The command of a verb."""
    command = cli.get_command(click.Context(cli), verb)
    assert command
    return command


@pytest.mark.parametrize("verb", ["sample", "interpolate", "evaluate", "bench"])
def test_gpu_and_device_mean_the_same_in_every_verb(verb: str, tmp_path: Path) -> None:
    command = named(verb)
    options = {option.name: option for option in command.params}
    assert options["gpu"].opts == ["-g", "--gpu"] and options["device"].opts == ["--device"]
    target = () if verb == "bench" else (str(tmp_path),)
    for arguments, words in (
        (("-g", "0", "--device", "cpu"), "Give --gpu or --device, not both."),
        (("-g", "99"), "The device cuda:99 cannot be used"),
    ):
        result = CliRunner().invoke(command, [*target, *arguments])
        where = isinstance(result.exception, UserError) and str(result.exception)
        assert words in str(where) or "holds no snapshots" in str(where)


@pytest.mark.parametrize(
    ("verb", "option", "value", "possible"),
    [
        ("bench", "--iterations", 1, "at least 2"),
        ("bench", "--size", "x", "at least 1"),
        ("bench", "--size", 1.5, "at least 1"),
        ("bench", "--gpu", -2, "at least -1"),
        ("bench", "--size", 0, "at least 1"),
        ("bench", "--channels", 0, "at least 1"),
        ("bench", "--at", -1, "at least 0"),
        ("evaluate", "-n", 1, "at least 2"),
        ("evaluate", "--batch-size", 0, "at least 1"),
        ("interpolate", "--frames", 1, "at least 2 and at most 1000"),
        ("interpolate", "--frames", 1001, "at least 2 and at most 1000"),
        ("sample", "-n", 0, "at least 1"),
        ("sample", "--batch-size", 0, "at least 1"),
        ("translate", "--outputs", 0, "at least 1"),
        ("translate", "--tile", 0, "at least 1"),
    ],
)
def test_a_number_that_cannot_be_is_refused_with_those_that_can(
    verb: str, option: str, value: object, possible: str
) -> None:
    command = named(verb)
    result = CliRunner().invoke(command, [option, str(value)])
    assert isinstance(result.exception, UserError) and not result.output
    assert str(result.exception) == f"{option} is {value}; give a whole number of {possible}."
