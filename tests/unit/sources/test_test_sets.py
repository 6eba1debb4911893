"""The nine test sets: whole, with their options, and files that a user names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dualtune.errors import BadInput
from dualtune.sources.test_sets import (
    TEST_SETS,
    files_of_test_sets,
    load_questions,
    load_test_set,
)


@pytest.mark.parametrize(("name", "rows"), [(n, s.rows) for n, s in TEST_SETS.items()])
def test_every_set_is_whole(shared_data: Path, name: str, rows: int) -> None:
    questions = load_test_set(name, data_dir=shared_data)
    assert questions is not None
    assert len(questions) == len({q.id for q in questions}) == rows
    assert all(q.question.strip() and q.test_set == name for q in questions)
    assert load_test_set(name, data_dir=shared_data / "bench") == questions


def test_options_are_bare(shared_data: Path) -> None:
    aqua = load_test_set("aqua", data_dir=shared_data)
    mmlu = load_test_set("mmlu_math", data_dir=shared_data)
    assert aqua is not None
    assert mmlu is not None
    assert aqua[0].options[0] == "5(√3 + 1)"
    first = next(q for q in mmlu if q.id == "mmlu_math-1")
    assert first.options == ("p = 4", "p = 8", "p = 12", "p = 24")


def test_svamp_is_body_and_question(shared_data: Path) -> None:
    svamp = load_test_set("svamp", data_dir=shared_data)
    assert svamp is not None
    assert svamp[0].id == "chal-1"
    assert svamp[0].question.endswith("on each pack How much do you have to pay to buy each pack?")


def test_a_missing_file_is_none(tmp_path: Path) -> None:
    assert load_test_set("sat", data_dir=tmp_path) is None


def test_a_part_of_a_set_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sat.json").write_text(
        json.dumps([{"question": "1+1? Answer Choices: (A) 1 (B) 2 (C) 3 (D) 4", "answer": "B"}])
    )
    with pytest.raises(BadInput, match=r"holds 1 rows, SAT-Math has 220.*audit\.benchmarks"):
        load_test_set("sat", data_dir=tmp_path)


@pytest.mark.parametrize(
    ("row", "question"),
    [
        ({"question": "How many?"}, "How many?"),
        ({"problem": "How many?", "solution": "5"}, "How many?"),
        ({"instruction": "How many?", "input": ""}, "How many?"),
        ({"instruction": "Solve.", "input": "How many?"}, "Solve.\nHow many?"),
        (
            {"messages": [{"role": "system", "content": "x"}, {"role": "user", "content": "How?"}]},
            "How?",
        ),
        ({"conversations": [{"from": "human", "value": "How?"}]}, "How?"),
        ({"Body": "He has 5.", "Question": "How many?"}, "He has 5. How many?"),
    ],
)
def test_files_of_any_layout(tmp_path: Path, row: dict[str, object], question: str) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text(json.dumps({"other": 1}) + "\n" + json.dumps(row) + "\n")
    (read,) = load_questions(file)
    assert (read.test_set, read.id, read.question) == ("mine.jsonl", "2", question)


def test_options_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    file.write_text(json.dumps([{"question": "How many?", "options": ["A)1", "B)2"]}]))
    assert load_questions(file)[0].options == ("1", "2")


def test_a_csv_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("question,answer\nHow many?,5\n")
    assert load_questions(file)[0].question == "How many?"


def test_a_file_without_questions(tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text('{"x": 1}\n')
    with pytest.raises(BadInput):
        load_questions(file)
    with pytest.raises(BadInput, match="not found"):
        load_questions(tmp_path / "none.jsonl")


def test_the_files_that_are_there_are_found_in_either_folder(tmp_path: Path) -> None:
    (tmp_path / "bench").mkdir()
    for name in ("svamp.json", "bench/gsm8k.jsonl", "other.json"):
        (tmp_path / name).write_text("[]")
    found = files_of_test_sets(tmp_path)
    assert found == (tmp_path / "bench" / "gsm8k.jsonl", tmp_path / "svamp.json")
    assert files_of_test_sets(tmp_path / "none") == ()
