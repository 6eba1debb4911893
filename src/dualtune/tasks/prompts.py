"""The texts of prompts: the same for training and for evaluation.

Every user turn ends with the task's request. Solve and IRSP open with the question, and all IR
turns of a Problem with its rationale, so that a token trie computes what they share once. An IRSP
instance in the form of a conversation opens as solve does, its answer up to the gap included.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

from dualtune.records import Kind, Message
from dualtune.tasks.targets import NO_STEP

Target = Literal["spans", "question"]

SOLVE = 'Solve the problem step by step, and end with "The answer is X."'
SOLVE_POT = "Write a Python program that solves the problem and prints the answer."

# What a rationale is called, by kind.
_NOUN: dict[Kind, str] = {"cot": "solution", "pot": "program"}
_NEGATIVES = f' Where no step is missing, write "{NO_STEP}"'

# The wording of the original Alpaca format, which MathInstruct and many models follow.
_ALPACA_OPENING = (
    "Below is an instruction that describes a task. "
    "Write a response that appropriately completes the request."
)


def solve_messages(
    question: str, *, kind: Kind = "cot", system: str | None = None
) -> tuple[Message, ...]:
    """Return the prompt of solve: the question and the request.

    Args:
        question: The question.
        kind: ``cot`` asks for steps and an answer, ``pot`` for a program that prints it.
        system: System prompt; None leaves it to the chat template.
    """
    return with_system((Message("user", solve_content(question, kind)),), system)


def solve_content(question: str, kind: Kind = "cot") -> str:
    """Return the user turn of solve."""
    return f"{question}\n\n{SOLVE if kind == 'cot' else SOLVE_POT}"


def irsp_opening(question: str, kind: Kind = "cot") -> str:
    """Return what stands before the masked rationale in the user turn of IRSP."""
    return f"{question}\n\n{_NOUN[kind].capitalize()}:\n"


def irsp_continuation(kind: Kind = "cot") -> str:
    """Return what stands before the rest of the rationale where IRSP is a conversation."""
    return f"The {_NOUN[kind]} goes on:\n"


@lru_cache(maxsize=256)
def irsp_request(
    markers: tuple[str, ...],
    *,
    kind: Kind = "cot",
    labelled: bool = False,
    negatives: bool = False,
) -> str:
    """Return what stands behind the masked rationale in the user turn of IRSP.

    Args:
        markers: What stands in place of the steps.
        kind: What the rationale is.
        labelled: Whether each of several steps is to be written below a line with its marker.
        negatives: Whether the request allows for markers where no step is missing. It must be the
            same for all instances of a recipe, or it would give the answer away.
    """
    request = _request("step", markers, _NOUN[kind], labelled=labelled)
    return request + _NEGATIVES if negatives else request


def ir_opening(rationale: str, kind: Kind = "cot") -> str:
    """Return what stands before the masked question in the user turn of IR."""
    return f"{_NOUN[kind].capitalize()}:\n{rationale}\n\nProblem:\n"


@lru_cache(maxsize=256)
def ir_request(
    markers: tuple[str, ...], *, target: Target = "spans", labelled: bool = False
) -> str:
    """Return what stands behind the masked question in the user turn of IR.

    Args:
        markers: What stands in place of the spans.
        target: ``spans`` asks for the masked parts, ``question`` for the whole question.
        labelled: Whether each of several parts is to be written below a line with its marker.
    """
    if target == "question":
        return "\n\nWrite the whole problem, with what is masked filled in."
    return _request("part", markers, "problem", labelled=labelled)


def between(content: str, opening: str) -> str | None:
    """Return what stands between the opening and the request of an IRSP or IR user turn.

    Args:
        content: The user turn.
        opening: ``irsp_opening`` or ``ir_opening`` of the Problem.

    Returns:
        The masked text, or None where the turn does not open so.
    """
    # A request is one line behind a blank one, so the last blank line stands before it.
    end = content.rfind("\n\n")
    if end < len(opening) or not content.startswith(opening):
        return None
    return content[len(opening) : end]


def render_alpaca(messages: Sequence[Message], *, end_of_turn: str = "") -> str:
    r"""Return the prompt in the Alpaca format, up to and including ``### Response:\n``.

    Args:
        messages: An optional system message, which takes the place of the format's own opening,
            then turns of the user and the assistant by turns, the user's first and last. The
            format itself has one turn; several follow each other as FastChat and LLaMA-Factory
            write them.
        end_of_turn: What stands behind each turn of the assistant: the model's token for it.

    Raises:
        ValueError: If the turns are others.
    """
    opening = _ALPACA_OPENING
    rest = list(messages)
    if rest and rest[0].role == "system":
        opening = rest.pop(0).content
    roles = [m.role for m in rest]
    if roles != (["user", "assistant"] * len(rest))[: len(rest)] or len(rest) % 2 == 0:
        raise ValueError(
            "the Alpaca format holds turns of user and assistant, the user's first and last, "
            f"after an optional system: {', '.join(m.role for m in messages)}"
        )
    heads = {
        "user": ("### Instruction:\n", "\n\n"),
        "assistant": ("### Response:\n", f"{end_of_turn}\n\n"),
    }
    turns = [f"{heads[m.role][0]}{m.content}{heads[m.role][1]}" for m in rest]
    return f"{opening}\n\n{''.join(turns)}### Response:\n"


def with_system(turns: Sequence[Message], system: str | None) -> tuple[Message, ...]:
    """Return turns behind the system prompt, if there is one."""
    return tuple(turns) if system is None else (Message("system", system), *turns)


def _request(noun: str, markers: Sequence[str], whole: str, *, labelled: bool) -> str:
    if len(markers) == 1:
        return f"\n\nWrite the {noun} of the {whole} that {markers[0]} stands for."
    names = f"{', '.join(markers[:-1])} and {markers[-1]}"
    how = "each below a line with its marker" if labelled else "one a line"
    return f"\n\nWrite the {noun}s of the {whole} that {names} stand for, {how}."
