from __future__ import annotations

import pytest

from dualtune.records import Message, Step
from dualtune.tasks.masking import mask
from dualtune.tasks.prompts import (
    ir_messages,
    irsp_messages,
    masked_target,
    render_alpaca,
    solve_messages,
    solve_target,
)


def test_solve() -> None:
    (message,) = solve_messages("What is 2+2?")
    assert message.role == "user"
    assert message.content.startswith("What is 2+2?\n\n")
    assert "step by step" in message.content
    assert 'The answer is X."' in message.content
    assert solve_target("2+2 = 4", "4") == "2+2 = 4\nThe answer is 4."


def test_a_system_prompt_comes_first() -> None:
    system, user = solve_messages("Q", system="Be brief.")
    assert system == Message("system", "Be brief.")
    assert user == solve_messages("Q")[0]


def test_irsp_shows_the_question_first_and_names_every_marker() -> None:
    text = "a\nb\nc"
    masked_text, masked = mask(text, [Step("a", 0, 1), Step("c", 4, 5)], where="rationale")
    (message,) = irsp_messages("What is it?", masked_text, masked)
    question, solution, request = message.content.split("\n\n")
    assert question == "What is it?"
    assert solution == "Solution:\n<MASK_1>\nb\n<MASK_2>"
    assert "<MASK_1> and <MASK_2>" in request
    assert masked_target(masked) == "a\nc"


def test_ir_shows_the_rationale_first_and_the_request_last() -> None:
    masked_text, masked = mask("Tom has 3.", [Step("3", 8, 9)], where="question")
    (spans,) = ir_messages("3+1 = 4", masked_text, masked)
    (whole,) = ir_messages("3+1 = 4", masked_text, masked, target="question")
    shown = "Solution:\n3+1 = 4\n\nProblem:\nTom has <MASK>.\n\n"
    assert spans.content.startswith(shown)
    assert whole.content.startswith(shown)
    assert "<MASK>" in spans.content[len(shown) :]
    assert "whole problem" in whole.content[len(shown) :]


def test_alpaca() -> None:
    text = render_alpaca(solve_messages("Q"))
    assert text.endswith("\n\n### Response:\n")
    assert "\n\n### Instruction:\nQ\n\n" in text
    own = render_alpaca(solve_messages("Q", system="Be brief."))
    assert own.startswith("Be brief.\n\n### Instruction:\n")


@pytest.mark.parametrize(
    "messages",
    [
        (),
        (Message("system", "s"),),
        (Message("user", "a"), Message("assistant", "b")),
        (Message("user", "a"), Message("system", "s")),
    ],
)
def test_alpaca_takes_one_user_turn(messages: tuple[Message, ...]) -> None:
    with pytest.raises(ValueError, match="one user turn"):
        render_alpaca(messages)
