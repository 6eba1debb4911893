"""Evaluations in a process of their own, which can be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from dualtune.recipe import Eval

BENCHMARK = "synthetic_test.cot.jsonl"
PROGRAM = """
import sys
from pathlib import Path
from dualtune.evaluate.harness import evaluate_model
from dualtune.recipe import Eval, Model

settings = Eval.model_validate_json(sys.argv[3])
evaluate_model(
    Path(sys.argv[1]), "base", settings=settings, model=Model(), run=Path(sys.argv[2]),
    train_source="synthetic",
)
"""


def start(
    folder: Path, run: Path, settings: Eval, *, python: str = sys.executable
) -> subprocess.Popen[bytes]:
    """Start to evaluate a model as ``base``, with the Python of an environment."""
    command = [python, "-c", PROGRAM, str(folder), str(run), settings.model_dump_json()]
    return subprocess.Popen(
        command, env={**os.environ, "HF_HUB_OFFLINE": "1"}, stderr=subprocess.DEVNULL
    )


def read_rows(run: Path) -> list[Any]:
    """Read what is stored so far."""
    lines = (run / "eval" / "base" / BENCHMARK).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def kill_after(lines: int, process: subprocess.Popen[bytes], run: Path) -> None:
    """Kill an evaluation once it has stored so many lines."""
    file = run / "eval" / "base" / BENCHMARK
    deadline = time.monotonic() + 240
    while not (file.exists() and file.read_bytes().count(b"\n") >= lines):
        assert process.poll() is None, f"the evaluation ended early: {process.returncode}"
        assert time.monotonic() < deadline, "no batch was stored"
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
