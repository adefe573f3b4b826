"""Up to a hub and down from it, one on loopback."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import Result
from fake_hub import TOKEN, Hub, serving
from huggingface_hub import constants

import ganlib
from ganlib.common.errors import UserError
from ganlib.sampling.exports.hub import upload

Make = Callable[..., Path]
Run = Callable[..., Result]
EXPORT = ("export", "run", "--format", "safetensors")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """One that the client asks, as if HF_ENDPOINT had said so before it was imported."""
    with serving() as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        template = f"{hub.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield hub


def refused(result: Result) -> str:
    assert isinstance(result.exception, UserError), result.output
    text = str(result.exception)
    assert "\n" not in text and text.endswith(".")
    return text


def test_up_and_down(run: Run, make_snapshot: Make, hub: Hub) -> None:
    path = make_snapshot("cgan")
    result = run(*EXPORT, "--to", "me/gan")
    assert result.exit_code == 0, result.exception
    ((commit, files),) = hub.commits["me/gan"].items()
    names = ["README.md", "generator.safetensors", "model_card.json", "samples.png"]
    assert result.stdout.splitlines() == [
        f"me/gan@{commit}",
        f"{hub.url}/me/gan, private if it is new",
    ]
    assert sorted(files) == names and hub.private == {"me/gan"}
    assert result.stderr == ""  # of Fashion-MNIST's licence something is known
    assert not [p for p in Path().iterdir() if p.name not in ("run", "cache")]
    assert 'ganlib.load("me/gan")' in files["README.md"].decode()
    assert 'ganlib.load("me/gan")' in json.loads(files["model_card.json"])["python"]
    ours, model = ganlib.load(path), ganlib.load("me/gan")
    assert torch.equal(model.sample(3), ours.sample(3)) and model.place == f"me/gan@{commit}"
    assert repr(model) == f"<cgan, 1x28x28, iteration 7: me/gan@{commit}>"
    fetched = {file for method, file in hub.asked if method == "GET" and "resolve" in file}
    wanted = ("generator.safetensors", "model_card.json")
    assert fetched == {f"/me/gan/resolve/{commit}/{name}" for name in wanted}


def test_a_revision_stays_what_it_is(run: Run, make_snapshot: Make, hub: Hub) -> None:
    for iteration in (7, 8):
        make_snapshot(iteration=iteration)
        assert run(*EXPORT, "--out", "out", "--to", "me/gan", "--public").exit_code == 0
    first, second = hub.commits["me/gan"]
    assert not hub.private and Path("out/README.md").exists()
    assert ganlib.load("me/gan").updater.iteration == 8
    result = run("sample", f"me/gan@{first}")
    assert result.exit_code == 0 and ganlib.load(f"me/gan@{first}").updater.iteration == 7
    assert result.stderr == ""
    assert f"me/gan is me/gan@{second}." in run("sample", "me/gan").stderr
    hub.shutdown()  # what was fetched is there without it
    assert ganlib.load(f"me/gan@{first}").updater.iteration == 7


def test_what_a_hub_refuses_is_a_sentence(
    run: Run, hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "README.md").touch()

    def up(name: str) -> str:
        with pytest.raises(UserError) as error:
            upload(name, [tmp_path / "README.md"], private=True)
        return str(error.value)

    hub.commits["me/gan"] = {"1" * 40: {}}
    hub.private.add("me/gan")
    here = f"is no file or folder here, and at {hub.url} it"
    private = "is not there, or is private: see the name, or log in (HF_TOKEN)."
    assert refused(run("sample", "me/gun")) == f"me/gun {here} {private}"
    words = "me/gan@v2 " + here + " has no revision 'v2'."
    assert refused(run("sample", "me/gan@v2")) == words
    assert "holds no whole model_card.json" in refused(run("sample", "me/gan"))
    assert up("you/gan").startswith(f"you/gan: at {hub.url} it is closed to you")
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "nothing"))
    token = "is refused to your token: see HF_TOKEN, or run `hf auth login`."
    assert refused(run("evaluate", "me/gan")) == f"me/gan {here} {token}"
    assert up("me/gan") == f"me/gan: at {hub.url} it {token}"
    monkeypatch.delenv("HF_TOKEN")
    assert refused(run("sample", "me/gan")) == f"me/gan {here} {private}"
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    for words in (refused(run("sample", "me/gan")), up("me/gan")):
        assert "at http://127.0.0.1:9 it cannot be reached (ConnectError: " in words


def test_files_that_do_not_belong_together(run: Run, make_snapshot: Make, hub: Hub) -> None:
    make_snapshot(dataset="photos")
    said = run(*EXPORT, "--to", "me/gan").stderr
    assert "Licence of the data: Unknown: look up the licence" in said
    (files,) = hub.commits["me/gan"].values()
    weights = bytearray(files["generator.safetensors"])
    weights[-1] ^= 1
    hub.commits["me/gan"]["1" * 40] = {**files, "generator.safetensors": bytes(weights)}
    assert "is damaged, or not that of its model_card.json" in refused(run("sample", "me/gan"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "Say where to"),
        (["--to", "gan"], "--to is 'gan'; give USER/NAME"),
        (["--to", "me/gan@v1"], "give USER/NAME"),
        (["--out", "out", "--public"], "--public is for a repository that --to makes"),
    ],
)
def test_what_cannot_be_meant(run: Run, snapshot: Path, options: list[str], words: str) -> None:
    assert words in refused(run(*EXPORT, *options))


@pytest.mark.slow
def test_the_client_reads_its_environment(make_snapshot: Make, tmp_path: Path) -> None:
    make_snapshot()

    def call(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        environment: dict[str, Any] = {**os.environ, "HF_HOME": str(tmp_path / "home"), **more}
        command = [sys.executable, "-m", "ganlib", *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True
        )

    with serving() as hub:
        there = {"HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN}
        done = call(*EXPORT, "--to", "me/gan", **there)
        assert done.returncode == 0 and f"{hub.url}/me/gan" in done.stdout, done.stderr
        done = call("sample", "me/gan", **there)
        assert done.returncode == 0 and (tmp_path / "samples.png").exists(), done.stderr
        done = call("sample", "me/gun", **there)
        assert done.returncode == 2 and done.stderr.count("\n") == 1
