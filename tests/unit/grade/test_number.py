"""Numeric grading: extraction, reading, exact comparison, statuses, and time on hostile input."""

from __future__ import annotations

import json
import time
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualtune.grade import MAX_CHARACTERS, STATUSES, grade
from dualtune.grade.number import read_answer

CORRECT = [
    ("The answer is 29.", "$29.00"),
    ("#### 1,000", "1000"),
    ("A: 18", "18"),
    ("5+6=11. The answer is 5 + 6 = 11 apples.", "11"),
    ("The answer is:\n\n42", "42"),
    ("The answer is as follows:\n6 * 7 = 42", "42"),
    ("The answer is 75%.", "75"),
    ("The answer is 75%.", "0.75"),
    ("The answer is 3/4.", "75%"),
    (r"\boxed{\frac{3}{4}}", "0.75"),
    (r"So $\boxed{7}$ it is, of 9.", "7"),
    ("The answer is twenty-three.", "23"),
    ("The answer is -$5.", "-5"),
    ("**Answer:** 42", "42"),
    ("The final answer is **$1,234.50**.", "1234.5"),
    ("Therefore, the answer is <203>.", "203"),
    ("The answer is 3 1/2.", "3.5"),
    ("The answer is ½.", "0.5"),
    ("The answer is (5).", "5"),
    ("The answer is $5/hour.", "5"),
    ("The answer is 12 hours (half a day).", "12"),
    ("The answer to the question is 3.", "3"),
    ("The answer is 5 apples. He started with 7.", "5"),
    ("The answer is 4. No, wait. The answer is 5.", "5"),
    ("He has 7 - 2 = <<7-2=5>>5", "5"),
    ("She gives two away and keeps five.", "5"),
    ("The answer is 2/3.", "0.6666666667"),
    ("The answer is 0.6666666667.", "0.6666666667"),
    ("The answer is 0.66666666666666.", "0.6666666667"),
    ("The answer is 3 * 5 = 15.", "15"),
    ("The answer is 15 = 3 * 5.", "15"),
    ("The answer is 15 = 3 x 5 apples.", "15"),
    ("The answer is **15** apples.", "15"),
    ("The answer is 3 * 5 = **15**.", "15"),
    ("The answer is **3 * 5 = 15**.", "15"),
    ("**The answer is 15** because 3 * 5 = 15.", "15"),
    ("The answer is about **15 apples. Good.**", "15"),
    ("The answer is *15*.", "15"),
    ("The answer is $**15**.", "15"),
    ("The answer is .5", "0.5"),
    ("The answer is .5.", "1/2"),
    ("The answer is <.5>.", "0.5"),
    ("#### .25", "0.25"),
    ("The answer is 0.5.", ".5"),
]
WRONG = [
    ("The answer is 8.5.", "8"),
    ("The answer is 0.33.", "1/3"),
    ("The answer is 0.67.", "0.6666666667"),
    ("The answer is 5. No, wait. The answer is 4.", "5"),
    ("It is 5.\n#### 6", "5"),
    ("The answer is 5.", "-5"),
    ("The answer is 0.75.", "75"),
    ("The answer is 1,000.", "1"),
    ("The answer is 0.0626.", "0.0625"),
    ("The answer is .5", "5"),
    ("#### .25", "25"),
    ("The answer is 15 = 3 * 5.", "3"),
]
UNPARSED = [
    "The answer is 5 + 6.",
    "The answer is 2^10.",
    "The answer is 5-6.",
    "The answer is 5 - x.",
    "The answer is 5x.",
    "The answer is 6:30.",
    "The answer is 3, 4 and 5.",
    "It may be 5. The answer is unknown.",
    r"The answer is \sqrt{5}.",
    "The answer is " + "9" * 100 + ".",
    "9" * 100,
    "The answer is 3 * 5.",
    "The answer is 3*5.",
    "The answer is 2**3.",
    "The answer is 2*3*4.",
    "The answer is **3** * 5.",
    "The answer is `5` + 6.",
    "The answer is 9 = 3x.",
    "The answer is 9 = 3 * n.",
]


@pytest.mark.parametrize(("output", "gold"), CORRECT)
def test_right_answers_are_correct(output: str, gold: str) -> None:
    assert grade(output, gold).status == "correct"


@pytest.mark.parametrize(("output", "gold"), WRONG)
def test_near_misses_are_wrong(output: str, gold: str) -> None:
    assert grade(output, gold).status == "wrong"


@pytest.mark.parametrize("output", UNPARSED)
@pytest.mark.parametrize("gold", ["5", "2", "6", "3", "9", "1"])
def test_a_formula_never_equals_a_number_by_its_digits(output: str, gold: str) -> None:
    assert grade(output, gold).status == "unparsed"


@pytest.mark.parametrize("output", ["", "   \n", "I do not know.", "The answer is"])
def test_no_number_is_no_answer(output: str) -> None:
    graded = grade(output, "5")
    assert (graded.status, graded.extracted) == ("no_answer", None)


@pytest.mark.parametrize("gold", ["", "x + 1", "unknown"])
def test_a_gold_that_cannot_be_read_is_an_error_and_not_wrong(gold: str) -> None:
    assert grade("The answer is 5.", gold).status == "error"


@pytest.mark.parametrize(
    ("output", "strict"),
    [
        ("2 + 3 = 5\nThe answer is 5.", True),
        ("The answer is $1,000.", True),
        ("So, the answer is 5", True),
        ("The answer is 5 apples.", False),
        ("The answer is 2 + 3 = 5.", False),
        ("The answer is 5. I hope this helps!", False),
        ("#### 5", False),
        ("5", False),
    ],
)
def test_strict_is_the_asked_form_at_the_end(output: str, strict: bool) -> None:
    assert grade(output, "5").strict is strict


def test_strict_says_nothing_about_being_right() -> None:
    assert grade("The answer is 6.", "5") == grade("The answer is 6.", "7")
    assert grade("The answer is 6.", "5").strict


def test_too_long_an_output_is_not_read() -> None:
    assert grade("5 " * MAX_CHARACTERS, "5").status == "unparsed"


def test_statuses_have_one_for_the_pool_to_come() -> None:
    assert "timed_out" in STATUSES


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="prose"):
        grade("5", "5", "prose")  # type: ignore[arg-type]


HOSTILE = {
    "digits": "9" * 99_999,
    "markers": "answer to " * 9_900,
    "answers": "answer: " * 12_000,
    "boxes": r"\boxed{" * 14_000,
    "braces": r"\boxed{" + "{" * 99_000,
    "spaces": " " * 99_999,
    "equals": "The answer is " + "=" * 90_000,
    "lists": "1." * 49_000,
    "commas": "1," * 49_000,
    "brackets": "<<" * 49_000,
    "lines": "\n" * 99_000 + "A:",
    "slashes": "1/" * 49_000,
    "stars": "The answer is " + "*1" * 49_000,
    "emphasis": "The answer is " + " *1" * 33_000,
    "minus": "-" * 99_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_outputs_cost_little(name: str) -> None:
    began = time.process_time()
    assert grade(HOSTILE[name], "7").status in ("wrong", "unparsed", "no_answer")
    # Far above what it takes, far below what a quadratic pattern takes on 100,000 characters.
    assert time.process_time() - began < 3


@given(st.fractions(max_denominator=1000), st.sampled_from(["The answer is {}.", "#### {}", "{}"]))
def test_a_value_meets_itself_and_no_other(value: Fraction, form: str) -> None:
    output = form.format(value)
    assert grade(output, str(value)).status == "correct"
    assert grade(output, str(value + Fraction(1, 1001))).status == "wrong"


@given(st.integers(-(10**12), 10**12))
def test_thousands_separators_and_decimals_change_nothing(value: int) -> None:
    assert read_answer(f"{value:,}") == read_answer(f"{value}.00") == (Fraction(value),)


@given(st.text(max_size=300))
def test_any_text_gets_a_status(text: str) -> None:
    assert grade(text, "5").status in STATUSES
    assert grade("The answer is 5.", text).status in STATUSES


def test_labelled_solutions_of_other_models(shared_data: Path) -> None:
    file = shared_data / "steps" / "gsm8k_model_solutions.jsonl"
    if not file.is_file():
        pytest.skip(f"{file.name} is not there")
    labelled = disagree = 0
    for line in file.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        gold = row["ground_truth"].rpartition("A:")[2].strip()
        for solution in row.values():
            if isinstance(solution, dict):
                labelled += 1
                right = grade(solution["solution"], gold).status == "correct"
                disagree += right != solution["is_correct"]
    assert (labelled, disagree) == (5276, 0)
