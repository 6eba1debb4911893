"""Problems that the tests of the tasks share."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dualtune.records import Problem
from dualtune.text.answers import split_final_answer, strip_annotations


@pytest.fixture
def clips() -> Problem:
    return Problem(
        id="clips",
        question=(
            "Natalia sold clips to 48 of her friends in April, and then she sold half as many "
            "clips in May. How many clips did Natalia sell altogether in April and May?"
        ),
        rationale=(
            "Natalia sold 48/2 = 24 clips in May.\n"
            "Natalia sold 48+24 = 72 clips altogether in April and May."
        ),
        answer="72",
        source="gsm8k",
    )


@pytest.fixture(scope="session")
def gsm8k(shared_data: Path) -> list[Problem]:
    problems = []
    with (shared_data / "train" / "gsm8k.jsonl").open(encoding="utf-8") as file:
        for i, line in enumerate(file):
            row = json.loads(line)
            cleaned, notes = strip_annotations(row["answer"])
            rationale, answer = split_final_answer(cleaned)
            assert answer is not None
            problems.append(
                Problem(str(i), row["question"], rationale, answer, "cot", "gsm8k", (), notes)
            )
    return problems
