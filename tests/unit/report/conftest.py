"""A full run folder and its page, made once for the tests of the report."""

from __future__ import annotations

from pathlib import Path

import pytest

from dualtune.report import write_report

from .fake_run import write_run


@pytest.fixture(scope="package")
def full_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "mawps")


@pytest.fixture(scope="package")
def full_page(full_run: Path) -> Path:
    return write_report(full_run)
