"""Fixtures that all tests share."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference numbers and real imagery; tests that need it skip where it is absent."""
    root = Path(os.environ.get("PANFLOW_SHARED", Path(__file__).parents[2] / "shared"))
    if not (root / "golden").is_dir():
        pytest.skip(f"reference data absent at {root}: set PANFLOW_SHARED to the folder that holds golden/ and data/")
    return root
