"""The list of rows with known defects: every entry is of a row, and is so in the data."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

from dualtune.audit.normalise import cut_up
from dualtune.sources.benchmarks import (
    EXCLUSIONS,
    NINE,
    BenchmarkRow,
    excluded,
    known_issues,
    load_benchmark,
)
from dualtune.sources.benchmarks.rows import without_choices


def test_counts_are_those_of_the_docs() -> None:
    assert Counter((issue.benchmark, issue.list) for issue in known_issues()) == {
        ("gsm8k", "wrong_labels"): 4,
        ("svamp", "wrong_labels"): 1,
        ("math", "overlaps"): 2,
        ("numglue", "overlaps"): 4,
        ("simuleq", "overlaps"): 107,
        ("simuleq", "partial_golds"): 297,
        ("mmlu_math", "overlaps"): 82,
    }
    assert all(issue.cause and issue.source for issue in known_issues())


def test_every_entry_is_of_a_row(shared_data: Path) -> None:
    for name in NINE:
        ids = {row.id for row in load_benchmark(name, data_dir=shared_data)}
        assert excluded(name, EXCLUSIONS).keys() <= ids


def test_no_row_is_left_out_unasked(shared_data: Path) -> None:
    whole = load_benchmark("mmlu_math", data_dir=shared_data)
    assert len(whole) == 974
    left = load_benchmark("mmlu_math", data_dir=shared_data, exclude=["overlaps"])
    gone = excluded("mmlu_math", ["overlaps"])
    assert left == tuple(row for row in whole if row.id not in gone)
    assert load_benchmark("mmlu_math", data_dir=shared_data, exclude=["wrong_labels"]) == whole
    limited = load_benchmark("mmlu_math", data_dir=shared_data, exclude=["overlaps"], limit=50)
    assert limited == left[:50]


def test_the_same_question_is_the_same(shared_data: Path) -> None:
    rows = {r.id: r for name in NINE for r in load_benchmark(name, data_dir=shared_data)}
    mark = "the same question as "
    found = [issue for issue in known_issues() if issue.cause.startswith(mark)]
    assert len(found) > 100
    for issue in found:
        other = issue.cause.removeprefix(mark).partition(",")[0]
        assert _words(rows[issue.id]) == _words(rows[other]), issue


def test_svamp_680_is_the_only_row_that_its_own_equation_contradicts(shared_data: Path) -> None:
    rows = load_benchmark("svamp", data_dir=shared_data)
    wrong = {row.id for row in rows if abs(_value(row.reference) - float(row.gold)) > 1e-6}
    assert wrong == excluded("svamp", ["wrong_labels"]).keys() == {"chal-680"}


def _words(row: BenchmarkRow) -> tuple[str, ...]:
    return tuple(cut_up(without_choices(row), row.options).stem)


def _value(equation: str) -> float:
    def value(node: ast.expr) -> float:
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            return float(node.value)
        assert isinstance(node, ast.BinOp), ast.dump(node)
        left, right = value(node.left), value(node.right)
        if isinstance(node.op, ast.Add):
            return left + right
        if isinstance(node.op, ast.Sub):
            return left - right
        if isinstance(node.op, ast.Mult):
            return left * right
        assert isinstance(node.op, ast.Div)
        return left / right

    return value(ast.parse(equation, mode="eval").body)
