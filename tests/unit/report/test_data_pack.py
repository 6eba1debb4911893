from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualtune.recipe import Ir, Irsp, Tasks
from dualtune.records import Finding, Problem
from dualtune.report import data_pack
from dualtune.report.data_collect import ShownProblem
from dualtune.report.data_pack import pack_problems, utf16_offset
from dualtune.report.pack import embed, split_parts
from dualtune.tasks.derive import derive

PROBLEM = Problem(
    "tom-1",
    question="Tom 😀 has 3 apples, buys 5 more and 😀 loses 2. How many has he?",
    rationale="He starts with 3 apples.\nWith 5 more 😀 he has 3 + 5 = 8.\n8 - 2 = 6.",
    answer="6",
    source="own.jsonl",
    options=("5", "6"),
)
TASKS = Tasks(irsp=Irsp(per_problem=2), ir=Ir(per_problem=3, masks=2))


def utf16(text: str, start: int, end: int) -> str:
    """Cut a text as a browser does."""
    return text.encode("utf-16-le")[2 * start : 2 * end].decode("utf-16-le")


def shown(problem: Problem = PROBLEM, *findings: Finding, tasks: Tasks = TASKS) -> ShownProblem:
    return ShownProblem(problem, "train", derive(problem, tasks, seed=0).instances, findings)


def joined(parts: list[int], packed: dict[str, Any], problem: Problem, masks: list[Any]) -> str:
    """Put a text back together as the page's script does."""
    strings = packed["strings"]
    where = (problem.question, problem.rationale)
    text = where[masks[0][2]] if masks else ""
    pieces, last = "", 0
    for start, end, _, _, marker in sorted(masks):
        pieces += utf16(text, last, start) + strings[marker]
        last = end
    known = {
        data_pack.QUESTION: problem.question,
        data_pack.RATIONALE: problem.rationale,
        data_pack.MASKED: pieces + utf16(text, last, 10**6),
        data_pack.ANSWERS: "\n".join(utf16(where[m[2]], m[0], m[1]) for m in masks),
    }
    return "".join(strings[part] if part >= 0 else known[part] for part in parts)


@pytest.mark.parametrize(
    "tasks", [TASKS, Tasks(irsp=Irsp(masks=2), ir=Ir(target="question")), Tasks(solve=False)]
)
def test_prompts_and_targets_come_back_as_trained(tasks: Tasks) -> None:
    one = shown(tasks=tasks)
    packed = pack_problems([one])
    rows = packed["problems"][0][8]
    assert len(rows) == len(one.instances)
    for row, instance in zip(rows, one.instances, strict=True):
        _, name, turns, target, masks = row
        assert f"tom-1/{packed['strings'][name]}" == instance.id
        assert joined(target, packed, PROBLEM, masks) == instance.target
        texts = [joined(parts, packed, PROBLEM, masks) for _, parts in turns]
        assert texts == [turn.content for turn in instance.prompt]
        for mask, part in zip(masks, instance.masked, strict=True):
            text = PROBLEM.question if part.where == "question" else PROBLEM.rationale
            assert utf16(text, mask[0], mask[1]) == part.text


def test_the_texts_of_a_problem_are_written_once() -> None:
    text = json.dumps(pack_problems([shown()]), ensure_ascii=False)
    assert text.count("He starts with 3 apples.") == 1
    assert text.count("How many has he?") == 1


TEXT = st.text(alphabet="ab<MASK>\n😀", max_size=30)


@given(TEXT, st.lists(st.tuples(st.integers(-4, -1), TEXT), max_size=4))
def test_parts_put_back_together_are_the_text(text: str, known: list[tuple[int, str]]) -> None:
    known = list({reference: (reference, inner) for reference, inner in known}.values())
    lookup = dict(known)
    parts = split_parts(text, known)
    assert "".join(p if isinstance(p, str) else lookup[p] for p in parts) == text


def test_a_text_of_one_character_many_times_is_no_deep_recursion() -> None:
    assert len(split_parts("5 " * 5000, [(-1, "5"), (-2, "5 ")])) <= 5


def test_offsets_of_findings_are_those_of_the_browser() -> None:
    start = PROBLEM.rationale.index("3 + 5")
    packed = pack_problems([
        shown(
            PROBLEM,
            Finding("tom-1", "wrong", "error", "x", step=1, start=start, end=start + 9),
            Finding("tom-1", "unused", "note", "x", start=4, end=5, where="question"),
        )
    ])  # fmt: skip
    first, second = packed["problems"][0][9]
    assert utf16(PROBLEM.rationale, first[4], first[5]) == "3 + 5 = 8"
    assert utf16(PROBLEM.question, second[4], second[5]) == "😀"
    assert packed["strings"][first[0]] == "wrong"


def test_a_finding_without_a_place_is_shown_at_its_step_or_nowhere() -> None:
    packed = pack_problems([
        shown(
            PROBLEM,
            Finding("tom-1", "repeated", "warning", "x", step=2),
            Finding("tom-1", "leak", "error", "x"),
            Finding("tom-1", "odd", "error", "x", step=9, start=5, end=4000),
        )
    ])  # fmt: skip
    step, whole, odd = packed["problems"][0][9]
    assert utf16(PROBLEM.rationale, step[4], step[5]) == "8 - 2 = 6."
    assert whole[4:6] == [None, None]
    assert odd[4:6] == [None, None]


@given(st.text(), st.data())
def test_an_offset_in_utf16_cuts_the_same_text(text: str, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, len(text)))
    units = utf16_offset(text, offset)
    assert len(text[:offset].encode("utf-16-le", "surrogatepass")) == 2 * units


def test_embedded_data_is_letters_and_survives() -> None:
    value = {"text": "</script><!-- \u2028 \x00 \ud83d 😀"}
    text = embed(value)
    assert "<" not in text
    found = json.loads(gzip.decompress(base64.b64decode(text)))
    assert found == {"text": "</script><!-- \u2028 \x00 ? 😀"}
    assert embed(value) == text
