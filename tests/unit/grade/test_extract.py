"""Finding the answer that a text states."""

from __future__ import annotations

import pytest

from dualtune.grade.extract import Stated, asked_form, last_clear_answer


@pytest.mark.parametrize(
    ("output", "text", "form"),
    [
        ("So the answer is 5 apples. Good.", "5 apples", "stated"),
        ("The answer is 3.5. Good.", "3.5", "stated"),
        ("Answer: 12", "12", "stated"),
        ("**Final Answer:**\n\n12", "12", "stated"),
        ("The correct answer to this is = 4", "4", "stated"),
        ("x\n#### 1,000", "1,000", "marked"),
        (r"\boxed{\frac{1}{2}} done", r"\frac{1}{2}", "boxed"),
        (r"The answer is \boxed{3}.", "3", "boxed"),
        ("A: 26", "26", "stated"),
        ("The answer is 4.\n#### 5\nThe answer is 6.", "6", "stated"),
    ],
)
def test_the_last_clear_answer_is_found(output: str, text: str, form: str) -> None:
    assert last_clear_answer(output) == Stated(text, form)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "output",
    ["", "5 + 6 = 11", "He answered 5 questions.", "The answer is", r"\boxed{", "####", "A: "],
)
def test_no_statement_is_none(output: str) -> None:
    assert last_clear_answer(output) is None


def test_a_marker_without_an_answer_leaves_the_one_before() -> None:
    assert last_clear_answer("The answer is 5.\n####") == Stated("5", "stated")


def test_asked_form_is_the_end_of_the_text() -> None:
    assert asked_form("1 + 1 = 2\nThe answer is 2.\n") == "2"
    assert asked_form("The answer is 2. Or 3.") == "2. Or 3"
    assert asked_form("It is 2.") is None


COPIED = [
    "X",
    "X.",
    "[X]",
    "$X$",
    "x",
    '"X"',
    "x apples.",
    "$X$ dollars",
    "Y",
    "**X** apples.",
    "$X.",
]


@pytest.mark.parametrize("copied", COPIED)
def test_a_copied_placeholder_states_nothing(copied: str) -> None:
    """SmolLM2-135M-Instruct, untuned, copies the X of the instruction in a fifth of its outputs."""
    assert last_clear_answer(f"5 + 6 = 11 apples. The answer is {copied}") is None
    kept = last_clear_answer(f"The answer is 11.\nThe answer is {copied}")
    assert kept is not None
    assert kept.text == "11"


@pytest.mark.parametrize("stated", ["x + 1", "xylophones", "x = 5", "5x", "Z", "x 5 apples"])
def test_more_than_a_placeholder_is_an_answer(stated: str) -> None:
    assert last_clear_answer(f"It is 11. The answer is {stated}.") == Stated(stated, "stated")
