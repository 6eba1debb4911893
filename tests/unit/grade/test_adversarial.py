"""Cases on which graders are known to fail, with where each was seen."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from dualtune.grade import Grade, grade

CASES = [
    json.loads(line)
    for line in (Path(__file__).parent / "adversarial.jsonl").read_text("utf-8").splitlines()
]
SECONDS = 2.0  # of processor time; none takes a tenth, sympy's import apart


def _graded(case: dict[str, Any]) -> Grade:
    output = case["output"]
    if output is None:
        output = "".join(text * times for text, times in case["generate"])
    return grade(
        output,
        case["gold"],
        case["kind"],
        question=case.get("question", ""),
        options=tuple(case.get("options", ())),
    )


def test_there_are_enough_cases_and_each_names_its_idea() -> None:
    assert len(CASES) >= 200
    assert len({case["id"] for case in CASES}) == len(CASES)
    assert all(case["idea"] for case in CASES)


@pytest.fixture(scope="module")
def warm() -> None:
    """Import sympy before any case is timed."""
    grade(r"\boxed{\lfloor 3.5 \rfloor}", "3", "latex")


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
@pytest.mark.usefixtures("warm")
def test_the_status_is_the_expected_one(case: dict[str, Any]) -> None:
    began = time.process_time()
    graded = _graded(case)
    assert graded.status == case["status"], (case["idea"], graded)
    if "strict" in case:
        assert graded.strict is case["strict"], case["idea"]
    assert time.process_time() - began < SECONDS


def test_statuses_are_the_same_from_other_threads_and_in_another_order() -> None:
    with ThreadPoolExecutor(4) as threads:
        backwards = list(threads.map(_graded, reversed(CASES)))
    assert [g.status for g in reversed(backwards)] == [case["status"] for case in CASES]


def test_statuses_do_not_depend_on_the_seed_of_hashes() -> None:
    # Sets of strings, sympy's among them, are walked in another order with each seed.
    program = (
        "import json, sys\n"
        "from tests.unit.grade.test_adversarial import CASES, _graded\n"
        "print(json.dumps([_graded(case).status for case in CASES]))\n"
    )
    expected = [case["status"] for case in CASES]
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=Path(__file__).parents[3],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
        )
        assert json.loads(done.stdout) == expected
