"""A pytest plugin of `ganlib check`: what was meant for people is a sentence, one cause of many
failures is told once, and hints come last.
"""

from collections.abc import Generator
from traceback import walk_tb

import pytest

from ganlib.common.errors import StoppedError, UserError
from ganlib.registry import own_line

AGAIN = "failed as above"
SENTENCES = (UserError, StoppedError, pytest.fail.Exception)


class Report:
    """For one session: the first test that failed, by the cause."""

    def __init__(self) -> None:
        self.first: dict[tuple[str, str], str] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if call.excinfo is None or not report.failed:
            return report
        error = call.excinfo.value
        line = own_line(walk_tb(error.__traceback__))
        if isinstance(error, SENTENCES):
            report.longrepr = f"{error} ({line})" if line else str(error)
        cause = type(error).__name__, line or str(error)
        if self.first.setdefault(cause, item.nodeid) != item.nodeid:
            report.user_properties.append((AGAIN, True))
        return report

    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        if (AGAIN, True) in report.user_properties and report.when == "call":
            return AGAIN, "F", "FAILED, as above"
        return None

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for report in (r for reports in terminalreporter.stats.values() for r in reports):
            for kind, text in getattr(report, "user_properties", ()):
                if kind == "hint" and report.when == "call":
                    terminalreporter.write_line(f"hint: {text}")
