"""Sets whose golds are numbers, lists, expressions and words."""

from __future__ import annotations

import pytest

from dualtune.grade import grade


@pytest.mark.parametrize(
    ("output", "gold", "status"),
    [
        ("So z = 15 = 3 * 5.\nThe answer is [5, 3].", "[3, 5]", "correct"),
        ("The prime factors are [3, 5]", "[3, 5]", "correct"),
        ("The answer is {3, 5}.", "[3, 5]", "correct"),
        ("The answer is 3, 5 and 7.", "[3, 5]", "wrong"),
        ("The answer is 12, 3 and 0.", "12 3 0", "correct"),
        ("The answer is -96u.", "-96*u", "correct"),
        ("The answer is $-96 \\cdot u$.", "-96*u", "correct"),
        ("The answer is -96*v.", "-96*u", "wrong"),
        ("It is true that 2 > 1. So no.", "False", "correct"),
        ("He retired in August.\nAugust", "August", "correct"),
        ("I do not know.", "August", "no_answer"),
        ("The answer is 8.5.", "8.5", "correct"),
        ("The answer is 8.", "8.5", "wrong"),
        ("The answer is (c).", "0", "correct"),
    ],
)
def test_the_gold_says_the_kind(output: str, gold: str, status: str) -> None:
    question = "Which is the closest to 517?  (a) 6  (b) -3  (c) 0"
    assert grade(output, gold, "mixed", question=question).status == status


def test_a_letter_is_a_choice_where_there_are_options() -> None:
    graded = grade("The answer is tree.", "B", "mixed", options=("web", "tree"))
    assert graded.status == "correct"
    assert grade("The answer is B.", "B", "mixed").status == "correct"


@pytest.mark.parametrize("gold", ["", "  "])
def test_an_empty_gold_is_an_error(gold: str) -> None:
    assert grade("The answer is 5.", gold, "mixed").status == "error"
