"""The workloads, and the tables that are made of results."""

import json
import re
import time
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from click.testing import CliRunner
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from benchmarks import fid, run, table
from benchmarks.workloads import CARD, WORKLOADS, Workload, choose
from ganlib.common import losses
from ganlib.common.errors import UserError
from ganlib.common.networks import resnet
from ganlib.evaluation.extractors.base import Extractor, Features, Options
from ganlib.progressive import net as progressive
from ganlib.speed import bench
from ganlib.speed.bench import Cost, Flops, Row, Timing, Work

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def little_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "DATA_BYTES", 2**16)


def report(name: str, *rows: Row) -> dict[str, Any]:
    settings = {"torch": "2.11.0", "threads": 16, "commit": "abc", "command": ["/home/x/run.py"]}
    records = [row.to_dict() for row in rows]
    return {"card": CARD, "date": "2027-01-01", "environment": settings, "rows": records}


def row(name: str, mode: Any, precision: Any, ms: float) -> Row:
    timing = Timing(ms / 1000, ms / 1000, ms / 1000, 50, 9.0, 2**30)
    return Row(name, {}, (3, 32, 32), mode, precision, 400e12, Cost(320, 28 * 10**11), timing)


COSTLY = ("pggan_128", "pggan_256", "pggan_1024", "pix2pixhd")
"""Whose two images take a core a minute or more."""


class Shapes(Flops):
    """Counts by shapes alone: nothing is computed."""

    def __enter__(self) -> "Shapes":
        self.fake = FakeTensorMode(allow_non_fake_inputs=True)
        self.fake.__enter__()
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self.fake.__exit__(*error)


def pooled(conv: Any, x: Tensor, factor: int) -> Any:
    return F.avg_pool2d(conv(x), factor)


def upsampled(conv: Any, x: Tensor, factor: int) -> Any:
    return conv(F.interpolate(x, scale_factor=factor))


@cache
def flops(work: Work) -> int:
    return bench.count(work, CPU).flops


@pytest.mark.slow
@pytest.mark.parametrize("work", [w for w in WORKLOADS if w.peers], ids=lambda w: w.name)
def test_the_work_is_that_of_the_other_programs(
    work: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their operations, of time and rate as they were noted, are ours before some are spared."""
    monkeypatch.setattr(losses, "_leave_out_zeros", lambda _: None)
    monkeypatch.setattr(resnet, "conv_downsample", pooled)
    for module in (resnet, progressive):
        monkeypatch.setattr(module, "upsample_conv", upsampled)
    made = work.work(work.name)
    if work.name not in COSTLY:
        monkeypatch.setattr(bench, "Flops", Shapes)
    small = replace(made, name="", config=made.config.model_copy(update={"batch_size": 2}))
    found = flops(small) * made.config.batch_size / 2
    theirs = {
        p.ms * p.tflops * 1e9: 0.5 / p.tflops if p.tflops % 1 == 0 else 0  # of the rounded rate
        for p in work.peers
        if p.tflops and "G batch" not in p.name
    }
    assert f", batch {made.config.batch_size}" in work.title
    assert all(abs(found / other - 1) < 0.06 + digit for other, digit in theirs.items())


def test_the_quickstart_is_the_examples() -> None:
    (work,) = choose(("quickstart",))
    made = work.work("quickstart")
    assert made.config.architecture == "quick" and made.config.batch_size == 32


def test_unknown_workloads() -> None:
    for name in ("sngan_resnt", "pix2pixuhd"):
        with pytest.raises(UserError, match="There is no workload"):
            choose((name,))


# --- tables


def test_without_results_nothing_of_ours_is_a_number() -> None:
    lines = table.beside_peers({}).splitlines()
    ours = [line for line in lines if "| ganlib |" in line]
    assert len(ours) == sum(bool(work.peers) for work in WORKLOADS) + 1  # and the FID
    assert all("unmeasured" in line for line in ours)
    assert not any(re.search(r"\d", line.partition("| ganlib |")[2]) for line in ours)
    assert "ganlib is unmeasured" in lines[-1]


def test_results_stand_beside_the_other_programs() -> None:
    rows = row("x", "eager", "tf32", 80), row("x", "graph+compile", "bf16", 12.5)
    runs = {"sngan_resnet": report("sngan_resnet", *rows)}
    lines = table.beside_peers(runs).splitlines()
    assert "|  | ganlib, eager, tf32 | 80 | 35 | 8.8 % | 1.4x |" in lines
    assert "|  | ganlib, graph+compile, bf16 | 12.5 | 224 | 56.0 % | 8.9x |" in lines
    assert "torch 2.11.0, CPU threads 16, commit abc, 2027-01-01" in lines[-1]


def test_a_failure_shows() -> None:
    failed = replace(row("x", "graph", "bf16", 1), timing=None, error="out of memory")
    runs = {"sngan_resnet": report("sngan_resnet", failed)}
    assert "ganlib, graph, bf16 | failed: out of memory" in table.beside_peers(runs)


def test_every_table_is_rectangular() -> None:
    times = {"seconds": 7.0, "images": 50_000, "precision": "bf16", "channels_last": True}
    runs = {
        "quickstart": report("quickstart", row("x", "eager", "fp32", 70)),
        "fid": {**report("fid"), "rows": [{**times, "weights": "random"}]},
    }
    texts = (table.beside_peers(runs), table.alone(runs))
    for text in texts:
        lines = [line for line in text.splitlines() if line.startswith("|")]
        assert len({line.count("|") for line in lines}) == 1
    assert "ganlib, random weights, bf16, channels_last | 7.0 s in all |  |  | 3.1x" in texts[0]
    assert "| random weights | bf16, channels_last |  | 7,000 in all |" in texts[1]


def test_a_card_of_its_own_has_a_table_of_its_own(tmp_path: Path) -> None:
    for card in (CARD, "2 cores of AMD EPYC"):
        measured = report("quickstart", row("quickstart", "eager", "fp32", 70))
        run.keep("quickstart", {**measured, "card": card}, tmp_path)
    text = table.all_tables(table.read(tmp_path))
    assert text.count("###") == 1 and "### 2 cores of AMD EPYC\n" in text
    assert "| quickstart (small SNGAN), 1x28x28, batch 32 | eager | fp32 | 14.3 | 70 |" in text


def test_results_of_other_workloads_stay(tmp_path: Path) -> None:
    for name, ms in (("a", 1.0), ("b", 2.0), ("a", 3.0)):
        path = run.keep(name, report(name, row(name, "eager", "fp32", ms)), tmp_path)
    assert path.name == "nvidia_h100_80gb_hbm3.json"
    (runs,) = table.read(tmp_path).values()
    seconds = {name: r["rows"][0]["timing"]["seconds"] for name, r in runs.items()}
    assert seconds == {"a": 0.003, "b": 0.002}
    assert "/home" not in path.read_text()


def test_results_of_another_folder_are_taken_over(tmp_path: Path) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    run.keep("a", report("a", row("a", "eager", "fp32", 1)), here)
    run.keep("b", report("b", row("b", "eager", "fp32", 2)), here)
    run.keep("a", report("a", row("a", "eager", "fp32", 3)), there)
    kept = table.read(there)
    run.take_over(there, here)
    both = table.read(here)[CARD]
    assert both["a"] == kept[CARD]["a"] and both["b"]["rows"][0]["timing"]["seconds"] == 0.002
    assert table.read(there) == kept


def test_results_in_a_folder_of_ones_own_leave_the_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "write", lambda *_: pytest.fail("the tables were written"))
    monkeypatch.setitem(bench.SIDE, "cpu", 64)
    asked = ["quickstart", "--device", "cpu", "--mode", "eager", "--iterations", "2"]
    folder = tmp_path / "new" / "results"
    done = CliRunner().invoke(run.command, [*asked, "--results", str(folder)])
    assert done.exit_code == 0, (done.output, done.exception)
    (runs,) = table.read(folder).values()
    assert runs["quickstart"]["rows"][0]["timing"]["iterations"] == 2


def test_a_row_is_kept_before_the_next_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure(*_: Any) -> Any:
        yield row("quickstart", "eager", "fp32", 70)
        raise KeyboardInterrupt

    monkeypatch.setattr(bench, "measure", measure)
    with pytest.raises(KeyboardInterrupt):
        run.measure(*choose(("quickstart",)), CPU, ("eager",), ("fp32", "bf16"), 2, tmp_path)
    (runs,) = table.read(tmp_path).values()
    assert [r["timing"]["seconds"] for r in runs["quickstart"]["rows"]] == [0.07]


def test_a_file_that_holds_no_results(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(UserError, match="x.json does not hold results"):
        table.read(tmp_path)


def test_fill(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text("a\n<!-- t -->\nold\n<!-- /t -->\nb\n")
    assert table.fill(path, "t", "new") and not table.fill(path, "u", "new")
    assert path.read_text() == "a\n<!-- t -->\nnew\n<!-- /t -->\nb\n"


def test_the_tables_in_the_repository_are_those_of_its_results() -> None:
    results = table.read(run.RESULTS)
    text = table.README.read_text("utf-8")
    assert f"<!-- tables -->\n{table.all_tables(results)}\n<!--" in text


# --- the distance


class Means(Extractor):
    """The mean of every channel, as features."""

    name, digest, n_features, device = "means", "0" * 64, 3, CPU
    seen = 0

    def __call__(self, x: Tensor) -> Features:
        self.seen += len(x)
        return Features(x.float().mean((2, 3)))


def test_the_time_of_a_distance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fid, "N_REFERENCE", 64)
    monkeypatch.setattr(fid, "N_WARM_UP", 8)
    (workload,) = choose(("wgan_gp_cnn",))
    made = workload.work("fid")
    small = replace(made, config=made.config.model_copy(update={"width": 0.05}))
    extractor = Means()
    start = time.perf_counter()
    done = fid.time_fid(small, CPU, Options(), 300, extractor)
    whole = time.perf_counter() - start
    assert extractor.seen == 64 + 8 + 300
    assert 0 < done.seconds < whole and done.images == 300
    assert json.loads(json.dumps(asdict(done)))["weights"] == "given"
    extractor.seen = 0
    fid.time_fid(small, CPU, Options(), 5, extractor)
    assert extractor.seen == 5 + 5 + 5


def test_inception_without_its_weights() -> None:
    extractor = fid.random_inception(CPU, Options())
    pictures = torch.randint(256, (2, 3, 32, 32), dtype=torch.uint8)
    pool, logits = extractor(pictures)
    assert pool.shape == (2, 2048) and logits is not None and logits.isfinite().all()
    assert not torch.equal(pool[0], pool[1]) and pool.isfinite().all()
