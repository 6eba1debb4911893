"""The texts of prompts and targets: the same for training and for evaluation.

Every user turn ends with the task's instruction. Solve and IRSP open with the question, and all
IR turns of a Problem with its rationale, so that a token trie computes what they share once.
"""

from __future__ import annotations

from collections.abc import Sequence

from dualtune.records import Masked, Message

SOLVE = 'Solve the problem step by step, and end with "The answer is X."'

_IRSP_OPENING = "Solution:\n"
_IR_OPENING = "Solution:\n"
_IR_QUESTION = "\n\nProblem:\n"

# The wording of the original Alpaca format, which MathInstruct and many models follow.
_ALPACA_OPENING = (
    "Below is an instruction that describes a task. "
    "Write a response that appropriately completes the request."
)


def solve_messages(question: str, *, system: str | None = None) -> tuple[Message, ...]:
    """Return the prompt of solve: the question and the request for steps and an answer.

    Args:
        question: The question.
        system: System prompt; None leaves it to the chat template.
    """
    return _messages(f"{question}\n\n{SOLVE}", system)


def irsp_messages(
    question: str, masked_rationale: str, masked: Sequence[Masked], *, system: str | None = None
) -> tuple[Message, ...]:
    """Return the prompt of IRSP: the question, the rationale with masked steps, the request.

    Args:
        question: The question.
        masked_rationale: The rationale with markers in place of steps.
        masked: What was masked; only the markers are used.
        system: System prompt; None leaves it to the chat template.
    """
    head, tail = irsp_frame(question, masked)
    return _messages(head + masked_rationale + tail, system)


def ir_messages(
    rationale: str,
    masked_question: str,
    masked: Sequence[Masked],
    *,
    target: str = "spans",
    system: str | None = None,
) -> tuple[Message, ...]:
    """Return the prompt of IR: the rationale, the masked question, the request.

    Args:
        rationale: The rationale, without the line that states the final answer.
        masked_question: The question with markers in place of spans.
        masked: What was masked; only the markers are used.
        target: ``spans`` asks for the masked parts, ``question`` for the whole question.
        system: System prompt; None leaves it to the chat template.
    """
    head, tail = ir_frame(rationale, masked, target=target)
    return _messages(head + masked_question + tail, system)


def irsp_frame(question: str, masked: Sequence[Masked]) -> tuple[str, str]:
    """Return what stands before and after the masked rationale in the user turn of IRSP."""
    if len(masked) == 1:
        request = f"Write the step of the solution that {masked[0].marker} stands for."
    else:
        request = f"Write the steps of the solution that {_listed(masked)} stand for, one a line."
    return f"{question}\n\n{_IRSP_OPENING}", f"\n\n{request}"


def ir_frame(rationale: str, masked: Sequence[Masked], *, target: str = "spans") -> tuple[str, str]:
    """Return what stands before and after the masked question in the user turn of IR."""
    if target == "question":
        request = "Write the whole problem, with what is masked filled in."
    elif len(masked) == 1:
        request = f"Write the part of the problem that {masked[0].marker} stands for."
    else:
        request = f"Write the parts of the problem that {_listed(masked)} stand for, one a line."
    return f"{_IR_OPENING}{rationale}{_IR_QUESTION}", f"\n\n{request}"


def solve_target(rationale: str, answer: str) -> str:
    """Return what solve is trained to write: the rationale, then the answer on its own line."""
    return f"{rationale}\nThe answer is {answer}."


def masked_target(masked: Sequence[Masked]) -> str:
    """Return the masked parts, one a line in marker order."""
    return "\n".join([part.text for part in masked])


def render_alpaca(messages: Sequence[Message]) -> str:
    r"""Return the prompt in the Alpaca format, up to and including ``### Response:\n``.

    Args:
        messages: An optional system message, which takes the place of the format's own opening,
            and one user message.

    Raises:
        ValueError: If there is not exactly one user message, or any other turn.
    """
    opening = _ALPACA_OPENING
    rest = list(messages)
    if rest and rest[0].role == "system":
        opening = rest.pop(0).content
    if len(rest) != 1 or rest[0].role != "user":
        roles = ", ".join(m.role for m in messages)
        raise ValueError(f"the Alpaca format holds one user turn after an optional system: {roles}")
    return f"{opening}\n\n### Instruction:\n{rest[0].content}\n\n### Response:\n"


def _messages(content: str, system: str | None) -> tuple[Message, ...]:
    user = Message("user", content)
    return (user,) if system is None else (Message("system", system), user)


def _listed(masked: Sequence[Masked]) -> str:
    names = [part.marker for part in masked]
    return f"{', '.join(names[:-1])} and {names[-1]}"
