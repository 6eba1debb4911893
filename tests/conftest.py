"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# As the command line does: spinning threads are slow where tests share the cores with others.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of public data sets: $DUALTUNE_DATA, else beside the repository."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("DUALTUNE_DATA", default))
    if not (folder / "train").is_dir():
        pytest.skip(f"no data sets in {folder}: set DUALTUNE_DATA to the folder that holds them")
    return folder
