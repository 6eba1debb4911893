from __future__ import annotations

import pytest

from dualtune.records import Message
from dualtune.tasks.masking import markers
from dualtune.tasks.prompts import (
    between,
    ir_opening,
    ir_request,
    irsp_continuation,
    irsp_opening,
    irsp_request,
    render_alpaca,
    solve_messages,
)
from dualtune.tasks.targets import NO_STEP


def test_solve() -> None:
    (message,) = solve_messages("What is 2+2?")
    assert message.role == "user"
    assert message.content.startswith("What is 2+2?\n\n")
    assert "step by step" in message.content
    assert 'The answer is X."' in message.content


def test_solve_asks_for_a_program_where_the_rationale_is_one() -> None:
    (message,) = solve_messages("What is 2+2?", kind="pot")
    assert message.content.startswith("What is 2+2?\n\n")
    assert "Python program" in message.content
    assert "prints the answer" in message.content


def test_a_system_prompt_comes_first() -> None:
    system, user = solve_messages("Q", system="Be brief.")
    assert system == Message("system", "Be brief.")
    assert user == solve_messages("Q")[0]


def test_the_requests() -> None:
    """Models are trained on these words: a change of them is a change for users to be told of."""
    one, three = markers(1), markers(3)
    assert irsp_request(one) == "\n\nWrite the step of the solution that <MASK> stands for."
    assert irsp_request(three) == (
        "\n\nWrite the steps of the solution that <MASK_1>, <MASK_2> and <MASK_3> stand for, "
        "one a line."
    )
    assert irsp_request(three[:2], kind="pot", labelled=True) == (
        "\n\nWrite the steps of the program that <MASK_1> and <MASK_2> stand for, each below a "
        "line with its marker."
    )
    assert irsp_request(one, negatives=True) == (
        "\n\nWrite the step of the solution that <MASK> stands for. Where no step is missing, "
        f'write "{NO_STEP}"'
    )
    assert ir_request(one) == "\n\nWrite the part of the problem that <MASK> stands for."
    assert ir_request(three[:2]) == (
        "\n\nWrite the parts of the problem that <MASK_1> and <MASK_2> stand for, one a line."
    )
    assert ir_request(one, target="question") == (
        "\n\nWrite the whole problem, with what is masked filled in."
    )


def test_the_openings() -> None:
    assert irsp_continuation() == "The solution goes on:\n"
    assert irsp_continuation("pot") == "The program goes on:\n"
    assert irsp_opening("What is it?") == "What is it?\n\nSolution:\n"
    assert irsp_opening("What is it?", "pot") == "What is it?\n\nProgram:\n"
    assert ir_opening("3+1 = 4") == "Solution:\n3+1 = 4\n\nProblem:\n"
    assert ir_opening("print(3 + 1)", "pot") == "Program:\nprint(3 + 1)\n\nProblem:\n"


@pytest.mark.parametrize("shown", ["<MASK>", "a\n\n<MASK>\n\nb", "<MASK>\n", "\n\n<MASK> a\n\n"])
def test_what_stands_between_opening_and_request_is_found(shown: str) -> None:
    opening = irsp_opening("Q\n\nQ")
    assert between(opening + shown + irsp_request(markers(1)), opening) == shown
    assert between("R" + shown + irsp_request(markers(1)), opening) is None
    assert between(opening, opening) is None


def test_alpaca() -> None:
    text = render_alpaca(solve_messages("Q"))
    assert text.endswith("\n\n### Response:\n")
    assert "\n\n### Instruction:\nQ\n\n" in text
    own = render_alpaca(solve_messages("Q", system="Be brief."))
    assert own.startswith("Be brief.\n\n### Instruction:\n")


def test_several_turns_in_the_alpaca_format() -> None:
    """As FastChat's and LLaMA-Factory's templates "alpaca": the end token behind each answer."""
    turns = (Message("user", "Q"), Message("assistant", "a\n"), Message("user", "And?"))
    text = render_alpaca(turns, end_of_turn="</s>")
    assert text.endswith(
        "\n\n### Instruction:\nQ\n\n### Response:\na\n</s>\n\n"
        "### Instruction:\nAnd?\n\n### Response:\n"
    )
    # What came before is the prompt of the first turn, to the letter.
    assert text.startswith(render_alpaca(turns[:1]))


@pytest.mark.parametrize(
    "messages",
    [
        (),
        (Message("system", "s"),),
        (Message("user", "a"), Message("assistant", "b")),
        (Message("user", "a"), Message("system", "s")),
        (Message("user", "a"), Message("user", "b"), Message("user", "c")),
        (Message("assistant", "a"),),
    ],
)
def test_alpaca_refuses_other_turns(messages: tuple[Message, ...]) -> None:
    with pytest.raises(ValueError, match="the user's first and last"):
        render_alpaca(messages)
