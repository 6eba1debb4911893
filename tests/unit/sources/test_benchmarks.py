"""Benchmarks: rows, checksums, where files are looked for, domains."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dualtune.errors import BadInput
from dualtune.grade import grade
from dualtune.sources.benchmarks import (
    BENCHMARKS,
    NINE,
    SYNTHETIC_ROWS,
    VARIABLE,
    domain_of,
    load_benchmark,
    rows_checksum,
    source_name,
)

# The counts of the MathInstruct/MAmmoTH protocol (arXiv 2309.05653, table 6, and the files).
ROWS = {
    "gsm8k": 1319,
    "math": 5000,
    "aqua": 254,
    "numglue": 1042,
    "svamp": 1000,
    "mathematics": 1000,
    "simuleq": 514,
    "sat": 220,
    "mmlu_math": 974,
}
SYNTHETIC = ("synthetic_test", "synthetic_ood_types", "synthetic_ood_depth")


@pytest.fixture
def bench(shared_data: Path) -> Path:
    folder = shared_data / "bench"
    if not folder.is_dir():
        pytest.skip(f"no benchmark files in {folder}")
    return folder


@pytest.mark.parametrize(("name", "count"), ROWS.items())
def test_the_whole_set_loads_from_either_folder(bench: Path, name: str, count: int) -> None:
    rows = load_benchmark(name, data_dir=bench)
    assert len(rows) == len({row.id for row in rows}) == count
    assert rows == load_benchmark(name, data_dir=bench.parent)
    assert load_benchmark(name, data_dir=bench, limit=7) == rows[:7]


@pytest.mark.parametrize("name", ["gsm8k", "svamp"])
def test_every_gold_meets_itself_and_not_its_neighbour(bench: Path, name: str) -> None:
    rows = load_benchmark(name, data_dir=bench)
    for row, other in zip(rows, (*rows[1:], rows[0]), strict=True):
        stated = grade(f"The answer is {row.gold}.", row.gold, row.kind)
        assert (stated.status, stated.strict) == ("correct", True), row
        if float(row.gold.replace(",", "")) != float(other.gold.replace(",", "")):
            assert grade(f"The answer is {row.gold}.", other.gold).status == "wrong", (row, other)


def test_gsm8k_solutions_grade_correct(bench: Path) -> None:
    for line in (bench / "gsm8k.jsonl").read_text(encoding="utf-8").splitlines():
        solution = json.loads(line)["answer"]
        assert grade(solution, solution.rpartition("####")[2].strip()).status == "correct", solution


@pytest.mark.parametrize("name", SYNTHETIC)
def test_generated_sets_grade_correct_on_their_own_rationales(name: str) -> None:
    rows = load_benchmark(name)
    assert len(rows) == len({row.question for row in rows}) == SYNTHETIC_ROWS
    assert load_benchmark(name, limit=5) == rows[:5]
    for row in rows:
        output = f"{row.reference}\nThe answer is {row.gold}."
        assert grade(output, row.gold, row.kind).status == "correct", row


def test_generated_sets_share_no_question() -> None:
    questions = [row.question for name in SYNTHETIC for row in load_benchmark(name)]
    assert len(set(questions)) == len(questions)


def test_the_variable_names_the_folder(bench: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(bench.parent))
    assert len(load_benchmark("svamp", limit=3)) == 3


def test_without_a_folder_the_message_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(BadInput, match=rf"svamp\.json.*eval\.data_dir.*{VARIABLE}"):
        load_benchmark("svamp")


def test_a_missing_file_is_named_with_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no gsm8k\.jsonl in .*eval\.data_dir"):
        load_benchmark("gsm8k", data_dir=tmp_path)


def test_an_unknown_benchmark_names_the_nearest() -> None:
    with pytest.raises(BadInput, match=r"'svamps'.*did you mean 'svamp'"):
        load_benchmark("svamps")


def test_a_part_of_the_set_is_refused(bench: Path, tmp_path: Path) -> None:
    rows = json.loads((bench / "svamp.json").read_text(encoding="utf-8"))
    (tmp_path / "svamp.json").write_text(json.dumps(rows[:-1]), encoding="utf-8")
    with pytest.raises(BadInput, match=r"holds 999 rows, SVAMP has 1000"):
        load_benchmark("svamp", data_dir=tmp_path, limit=5)


def test_a_changed_answer_is_refused(bench: Path, tmp_path: Path) -> None:
    rows = json.loads((bench / "svamp.json").read_text(encoding="utf-8"))
    rows[500]["Answer"] += 1
    (tmp_path / "svamp.json").write_text(json.dumps(rows), encoding="utf-8")
    with pytest.raises(BadInput, match=r"checksum"):
        load_benchmark("svamp", data_dir=tmp_path)


def test_form_of_the_file_does_not_matter(bench: Path, tmp_path: Path) -> None:
    rows = json.loads((bench / "svamp.json").read_text(encoding="utf-8"))
    lines = "\r\n".join(json.dumps(dict(reversed(row.items()))) for row in rows)
    (tmp_path / "svamp.json").write_text(lines, encoding="utf-8")
    assert load_benchmark("svamp", data_dir=tmp_path) == load_benchmark("svamp", data_dir=bench)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"ID": "chal-1"', "not valid JSON"),
        ('{"ID": 1}\n{oops', r"svamp\.json:2 is not valid JSON"),
        ('[{"ID": "a", "Body": "x"}]', r"row 1: no column 'Question' \(it holds: ID, Body\)"),
        ("[5]", r"row 1: no column 'ID'"),
    ],
)
def test_a_broken_file_is_told_by_place(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "svamp.json").write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=message):
        load_benchmark("svamp", data_dir=tmp_path)


def test_checksum_sees_order_and_content(bench: Path) -> None:
    rows = load_benchmark("svamp", data_dir=bench, limit=3)
    assert rows_checksum(rows) != rows_checksum(rows[::-1]) != rows_checksum(rows[:2])


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("data/Train/MAWPS_ASDiv_CoT.json", "mawps_asdiv_cot"),
        ("builtin:sample", "sample"),
        ("openai/gsm8k", "gsm8k"),
        ("synthetic", "synthetic"),
    ],
)
def test_source_names(source: str, name: str) -> None:
    assert source_name(source) == name


@pytest.mark.parametrize(
    ("benchmark", "source", "domain"),
    [
        ("svamp", "train/mawps_asdiv_cot.json", "in"),
        ("svamp", "mawps_cot", "in"),
        ("svamp", "gsm8k.jsonl", "out"),
        ("svamp", "gsm8k+mawps_cot", "in"),
        ("gsm8k", "openai/gsm8k", "in"),
        ("gsm8k", "mine.jsonl", "out"),
        ("synthetic_test", "builtin:sample", "in"),
        ("synthetic_ood_types", "synthetic", "out"),
        ("synthetic_ood_depth", "synthetic", "out"),
    ],
)
def test_domain_is_relative_to_training_data(benchmark: str, source: str, domain: str) -> None:
    assert domain_of(benchmark, source) == domain


def test_a_recipe_can_say_the_domain() -> None:
    assert domain_of("svamp", "gsm8k", chosen={"svamp": "in"}) == "in"
    assert domain_of("gsm8k", "gsm8k", chosen={"svamp": "in"}) == "in"
    with pytest.raises(BadInput, match="did you mean 'svamp'"):
        domain_of("gsm8k", "gsm8k", chosen={"swamp": "in"})


def test_every_benchmark_has_a_source() -> None:
    for benchmark in BENCHMARKS.values():
        assert (benchmark.file is None) != (benchmark.split is None)
        assert benchmark.checksum is None or benchmark.file is not None
        # Every set of the protocol is checked; of the further ones no file was at hand.
        assert (benchmark.checksum is not None) == (benchmark.name in NINE)
