"""Fixtures that all tests share."""

import os
import signal
from pathlib import Path

import pytest
from recordings import SHARED


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference numbers and real imagery; tests that need it skip where it is absent."""
    if not (SHARED / "golden").is_dir():
        pytest.skip(f"reference data absent at {SHARED}: set PANFLOW_SHARED to the folder that holds golden/ and data/")
    return SHARED


# A shell that runs the suite behind itself ignores SIGINT, and so would all that tests start and interrupt.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Files of two runs are compared byte by byte, and hold when they were made.
os.environ.setdefault("SOURCE_DATE_EPOCH", "1700000000")


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector):
    """Where torch is not installed, files of tests that import it are skipped."""
    report = yield
    if report.failed and "No module named 'torch'" in str(report.longrepr):
        report.outcome = "skipped"
        report.longrepr = (str(collector.path), 0, "Skipped: torch is not installed")
    return report
