"""README.md of an export: read back by huggingface_hub, and hostile names in it."""

import json
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import torch
import yaml
from click.testing import Result
from huggingface_hub import EvalResult, ModelCard, ModelCardData
from markdown_it import MarkdownIt
from safetensors.torch import load_file

import ganlib
from ganlib.common.data import DataSpec
from ganlib.common.io.jsonl import append_line
from ganlib.evaluation import Score
from ganlib.evaluation.protocol import Protocol
from ganlib.sampling.exports.readme import line, prose

Make = Callable[..., Path]
Run = Callable[..., Result]
PROTOCOL = Protocol("fashion", "ab" * 32, "none", "float32", 5000, "test", 10_000, "cd" * 32)
NAMES = (
    "| a | <script>alert(1)</script> | [x](javascript:y) ![z](http://z)",
    "```\n# Title\n---\nlicense: gpl\n---",
    "`` ` {{ 7 * 7 }} *b* _c_ www.d.e http://f.g &amp; \\",
    "\x1b]0;x\x07\u2028\r\n- l",
)


def exported(run: Run, *options: object) -> ModelCard:
    result = run("export", "run", "--out", "out", "--format", "safetensors", *options)
    assert result.exit_code == 0, result.exception
    return ModelCard.load("out/README.md")


def test_a_hub_reads_what_it_searches_by(run: Run, make_snapshot: Make) -> None:
    make_snapshot("cgan", dataset="fashion_mnist", ema_decay=0.5)
    scores = {
        name: Score(name, value, None, PROTOCOL, error=error).to_dict()
        for name, value, error in (("FID5k-test", 12.5, 0.25), ("KID5k-test", 0.01, None))
    }
    for iteration, found in ((3, {}), (7, scores), (9, {})):
        append_line(Path("run/scores.jsonl"), {"iteration": iteration, "scores": found})
    environment = {"torch": "2.13.0", "command": ["train.py", "--out", "/home/me"], "ganlib": "0.2"}
    Path("run/environment.json").write_text(json.dumps(environment))
    card = exported(run)
    data = card.data
    assert isinstance(data, ModelCardData)
    assert (data.license, data.library_name, data.datasets) == ("mit", "ganlib", ["fashion_mnist"])
    assert data.tags == ["gan", "cgan", "class-conditional"]
    assert data.pipeline_tag == "unconditional-image-generation" and data.metrics == ["fid", "kid"]
    assert data.eval_results is not None and data.model_name == "cgan on fashion_mnist"
    one, _ = data.eval_results
    assert isinstance(one, EvalResult) and one.metric_args is not None
    said = (one.metric_type, one.metric_name, one.metric_value, one.dataset_split)
    assert said == ("fid", "FID5k-test", 12.5, "test")
    assert one.metric_args["hash"] == PROTOCOL.hash and one.metric_args["error"] == 0.25
    assert one.metric_args["n_generated"] == 5000
    again = ModelCard(str(card))  # as the client writes what it has read
    assert again.data.to_dict() == data.to_dict() and again.text == card.text
    assert yaml.safe_load(data.to_yaml())["model-index"][0]["name"] == "cgan on fashion_mnist"
    row = f"| `FID5k-test` | 12.50 | 0.2500 | 5000 | 10000 test | `{PROTOCOL.hash}` |"
    assert row in card.text and "`torch` `2.13.0`" in card.text and "/home/me" not in card.content
    assert "![samples](samples.png)" in card.text and "ganlib.load(" in card.text
    assert "MIT, Copyright 2017 Zalando SE" in card.text and "arxiv.org" in card.text
    assert run("export", "out", "--out", "out", "--format", "safetensors").exit_code == 0
    assert ModelCard.load("out/README.md").content == card.content  # an export hands all of it on


def test_an_unknown_licence_is_said(run: Run, make_snapshot: Make) -> None:
    make_snapshot(dataset="/home/me/photos")
    card = exported(run)
    assert (card.data.license, card.data.get("datasets")) == ("unknown", None)
    assert "look up the licence of the data set before you publish this" in card.text
    assert "/home/me" not in card.content and "None are known of these weights" in card.text
    assert not {"metrics", "model-index"} & card.data.to_dict().keys()


def test_a_licence_that_hubs_do_not_know_has_a_name(run: Run, make_snapshot: Make) -> None:
    make_snapshot(dataset="wardrobe_wide")
    card = exported(run)
    assert (card.data.license, card.data.license_name) == ("other", "that-of-wardrobe-wide")
    assert "The clothes are Fashion-MNIST's: MIT" in card.text


def test_hostile_names_are_text(run: Run, make_snapshot: Make, tmp_path: Path) -> None:
    spec = DataSpec((1, 8, 8), (1, 8, 8), n_classes=len(NAMES), classes=NAMES)
    make_snapshot("cgan", spec, dataset=str(tmp_path / NAMES[0]), seed=3)
    record = {**Score("FID", 1.0, None, PROTOCOL).to_dict(), "hash": "|"}
    append_line(Path("run/scores.jsonl"), {"iteration": 7, "scores": dict.fromkeys(NAMES, record)})
    Path("run/environment.json").write_text(json.dumps({"torch": NAMES[0], "device": NAMES[1]}))
    card = exported(run)
    assert {r.metric_name for r in card.data.eval_results or []} == {*map(line, NAMES)}
    assert card.data.license == "unknown"
    html = MarkdownIt("commonmark").enable("table").render(card.text)
    found = Seen()
    found.feed(html)
    assert found.tags <= set("h1 h2 p img pre code ul li table thead tbody tr th td a em".split())
    assert found.links == {"samples.png"}
    assert found.headings == 7 and "\x1b" not in card.content
    text = " ".join(found.text)
    for name in NAMES:
        assert text.count(line(name)) >= 2  # as a class, and as a score
    assert "{{ 7 * 7 }}" in text


class Seen(HTMLParser):
    """What a page that was made of Markdown has."""

    def __init__(self) -> None:
        super().__init__()
        self.tags, self.links, self.text = set[str](), set[str](), list[str]()
        self.headings = 0

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        self.headings += tag in ("h1", "h2")
        self.links |= {value for name, value in attrs if name in ("href", "src")}

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_prose_keeps_its_addresses() -> None:
    assert prose("a_b <b>\n see https://x.y/a_b") == "a\\_b \\<b\\> see https://x.y/a_b"


def test_weights_of_half_the_bytes(run: Run, make_snapshot: Make) -> None:
    make_snapshot("sngan", ema_decay=0.5)
    exported(run)
    whole = Path("out/generator.safetensors").stat().st_size
    card = exported(run, "--precision", "float16")
    said: dict[str, Any] = json.loads(Path("out/model_card.json").read_text())["precision"]
    weights = load_file("out/generator.safetensors")
    kinds = {w.dtype for w in weights.values() if w.dim() > 1}
    assert kinds == {torch.float16} and len({w.dtype for w in weights.values()}) > 1
    assert Path("out/generator.safetensors").stat().st_size < 0.6 * whole
    ours, theirs = ganlib.load("run").sample(64), ganlib.load("out").sample(64)
    most = 127.5 * float((ours - theirs).abs().max())
    assert 0 < most < 2 and ganlib.load("out").updater.sampling_gen.state_dict() is not None
    assert said["weights"] == "float16" and f"differs by {most:.2g} of 255 levels" in said["loss"]
    assert said["loss"] in card.text
    parameters = ganlib.load("out").updater.sampling_gen.parameters()
    assert {p.dtype for p in parameters} == {torch.float32}


def test_a_weight_that_is_too_large_for_half_stays(run: Run, make_snapshot: Make) -> None:
    path = make_snapshot()
    content = torch.load(path, weights_only=True)
    name = next(n for n, w in content["updater"]["modules"].items() if w.dim() == 4 and "gen" in n)
    content["updater"]["modules"][name][0] = 1e5
    torch.save(content, path)
    exported(run, "--precision", "float16")
    weights = load_file("out/generator.safetensors")
    assert weights[name.removeprefix("gen.")].dtype == torch.float32
