"""The measuring of iterations: operations counted by hand, units, and what cannot be measured."""

import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import Result
from torch import nn

from ganlib.common.errors import UnusableError, UserError
from ganlib.registry import algorithms
from ganlib.speed import accelerate as speed
from ganlib.speed import bench
from ganlib.speed.bench import Cost, Flops, Row, Timing, Work
from ganlib.speed.graph import WARM_UP, Graphs, Recorder
from ganlib.training.device.devices import pick_device

Run = Callable[..., Result]
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def little_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "DATA_BYTES", 2**16)
    monkeypatch.setitem(bench.SIDE, "cpu", 64)


def work(name: str = "wgan_gp", **settings: Any) -> Work:
    algorithm = algorithms[name]
    settings = {"width": 0.05, "batch_size": 4, **settings}
    return Work(name, algorithm, algorithm.config(**settings), (1, 16, 16))


def measured(one: Work, *modes: bench.Mode, n: int = 4) -> list[Row]:
    return list(bench.measure([one], CPU, modes or ("eager",), ("fp32",), n))


# --- operations


def test_flops_of_a_linear_layer() -> None:
    layer, x = nn.Linear(3, 5), torch.rand(7, 3, requires_grad=True)
    with Flops() as forward:
        y = layer(x).sum()
    with Flops() as backward:
        y.backward()
    assert forward.total == 2 * 7 * 3 * 5
    assert backward.total == 2 * forward.total  # to x and to the weight


@pytest.mark.parametrize("stride", [1, 2])
def test_flops_of_a_convolution(stride: int) -> None:
    x = torch.rand(3, 2, 8, 8, requires_grad=True)
    with Flops() as forward:
        y = nn.Conv2d(2, 4, 3, stride, padding=1)(x).sum()
    with Flops() as backward:
        y.backward()
    assert forward.total == 2 * 3 * 4 * (8 // stride) ** 2 * 2 * 3 * 3
    assert backward.total == 2 * forward.total


def test_flops_of_a_transposed_convolution() -> None:
    with Flops() as flops:
        nn.ConvTranspose2d(2, 4, 4, 2, 1)(torch.rand(3, 2, 8, 8))
    assert flops.total == 2 * 3 * 2 * 8 * 8 * 4 * 4 * 4


def test_flops_of_double_backward() -> None:
    """x W, its gradient 1 W^T, and the gradient of that to W: three products of one size."""
    weight, x = torch.rand(3, 5, requires_grad=True), torch.rand(7, 3)
    with Flops() as flops:
        slope = torch.func.grad(lambda x: (x @ weight).sum())(x)
        torch.autograd.grad(slope.square().sum(), weight)
    assert flops.total == 3 * 2 * 7 * 3 * 5


def test_the_cost_of_an_iteration_is_linear_in_the_batch_and_in_n_dis() -> None:
    def cost(batch_size: int, n_dis: int) -> Cost:
        return bench.count(work(batch_size=batch_size, n_dis=n_dis), CPU)

    base = cost(4, 1)
    assert base.images == 4 and cost(4, 3).images == 12
    assert cost(8, 1).flops == 2 * base.flops
    assert cost(4, 3).flops - cost(4, 2).flops == cost(4, 2).flops - base.flops > 0


# --- time


def test_time_on_the_cpu_is_in_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]

    def body() -> None:
        now[0] += 0.25

    monkeypatch.setattr(bench.time, "perf_counter", lambda: now[0])
    assert bench.clock(CPU, body, 3) == [0.25, 0.25, 0.25]


def test_time_on_a_gpu_is_in_seconds_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for events: nothing is read before all work is done."""
    now, done = [0.0], [False]

    class Event:
        def __init__(self, enable_timing: bool) -> None:
            assert enable_timing

        def record(self) -> None:
            self.at = now[0]

        def elapsed_time(self, end: "Event") -> float:
            assert done[0]
            return end.at - self.at

    def body() -> None:
        now[0] += 20  # milliseconds
        done[0] = False

    def synchronize(device: torch.device) -> None:
        done[0] = True

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "synchronize", synchronize)
    assert bench.clock(torch.device("cuda"), body, 3) == [0.02, 0.02, 0.02]


@pytest.mark.parametrize("algorithm", ["dcgan", "wgan_gp", "sngan"])
def test_a_row_has_the_units_that_it_says(algorithm: str) -> None:
    n_dis = {} if algorithm == "dcgan" else {"n_dis": 2}
    (row,) = measured(work(algorithm, **n_dis))
    assert row.timing is not None and row.cost is not None and not row.error
    t, rates = row.timing, row.rates
    assert 0 < t.low <= t.seconds <= t.high < math.inf
    assert t.iterations == 4 and t.warm_up > 0
    assert row.cost.images == 4 * n_dis.get("n_dis", 1)
    assert rates["iterations_per_second"] * t.seconds == pytest.approx(1)
    assert rates["images_per_second"] * t.seconds == pytest.approx(row.cost.images)
    assert rates["tflops"] * t.seconds * 1e12 == pytest.approx(row.cost.flops)
    assert rates["share_of_ceiling"] * row.ceiling == pytest.approx(rates["tflops"] * 1e12)


def test_the_ceiling_is_the_rate_of_a_product(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "clock", lambda device, body, n: body() is None or [0.5] * n)
    assert bench.ceiling(CPU, "fp32", side=10) == 2 * 10**3 / 0.5


def test_memory_is_in_bytes() -> None:
    status = Path("/proc/self/status")
    if not status.exists():
        assert bench._peak_memory(CPU) > 2**25
        return
    (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", status.read_text())
    assert bench._peak_memory(CPU) == pytest.approx(1024 * int(peak), rel=0.1)


# --- what is timed


class Phased(algorithms["dcgan"].updater):  # type: ignore[name-defined,misc]
    """Every third iteration is of another kind; remembers which were run."""

    ran: list[int] = []

    def phase(self, iteration: int) -> bool:
        return iteration % 3 == 0

    def update(self) -> Any:
        self.ran.append(self.iteration)
        return super().update()


@pytest.fixture
def phased() -> Iterator[Work]:
    base = work("dcgan")
    yield replace(base, algorithm=replace(base.algorithm, updater=Phased), at=30)
    Phased.ran.clear()


def test_only_iterations_of_the_commonest_phase_are_run(phased: Work) -> None:
    """For counting and for timing, from the iteration on that was asked for."""
    (row,) = measured(phased)
    assert row.timing is not None
    assert Phased.ran == [31, 31, 32, 34, 35, 37, 38, 40]  # counted; 3 for warm-up; 4 timed


def test_by_default_it_is_the_middle_of_training(phased: Work) -> None:
    middle = replace(phased, config=phased.config.model_copy(update={"max_iter": 900}), at=None)
    measured(middle)
    assert min(Phased.ran) == 451


@pytest.mark.slow
def test_modes_are_what_the_updater_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[Any] = []
    monkeypatch.setattr(speed, "compile_update", lambda updater, say: compiled.append(updater))
    rows = measured(work(), "eager", "compile")
    assert [row.mode for row in rows] == ["eager", "compile"] and len(compiled) == 1


def test_what_is_not_captured_is_no_measurement_of_a_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(Recorder):
        def __call__(self, body: Any, random: Any) -> Any:
            raise RuntimeError("operation not permitted when stream is capturing")

    def accelerate(updater: Any, s: Any, iterations: int, say: Any) -> None:
        updater.perform = Graphs(updater, Refusing(), say)

    monkeypatch.setitem(bench.UNTIMED, "cpu", WARM_UP + 2)
    monkeypatch.setattr(bench, "accelerate", accelerate)
    (row,) = measured(work())
    assert row.timing is None and row.rates == {} and "not permitted" in row.error


def test_what_is_not_compiled_is_no_measurement_of_compiling(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(updater: Any, say: Any) -> None:
        say("loss_gen is not compiled and stays slower: no compiler")

    monkeypatch.setattr(speed, "compile_update", refuse)
    eager, compiled = measured(work(), "eager", "compile")
    assert eager.timing is not None
    assert compiled.timing is None and compiled.error.endswith("slower: no compiler")


def test_what_leaves_the_gpu_unusable_ends_a_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that came after would be no measurement either."""

    def assemble(*_: Any) -> Any:
        raise UnusableError("the stream is as in a capture")

    monkeypatch.setattr(bench, "assemble", assemble)
    with pytest.raises(UnusableError):
        measured(work())


def test_a_gpu_is_warmed_up_until_every_mode_is_captured() -> None:
    assert bench.UNTIMED["cuda"] > WARM_UP + 1


def test_a_loss_that_is_not_finite_is_no_measurement() -> None:
    (row,) = measured(work("dcgan", adam_alpha=1e38))
    assert row.timing is None and "NaN or infinite" in row.error


def test_one_failure_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = work(), work("dcgan")

    def build(config: Any, spec: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    bad = replace(bad, algorithm=replace(bad.algorithm, build=build))
    rows = list(bench.measure([bad, good], CPU, ("eager",), ("fp32",), 2))
    assert [row.error for row in rows] == ["out of memory", ""]
    assert rows[1].timing is not None


def test_json_round_trip() -> None:
    cost, timing = Cost(320, 10**12), Timing(0.5, 0.4, 0.6, 10, 3.0, 2**30)
    shared = ("sngan", {"n_dis": 5}, (3, 32, 32), "eager", "fp32", 8e12)
    for row in (Row(*shared, cost, timing), Row(*shared, error="out of memory")):  # type: ignore[arg-type]
        record = json.loads(json.dumps(row.to_dict()))
        assert Row.from_dict(record) == row
    record = Row(*shared, cost, timing).to_dict()  # type: ignore[arg-type]
    assert record["iterations_per_second"] == 2 and record["images_per_second"] == 640
    assert record["tflops"] == 2 and record["share_of_ceiling"] == 0.25


# --- the verb


def test_bench_prints_a_table_and_writes_json(run: Run) -> None:
    tiny = ("--set", "width=0.05", "--batch-size", 4, "--size", 16, "--channels", 1)
    asked = ("--iterations", 3, "--mode", "eager", "--device", "cpu", "--json", "out/b.json")
    result = run("bench", "-a", "wgan_gp", "-a", "dcgan", *tiny, *asked)
    assert result.exit_code == 0, (result.output, result.exception)
    record = json.loads(Path("out/b.json").read_text())
    assert [row["work"] for row in record["rows"]] == ["wgan_gp", "dcgan"]
    assert [row["cost"]["images"] for row in record["rows"]] == [20, 4]
    row = record["rows"][0]
    assert row["image"] == [1, 16, 16] and row["settings"]["batch_size"] == 4
    assert row["images_per_second"] > 0 and row["timing"]["memory"] > 0
    assert record["environment"]["torch"] == torch.__version__ and record["card"] in result.output
    assert "wgan_gp" in result.output and "TFLOP/s" in result.output and "GiB" in result.output


def test_bench_measures_every_algorithm_in_every_mode(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(bench, "measure", lambda *a: asked.append(a) or [])
    assert run("bench", "--device", "cpu", "--at", 7).exit_code == 0
    works, device, modes, precisions, iterations, _ = asked[0]
    assert [w.name for w in works] == algorithms.names() and {w.at for w in works} == {7}
    assert works[0].image == (3, 32, 32)
    assert (device, modes, precisions) == (CPU, ("eager", "compile"), ("fp32",))
    assert iterations == 10


def test_a_failure_shows_and_is_status_1(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_: Any) -> Any:
        raise RuntimeError("no compiler")

    monkeypatch.setattr(bench, "accelerate", explode)
    result = run("bench", "-a", "dcgan", "--set", "width=0.05", "--size", 16, "--mode", "eager")
    assert result.exit_code == 1 and "failed" in result.output
    assert "dcgan, eager, fp32: no compiler" in result.output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("-a", "dcgam"), "Did you mean 'dcgan'"),
        (("-a", "dcgan", "--set", "n_dis=5"), "dcgan has no setting 'n_dis'"),
        (("-a", "dcgan", "--set", "width"), "no NAME=VALUE"),
        (("-a", "dcgan", "--set", "width=wide"), "width is 'wide'"),
        (("-a", "dcgan", "--set", "seed=3"), "a setting of a run"),
        (("-a", "dcgan", "--batch-size", "0"), "batch_size is '0'"),
        (("--json", "numbers.txt"), "name of a .json file"),
        (("--mode", "graph"), "no mode graph on the CPU: eager, compile"),
        (("--precision", "tf32"), "no precision tf32 on the CPU: fp32, bf16"),
        (("--device", "cuda:77"), "cannot be used"),
    ],
)
def test_bad_input_is_one_sentence(run: Run, arguments: tuple[str, ...], sentence: str) -> None:
    here = () if "--device" in arguments else ("--device", "cpu")
    result = run("bench", *arguments, *here)
    assert isinstance(result.exception, UserError) and sentence in str(result.exception)
    assert "\n" not in str(result.exception)


def test_a_bench_that_is_stopped_keeps_and_shows_its_rows(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each row is in the file before the next is begun, and Ctrl-C loses none."""
    seen: list[list[str]] = []

    def interrupted(one: Work, *more: Any) -> Timing:
        files = Path("result/bench").glob("*.json")
        seen.append([row["work"] for f in files for row in json.loads(f.read_text())["rows"]])
        if one.name == "wgan":
            raise KeyboardInterrupt
        return Timing(0.125, 0.1, 0.2, 2, 1.0, 2**20)

    monkeypatch.setattr(bench, "count", lambda *_: Cost(4, 10**9))
    monkeypatch.setattr(bench, "_time", interrupted)
    names = ("-a", "dcgan", "-a", "gan", "-a", "wgan", "-a", "sngan")
    result = run("bench", *names, "--mode", "eager", "--device", "cpu")
    assert result.exit_code == 1 and "Aborted!" in result.output
    assert seen == [[], ["dcgan"], ["dcgan", "gan"]]
    (file,) = Path("result/bench").glob("*")
    assert [row["work"] for row in json.loads(file.read_text())["rows"]] == ["dcgan", "gan"]
    assert "1 of 4: 125 ms an iteration\n" in result.output
    assert "TFLOP/s" in result.output and str(file) in result.output


def test_a_row_that_fails_is_kept_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = Row("dcgan", {}, (3, 32, 32), "eager", "fp32", 8e12, error="out of memory")
    monkeypatch.setattr(bench, "measure", lambda *_: [failed])
    result = run("bench", "-a", "dcgan", "--device", "cpu", "--json", "x.json")
    assert "1 of 2: out of memory" in result.output
    assert Row.from_dict(json.loads(Path("x.json").read_text())["rows"][0]) == failed


def test_other_devices_are_refused() -> None:
    with pytest.raises(UserError, match="not meta"):
        bench.check(torch.device("meta"), (), ())


@pytest.mark.parametrize("device", ["cuda:0"] if torch.cuda.is_available() else [])
def test_every_mode_of_a_gpu(device: str) -> None:
    where = pick_device(None, device)
    rows = list(bench.measure([work()], where, bench.MODES["cuda"], ("tf32", "bf16"), 5))
    assert [row.error for row in rows] == [""] * 6
    assert all(row.timing is not None and row.timing.memory > 0 for row in rows)
