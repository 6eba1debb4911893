"""The nine readers: golden rows of each set, options on every row, broken rows by place."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from dualtune.errors import BadInput
from dualtune.sources.benchmarks import NINE, load_benchmark
from dualtune.sources.benchmarks.readers import READERS
from dualtune.sources.benchmarks.rows import LETTERS, BenchmarkRow, without_choices

FILE = Path("set.json")


def row_of(name: str, shared_data: Path, row_id: str) -> BenchmarkRow:
    return next(r for r in load_benchmark(name, data_dir=shared_data) if r.id == row_id)


# First rows of the files in TIGER-AI-Lab/MAmmoTH2, math_eval/dataset; of MATH the row that asks
# for several answers and boxes each of them (test/algebra/1878.json).
@pytest.mark.parametrize(
    ("name", "row_id", "gold", "kind", "options", "subject", "level"),
    [
        ("gsm8k", "gsm8k-1", "18", "number", (), "", ""),
        ("aqua", "aqua-2", "E", "choice", ("$61", "$65", "$67.40", "$70", "$78.20"), "", ""),
        ("numglue", "numglue-1", "1536", "number", (), "Type_2", ""),
        ("numglue", "numglue-3", "B", "choice", ("web", "tree"), "Type_3", ""),
        ("numglue", "numglue-216", "August", "mixed", (), "Type_1", ""),
        ("svamp", "chal-1", "51", "number", (), "Subtraction", ""),
        ("mathematics", "mathematics-2", "[3]", "mixed", (), "", ""),
        ("mathematics", "mathematics-10", "1363", "number", (), "", ""),
        ("mathematics", "mathematics-91", "-20*x", "mixed", (), "", ""),
        ("simuleq", "simuleq-1", "15", "number", (), "", ""),
        ("sat", "sat-1", "D", "choice", ("2", "4", "9", "10"), "", ""),
        (
            "mmlu_math",
            "mmlu_math-1",
            "C",
            "choice",
            ("p = 4", "p = 8", "p = 12", "p = 24"),
            "elementary_mathematics",
            "",
        ),
    ],
)
def test_rows_as_published(
    shared_data: Path,
    name: str,
    row_id: str,
    gold: str,
    kind: str,
    options: tuple[str, ...],
    subject: str,
    level: str,
) -> None:
    row = row_of(name, shared_data, row_id)
    assert (row.gold, row.kind, row.options) == (gold, kind, options)
    assert (row.subject, row.level) == (subject, level)


def test_math_rows(shared_data: Path) -> None:
    rows = {row.question: row for row in load_benchmark("math", data_dir=shared_data)}
    several = next(row for question, row in rows.items() if r"\sqrt{3x+6}=x+2" in question)
    assert (several.gold, several.subject, several.level) == ("-2, 1", "Algebra", "3")
    assert {row.level for row in rows.values()} == set("12345")
    assert all(row.kind == "latex" and "boxed" in row.reference for row in rows.values())


def test_options_stand_in_every_question_in_the_house_format(shared_data: Path) -> None:
    for name in NINE:
        for row in load_benchmark(name, data_dir=shared_data):
            assert (row.kind == "choice") == bool(row.options), row
            if not row.options:
                continue
            assert row.gold in LETTERS[: len(row.options)]
            # Read again by another rule than the reader's.
            listed = row.question.rpartition("Answer Choices: ")[2]
            parts = re.split(r"(?:^| )\(([A-E])\) ", listed)
            assert parts[1::2] == list(LETTERS[: len(row.options)]), row
            assert [text.strip() for text in parts[2::2]] == list(row.options), row
            assert "Answer Choices" not in without_choices(row)


def test_a_limit_is_a_sample_of_all_subjects(shared_data: Path) -> None:
    for name, subjects in (("math", 7), ("mmlu_math", 5)):
        rows = load_benchmark(name, data_dir=shared_data, limit=300)
        assert len({row.subject for row in rows}) == subjects


@pytest.mark.parametrize(
    ("name", "row", "message"),
    [
        ("gsm8k", {"question": "?", "answer": "42"}, "no '#### ' line"),
        ("math", {"problem": "?", "solution": "42"}, "no \\\\boxed answer"),
        ("math", {"problem": "?"}, "no column 'solution'"),
        ("aqua", {"question": "?", "options": "A)1"}, "must be a list of 2 to 10 choices"),
        ("aqua", {"question": "?", "options": ["A)1", "B)2"], "correct": "C"}, "'C' is no letter"),
        ("numglue", {"question": "? Answer Choices: (A) 1 (B) 2", "answer": "2"}, "no letter"),
        ("sat", {"question": "? Answer Choices: (A) 1 (B) 2", "answer": "A"}, "2 options"),
        ("mmlu_math", {"question": "?", "choices": ["1", "2"], "answer": 2}, "2 is no index"),
        ("mmlu_math", {"question": "?", "choices": ["1", "2"], "answer": "1"}, "is no index"),
        ("simuleq", ["What?"], "no column"),
    ],
)
def test_a_broken_row_is_told_by_place(name: str, row: Any, message: str) -> None:
    with pytest.raises(BadInput, match=rf"set\.json, row 1: .*{message}"):
        READERS[name]([row], FILE)
