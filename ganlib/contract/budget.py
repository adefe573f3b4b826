"""A pytest plugin: how many seconds of a processor the contract of each method takes, at most."""

import time
from collections import Counter
from collections.abc import Generator
from functools import cache

import pytest
import torch

LIMIT = 6.0
"""Seconds that no method's contract may pass, or a suite of many methods would take too long."""
SHOWN = 10


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    if item.path.name != "test_contract.py" or "algorithm" not in parameters:
        yield
        return
    _import_the_rest()
    start = time.process_time()
    try:
        yield
    finally:
        seconds = time.process_time() - start
        item.user_properties.append(("contract", (parameters["algorithm"], seconds)))


@cache
def _import_the_rest() -> None:
    """What PyTorch imports at the first use of torch.func is the cost of no method."""
    torch.func.grad(torch.sum)(torch.zeros(1))
    torch.func.functional_call(torch.nn.Linear(1, 1), {}, torch.zeros(1))


def pytest_sessionfinish(session: pytest.Session) -> None:
    if any(seconds > LIMIT for seconds in costs(session.config).values()):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    dearest = costs(terminalreporter.config).most_common(SHOWN)
    if dearest:
        words = ", ".join(f"{name} {seconds:.1f}" for name, seconds in dearest)
        over = [name for name, seconds in dearest if seconds > LIMIT]
        terminalreporter.write_line(f"Seconds of the contract, the dearest methods: {words}")
        if over:
            terminalreporter.write_line(
                f"The contract of {', '.join(over)} takes more than {LIMIT:g} s: make what it "
                "trains smaller or shorter.",
                red=True,
            )


def costs(config: pytest.Config) -> "Counter[str]":
    """Seconds by method, of all the contract's tests that this session or its workers ran."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    total: Counter[str] = Counter()
    for reports in getattr(reporter, "stats", {}).values():
        for report in reports:
            for kind, value in getattr(report, "user_properties", ()):
                if kind == "contract" and report.when == "call":
                    total[value[0]] += value[1]
    return total
