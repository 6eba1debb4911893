"""MATH-500, GSM8K-Platinum, AIME, and files of a user's own; the rows here are made up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dualtune.errors import BadInput
from dualtune.recipe import EvalFile
from dualtune.sources.benchmarks import BENCHMARKS, domain_of, find_benchmark, load_benchmark
from dualtune.sources.benchmarks.further import FURTHER_READERS, read_own
from dualtune.sources.benchmarks.readers import read_math
from dualtune.sources.benchmarks.registry import Benchmark


def written(folder: Path, rows: list[Any], name: str = "mine.jsonl") -> Path:
    file = folder / name
    file.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return file


def test_math500_rows_have_the_ids_of_math() -> None:
    row = {
        "problem": "What is $1+1$?",
        "solution": r"It is $\boxed{2}$.",
        "answer": "2",
        "subject": "Algebra",
        "level": 1,
        "unique_id": "test/algebra/1.json",
    }
    (read,) = FURTHER_READERS["math500"]([row], Path("math500.jsonl"))
    (whole,) = read_math([{**row, "level": "Level 1", "type": "Algebra"}], Path("math.jsonl"))
    assert read == whole


def test_platinum_rows() -> None:
    row = {"question": "How many?", "answer": "2 + 3 = 5\n#### 5", "cleaning_status": "revised"}
    (read,) = FURTHER_READERS["gsm8k_platinum"]([row], Path("x.jsonl"))
    assert (read.id, read.gold, read.subject) == ("gsm8k_platinum-1", "5", "revised")


@pytest.mark.parametrize("column", ["problem", "question"])
def test_aime_rows(column: str) -> None:
    (read,) = FURTHER_READERS["aime24"]([{column: "Find $n$.", "answer": "025"}], Path("a.jsonl"))
    assert (read.gold, read.kind, read.reference) == ("25", "number", "")


@pytest.mark.parametrize("answer", ["1000", "-1", "2.5", "", "n = 5"])
def test_an_aime_answer_is_checked(answer: str) -> None:
    with pytest.raises(BadInput, match="integer from 0 to 999"):
        FURTHER_READERS["aime25"]([{"problem": "Find $n$.", "answer": answer}], Path("a.jsonl"))


@pytest.mark.parametrize("name", list(FURTHER_READERS))
def test_without_its_file_the_message_says_how_to_get_it(name: str, tmp_path: Path) -> None:
    hub = BENCHMARKS[name].hub
    remedy = f"load_dataset.'{hub[0]}'" if hub else f"dualtune fetch benchmarks {name}"
    with pytest.raises(BadInput, match=remedy):
        load_benchmark(name, data_dir=tmp_path)


def test_a_part_of_a_further_set_is_refused(tmp_path: Path) -> None:
    written(tmp_path, [{"problem": "Find $n$.", "answer": 5}], "aime24.jsonl")
    with pytest.raises(BadInput, match="holds 1 rows, AIME 2024 has 30"):
        load_benchmark("aime24", data_dir=tmp_path)


@pytest.mark.parametrize(
    ("row", "keys", "gold", "options"),
    [
        ({"question": "2+3?", "answer": 5}, {}, "5", ()),
        ({"q": "2+3?", "a": " 5 "}, {"question": "q", "answer": "a"}, "5", ()),
        ({"question": "?", "answer": "x+1"}, {"kind": "latex"}, "x+1", ()),
        (
            {"question": "?", "answer": "B", "o": ["A) 1", "B) 2"]},
            {"kind": "choice", "options": "o"},
            "B",
            ("1", "2"),
        ),
        (
            {"question": "?", "answer": 1, "o": ["one", "two"]},
            {"kind": "choice", "options": "o"},
            "B",
            ("one", "two"),
        ),
        (
            {"question": "?", "answer": "two", "o": ["one", "two"]},
            {"kind": "choice", "options": "o"},
            "B",
            ("one", "two"),
        ),
        (
            {"question": "Which? (A) 1 (B) 2 (C) 3", "answer": "(c)"},
            {"kind": "choice"},
            "C",
            ("1", "2", "3"),
        ),
    ],
)
def test_own_rows(
    tmp_path: Path, row: Any, keys: dict[str, str], gold: str, options: tuple[str, ...]
) -> None:
    settings = EvalFile.model_validate({"path": str(written(tmp_path, [row])), **keys})
    (read,) = load_benchmark("mine", files={"mine": settings})
    assert (read.id, read.gold, read.options) == ("mine-1", gold, options)
    assert all(option in read.question for option in options)


@pytest.mark.parametrize(
    ("rows", "keys", "message"),
    [
        (
            [{"question": "?", "solution": "5"}],
            {},
            r"row 1: no column 'answer' \(it holds: question, solution\).*eval.files.mine.answer",
        ),
        ([{"question": "?", "answer": 1}], {"level": "lvl"}, "'lvl'.*eval.files.mine.level"),
        ([{"question": "?", "answer": "2+2=4\n#### 4"}], {}, "'answer' holds a solution"),
        (
            [{"question": "?", "answer": r"So $\boxed{4}$."}],
            {"kind": "latex"},
            "Name a column of the answer alone",
        ),
        ([{"question": "?", "answer": "lots"}], {}, "'lots', no answer of kind number"),
        ([{"question": "?", "answer": ""}], {"kind": "latex"}, "no answer of kind latex"),
        ([{"question": "?", "answer": "A"}], {"kind": "choice"}, "Name the column of the options"),
        ([{"question": " ", "answer": 1}], {}, "the question in 'question' is empty"),
        (
            [{"question": "?", "answer": "C", "o": ["1", "2"]}],
            {"kind": "choice", "options": "o"},
            "'C' is no letter of its 2 options",
        ),
        (
            [{"question": "?", "answer": 1, "id": "a"}] * 2,
            {"id": "id"},
            "several rows of the id 'a'",
        ),
    ],
)
def test_a_row_that_does_not_fit_is_never_left_out(
    tmp_path: Path, rows: list[Any], keys: dict[str, str], message: str
) -> None:
    settings = EvalFile.model_validate({"path": str(written(tmp_path, rows)), **keys})
    with pytest.raises(BadInput, match=message):
        read_own("mine", settings)


def test_a_broken_line_is_told(tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text('{"question": "?", "answer": 1}\n{oops\n', encoding="utf-8")
    with pytest.raises(BadInput, match=r"eval\.files\.mine: .*row 2"):
        read_own("mine", EvalFile(path=str(file)))


def test_own_files_are_known_by_name(tmp_path: Path) -> None:
    files = {"mine": EvalFile(path="mine.jsonl", kind="latex")}
    assert find_benchmark("mine", files=files) == Benchmark(
        "mine", "mine", None, frozenset(), kind="latex", file="mine.jsonl"
    )
    assert domain_of("mine", "gsm8k", files=files) == "out"
    assert domain_of("mine", "gsm8k", files=files, chosen={"mine": "in"}) == "in"
    with pytest.raises(BadInput, match="did you mean 'mine'"):
        find_benchmark("mines", files=files)
    with pytest.raises(BadInput, match="'svamp' is a built-in benchmark"):
        find_benchmark("svamp", files={"svamp": files["mine"]})


@pytest.mark.parametrize(
    ("options", "answer", "letter"),
    [
        (["5", "6", "7"], 1, "B"),
        (["0", "1", "2"], 1, "B"),  # index and text agree
        (["5", "6", "7"], "7", "C"),
        (["5", "6", "7"], "(a)", "A"),
    ],
)
def test_a_choice_is_a_letter_a_text_or_an_index(
    options: list[str], answer: object, letter: str, tmp_path: Path
) -> None:
    file = written(tmp_path, [{"question": "?", "answer": answer, "options": options}])
    (row,) = read_own("mine", EvalFile(path=str(file), kind="choice", options="options"))
    assert row.gold == letter


@pytest.mark.parametrize(
    ("options", "answer"), [(["1", "2", "3"], 1), (["B", "A", "C"], "A"), (["4", "4", "5"], "4")]
)
def test_a_choice_that_reads_as_two_is_refused(
    options: list[str], answer: object, tmp_path: Path
) -> None:
    file = written(tmp_path, [{"question": "?", "answer": answer, "options": options}])
    with pytest.raises(BadInput, match=r"row 1: .*can be read as option A or B"):
        read_own("mine", EvalFile(path=str(file), kind="choice", options="options"))


@pytest.mark.parametrize("column", ["question", "answer"])
def test_null_is_no_text(column: str, tmp_path: Path) -> None:
    row = {"question": "Which?", "answer": "x + 1", column: None}
    file = written(tmp_path, [row])
    with pytest.raises(BadInput, match=rf"row 1: column '{column}' is null"):
        read_own("mine", EvalFile(path=str(file), kind="latex"))


def test_a_null_level_is_none(tmp_path: Path) -> None:
    file = written(tmp_path, [{"question": "Which?", "answer": "1", "level": None}])
    (row,) = read_own("mine", EvalFile(path=str(file), level="level"))
    assert row.level == ""


def test_line_ends_of_unicode_may_stand_in_a_row(tmp_path: Path) -> None:
    lines = ['{"question": "a\u2028b\u0085c", "answer": "x\\n#### 5"}'] * 1209
    (tmp_path / "gsm8k_platinum.jsonl").write_text("\n".join(lines), encoding="utf-8")
    assert load_benchmark("gsm8k_platinum", data_dir=tmp_path)[0].question == "a\u2028b\u0085c"


@pytest.mark.parametrize("name", ["a/b", "../up", "a\\b", ".hidden", ""])
def test_a_name_that_is_no_name_of_a_file_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match="cannot be a benchmark's name"):
        find_benchmark(name, files={name: EvalFile(path="mine.jsonl")})
