from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualtune.text.answers import restore_annotations, split_final_answer, strip_annotations


def test_annotations_are_taken_out_with_offsets_in_the_cleaned_text() -> None:
    text = "He sold 48/2 = <<48/2=24>>24 clips, $<<1=1>><<2=2>>2."
    cleaned, notes = strip_annotations(text)
    assert cleaned == "He sold 48/2 = 24 clips, $2."
    assert [(n.start, n.text) for n in notes] == [
        (15, "<<48/2=24>>"),
        (26, "<<1=1>>"),
        (26, "<<2=2>>"),
    ]
    assert restore_annotations(cleaned, notes) == text


@given(st.text(st.sampled_from("<>a=1\n"), max_size=60))
def test_annotations_go_back_exactly(text: str) -> None:
    cleaned, notes = strip_annotations(text)
    assert restore_annotations(cleaned, notes) == text


def test_annotations_behind_a_prefix_are_left_out() -> None:
    cleaned, notes = strip_annotations("a <<1=1>>1\n#### <<2=2>>2")
    assert restore_annotations(cleaned[:3], notes) == "a <<1=1>>1"


@pytest.mark.parametrize(
    ("text", "rationale", "answer"),
    [
        ("2+2=4\n#### 4", "2+2=4", "4"),
        ("2+2=4\n#### 1,000 \n", "2+2=4", "1,000"),
        ("He has 4.\nThe answer is 4.", "He has 4.", "4"),
        ("He has 4. The answer is 3.50.", "He has 4.", "3.50"),
        ("He has 4.\n\nTherefore, the answer is <203>.", "He has 4.", "203"),
        ("He has 4. So the final answer is: $29.", "He has 4.", "$29"),
        ("He has 4.\n**Answer:** 42", "He has 4.", "42"),
        ("He has 4.\nThe answer is \\boxed{\\frac{1}{2}}.", "He has 4.", "\\frac{1}{2}"),
        ("He has 4.\nThe answer is $\\boxed{7}$.", "He has 4.", "7"),
        ("The answer is B", "", "B"),
        ("100 + 10 = 110\n#### 110\nThe answer is: 110", "100 + 10 = 110", "110"),
        ("He has 4.\nThe answer is $4.00.\n#### 4", "He has 4.", "4"),
        ("He has 4.\nThe answer is 5.\n#### 4", "He has 4.\nThe answer is 5.", "4"),
        ("He has 4. The answer is 2 * 2 = 4.\n#### 4", "He has 4. The answer is 2 * 2 = 4.", "4"),
        ("Hm.\nFinal Answer: The final answer is $7$. I hope it is correct.", "Hm.", "7"),
        ("Hm. The answer is 7. I hope it is correct.", "Hm.", "7"),
        ("Hm. The answer is 7. No. The answer is 8.", "Hm.", "8"),
        ("Hm. The answer is 3.50. Good.", "Hm.", "3.50"),
        ("Hm. The answer is St. Louis.", "Hm.", "St. Louis"),
        ("Then $x=\\boxed{\\sqrt{2}}$.", "Then $x=\\boxed{\\sqrt{2}}$.", "\\sqrt{2}"),
        ("first \\boxed{1} then \\boxed{2}", "first \\boxed{1} then \\boxed{2}", "2"),
    ],
)
def test_final_answers(text: str, rationale: str, answer: str) -> None:
    assert split_final_answer(text) == (rationale, answer)


@pytest.mark.parametrize(
    "text",
    [
        "He has 4 apples.",
        "",
        "#### ",
        "We say that the answer is hard to find.\nHe has 4.",
        "\\boxed{1",
        "\\boxed{}",
    ],
)
def test_no_final_answer(text: str) -> None:
    assert split_final_answer(text) == (text, None)


PIECES = ["a", ".", "#### ", "\n", " ", "1", "<", ">", "{", "}", "\\boxed{", "The answer is "]


@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_the_rationale_is_a_prefix(text: str) -> None:
    assert text.startswith(split_final_answer(text)[0])


def test_every_row_of_gsm8k(shared_data: Path) -> None:
    twice = []
    with (shared_data / "train" / "gsm8k.jsonl").open(encoding="utf-8") as file:
        for line in file:
            text = json.loads(line)["answer"]
            cleaned, notes = strip_annotations(text)
            assert restore_annotations(cleaned, notes) == text
            assert "<<" not in cleaned
            rationale, answer = split_final_answer(cleaned)
            assert cleaned.rstrip() == f"{cleaned[: cleaned.rindex('####')]}#### {answer}"
            before = cleaned[: cleaned.rindex("####")].rstrip()
            if rationale != before:
                twice.append(before.removeprefix(rationale))
    # One row states its answer twice.
    assert twice == ["\nThe answer is 8."]


def test_every_row_of_mawps(shared_data: Path) -> None:
    rows = json.loads((shared_data / "train" / "mawps_asdiv_cot.json").read_text("utf-8"))
    other = []
    for row in rows:
        rationale, answer = split_final_answer(row["answer_cot"])
        assert answer is not None
        assert not rationale.endswith(">.")
        value = float(answer.rstrip("%").replace(",", ""))
        if value != pytest.approx(float(row["answer_value"]), rel=1e-3):
            other.append(answer)
    # These rationales end in another answer than the file's own column.
    assert other == ["9", "0.17", "69.32%"]
