"""One key for answers that are the same."""

from __future__ import annotations

import pytest

from dualtune.grade import AnswerKind, answer_key


@pytest.mark.parametrize(
    ("kind", "answers"),
    [
        ("number", ("0.5", "1/2", r"\frac{1}{2}", "50/100", "½")),
        ("number", ("$1,000", "1000.00", "1 000")),
        ("latex", (r"\dfrac12", "0.5", "x = 1/2")),
        ("latex", ("1, 2", r"\{2,1\}")),
        ("latex", ("(1,  2)", r"\left(1,2\right)")),
        ("latex", (r"\text{Evelyn}", "evelyn")),
        ("latex", (r"4343_6", "4343_{6}")),
        ("choice", ("B", "(b) 24", "24")),
        ("mixed", ("[3, 5]", "[ 3,5 ]")),
    ],
)
def test_equal_answers_share_a_key(kind: AnswerKind, answers: tuple[str, ...]) -> None:
    assert len({answer_key(answer, kind, ("21", "24")) for answer in answers}) == 1


@pytest.mark.parametrize("kind", ["number", "latex", "choice", "mixed"])
def test_other_answers_have_other_keys_and_none_has_none(kind: AnswerKind) -> None:
    assert answer_key("21", kind, ("21", "24")) != answer_key("24", kind, ("21", "24"))
    assert answer_key(None, kind) == answer_key(" ", kind) == ""
