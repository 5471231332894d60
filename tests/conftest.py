"""Fixtures that all tests share."""

import os
import signal
from pathlib import Path
from uuid import uuid4

import pytest
import servers
from recordings import SHARED

STOPS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference numbers and real imagery; tests that need it skip where it is absent."""
    if not (SHARED / "golden").is_dir():
        pytest.skip(f"reference data absent at {SHARED}: set PANFLOW_SHARED to the folder that holds golden/ and data/")
    return SHARED


@pytest.fixture(scope="session")
def s3_server():
    """HOST:PORT of an S3 server on this machine."""
    pytest.importorskip("moto", reason="moto, the S3 server of these tests, is not installed")
    with servers.moto() as host:
        yield host


@pytest.fixture
def bucket(s3_server, monkeypatch):
    """An empty bucket; GDAL's way to it is set."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_REGION": "us-east-1",
        "AWS_HTTPS": "NO",
        "AWS_VIRTUAL_HOSTING": "FALSE",
        "AWS_S3_ENDPOINT": s3_server,
        "GDAL_HTTP_RETRY_DELAY": "0.02",
    }.items():
        monkeypatch.setenv(name, value)
    return servers.Bucket(s3_server, f"scenes-{uuid4().hex[:8]}")


@pytest.fixture(autouse=True)
def signals():
    """What a command that ran in this process made of signals is undone: what later tests start would inherit it."""
    handlers = {each: signal.getsignal(each) for each in STOPS}
    yield
    for each, handler in handlers.items():
        if signal.getsignal(each) is not handler:
            signal.signal(each, handler)


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
