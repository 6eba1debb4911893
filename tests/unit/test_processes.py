"""Processes beside this one: how many, and what they do not run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dualtune import processes
from dualtune.processes import SPIN, busy_share, cores, set_thread_waiting, without_main

BUILD = """
import sys
from pathlib import Path
from dualtune.build.engine import build
from dualtune.recipe import Source, parse_recipe
print("main runs")
run = Path(sys.argv[1])
data = {"train": {"synthetic": "train", "limit": 60}}
recipe = parse_recipe({"data": data, "build": {"workers": 2, "shard_rows": 8}, "run": str(run)})
print(build(recipe, run).problems)
from dualtune.audit.run import audit
print(audit(Source(synthetic="train", limit=5000), recipe.audit, output=run, workers=2).problems)
"""


def test_cores() -> None:
    assert 1 <= cores() <= (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("busy", "spin"), [(0.0, str(SPIN)), (0.19, str(SPIN)), (0.5, None), (None, None)]
)
def test_threads_spin_only_where_the_machine_is_idle(
    busy: float | None, spin: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "busy_share", lambda seconds: busy)
    environment: dict[str, str] = {}
    set_thread_waiting(environment)
    assert environment["OMP_WAIT_POLICY"] == "PASSIVE"
    assert environment.get("GOMP_SPINCOUNT") == spin


@pytest.mark.parametrize("name", ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT"])
def test_what_the_user_set_about_threads_stays(name: str) -> None:
    environment = {name: "mine"}
    set_thread_waiting(environment)
    assert environment == {name: "mine"}


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="no /proc/stat here")
def test_busy_share_sees_work() -> None:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as worker:
        try:
            busy = busy_share(0.3)
        finally:
            worker.kill()
    assert busy is not None
    assert 0.2 / (os.cpu_count() or 1) < busy <= 1


def test_main_is_put_back() -> None:
    main = sys.modules["__main__"]
    before = main.__spec__, getattr(main, "__file__", None)
    with without_main():
        assert main.__spec__ is None
        assert not hasattr(main, "__file__")
    assert (main.__spec__, getattr(main, "__file__", None)) == before


@pytest.mark.parametrize("how", ["script", "stdin"])
def test_a_program_without_a_main_guard_starts_workers(how: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(BUILD)
    name = str(script) if how == "script" else "-"
    done = subprocess.run(
        [sys.executable, name, str(tmp_path / "run")],
        input=BUILD if how == "stdin" else None,
        capture_output=True,
        text=True,
        timeout=200,
        env={k: v for k, v in os.environ.items() if k != "DUALTUNE_DATA"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = done.stdout.splitlines()
    assert lines.count("main runs") == 1
    assert int(lines[1]) > 50
    assert lines[2] == "5000"
