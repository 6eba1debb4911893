"""Choices: letters, texts and values of options."""

from __future__ import annotations

import pytest

from dualtune.grade import grade
from dualtune.grade.choice import bare_options, inline_options, read_choice

OPTIONS = ("21", "24", "36 minutes", "75%", "None of these")


@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        ("C", "C"),
        ("(c)", "C"),
        ("option C", "C"),
        ("**C**", "C"),
        (r"\text{(C)}", "C"),
        ("C) 36 minutes", "C"),
        ("C because the others are smaller", "C"),
        ("36 minutes", "C"),
        ("36", "C"),
        ("3/4", "D"),
        ("none of these.", "E"),
        ("22", ""),
        ("A nice number", None),
        ("Bob", None),
        ("AB", None),
        ("A or B", None),
        ("F", None),
        ("", None),
    ],
)
def test_reading_a_choice(answer: str, letter: str | None) -> None:
    assert read_choice(answer, OPTIONS) == letter


def test_letters_win_over_options_that_look_like_letters() -> None:
    assert read_choice("B", ("A", "~A", "B", "~B")) == "B"


def test_capitals_tell_options_apart() -> None:
    options = ("Cs ⊃ Ej", "Sc ≡ Ej", "sC ≡ eJ", "Sx ≡ Jy")
    assert read_choice("sC ≡ eJ", options) == "C"
    assert grade("The answer is C.", "B", "choice", options=options).status == "wrong"


def test_labels_are_taken_off_only_where_all_options_have_theirs() -> None:
    assert bare_options(("A)21", "B)24")) == ("21", "24")
    assert bare_options(("A)21", "24")) == ("A)21", "24")
    assert bare_options(("b) x", "a) y")) == ("b) x", "a) y")


def test_inline_options() -> None:
    question = "Find f(a). \nAnswer Choices: (A) 2 (B) $f(x)$ (C) 9"
    assert inline_options(question) == ("2", "$f(x)$", "9")
    assert inline_options("Let (A) be a set.") == ()


def test_the_gold_may_be_an_options_text() -> None:
    assert grade("The answer is B.", "24", "choice", options=OPTIONS).status == "correct"
    assert grade("The answer is B.", "25", "choice", options=OPTIONS).status == "error"


@pytest.mark.parametrize("letter", "ABCDE")
def test_strict_is_a_letter_in_the_asked_form(letter: str) -> None:
    text = OPTIONS["ABCDE".index(letter)]
    for output, strict in ((f"The answer is {letter}.", True), (f"The answer is {text}.", False)):
        graded = grade(output, letter, "choice", options=OPTIONS)
        assert (graded.status, graded.strict) == ("correct", strict)
