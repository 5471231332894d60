"""Fixtures that all tests share."""

from pathlib import Path

import pytest
from recordings import SHARED


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference numbers and real imagery; tests that need it skip where it is absent."""
    if not (SHARED / "golden").is_dir():
        pytest.skip(f"reference data absent at {SHARED}: set PANFLOW_SHARED to the folder that holds golden/ and data/")
    return SHARED
