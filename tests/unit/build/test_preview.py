from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from dualtune.build.preview import (
    LABEL_STYLES,
    MASK_STYLE,
    PROMPT_STYLE,
    EncodedView,
    encoded_view,
    highlight,
    preview,
)
from dualtune.recipe import Ir, Irsp, Tasks
from dualtune.records import Instance, Masked, Message, Problem
from dualtune.tasks.derive import derive

PROBLEM = Problem(
    id="tom-1",
    question="Tom has 3 apples and buys 5 more. [bold]How many[/bold] :apple: has he?",
    rationale="He starts with 3 apples.\nHe buys 5.\n3 + 5 = 8 apples.",
    answer="8",
    source="own.jsonl",
)
TASKS = Tasks(irsp=Irsp(per_problem=2), ir=Ir(per_problem=1))


def show(problem: Problem = PROBLEM, *, colour: bool, encode: Any = None) -> str:
    out = io.StringIO()
    console = Console(
        file=out, width=200, force_terminal=colour, color_system="standard" if colour else None
    )
    preview([problem], tasks=TASKS, seed=0, console=console, encode=encode)
    return out.getvalue()


def words(instance: Instance) -> EncodedView:
    return EncodedView("<user>" + instance.prompt[-1].content, (*instance.target.split(), "<end>"))


def test_every_instance_is_there() -> None:
    text = show(colour=False)
    assert "Problem tom-1 (own.jsonl)" in text
    instances = derive(PROBLEM, TASKS, seed=0).instances
    assert len(instances) == 4
    for instance in instances:
        assert instance.id in text
        for line in instance.target.splitlines():
            assert line in text
        for part in instance.masked:
            assert f"⟦{part.text}⟧" in text
            assert f"masked in the {part.where}:" in text


def test_without_a_terminal_there_is_no_escape_code() -> None:
    assert "\x1b" not in show(colour=False)
    assert "\x1b" not in show(colour=False, encode=words)


def test_in_colour_masks_are_marked_and_prompts_dimmed() -> None:
    text = show(colour=True)
    assert "⟦" not in text
    part = derive(PROBLEM, TASKS, seed=0).instances[-1].masked[0]
    console = Console(color_system="standard", force_terminal=True)
    for style, content in (
        (MASK_STYLE, part.text),
        (PROMPT_STYLE, "[user] Tom has 3 apples"),
        (LABEL_STYLES[0], PROBLEM.rationale.splitlines()[0]),
    ):
        assert (
            console.get_style(style).render(content, color_system=console._color_system)[:-4]
            in text
        )


def test_label_tokens_are_told_apart() -> None:
    plain = show(colour=False, encode=words)
    assert "He|starts|with|3|apples." in plain
    assert "The|answer|is|8.|<end>" in plain
    assert "trained on, 19 tokens" in plain
    colour = show(colour=True, encode=words)
    assert "|" not in colour
    assert "\x1b[1;32mHe\x1b[0m\x1b[1;36mstarts\x1b[0m" in colour


def test_line_breaks_among_the_labels_are_visible() -> None:
    text = show(colour=False, encode=lambda _: EncodedView("p", ("one", "\n", "two")))
    assert "one|↵\n    |two" in text


def test_what_was_skipped_is_told() -> None:
    one_step = Problem(id="a", question="What are 2 and 3?", rationale="2 + 3 = 5", answer="5")
    assert "irsp.one_step" in show(one_step, colour=False)


@pytest.mark.parametrize("colour", [True, False])
def test_data_is_never_read_as_markup_or_control_codes(colour: bool) -> None:
    assert "[bold]How many[/bold] :apple:" in show(colour=colour).replace("\x1b[0m", "")
    nasty = Problem(id="a", question="2 \x1b[2Jx \x07 and 3?", rationale="2\n3\x9b1m", answer="5")
    text = show(nasty, colour=colour)
    assert "\x1b[2J" not in text
    assert "\x07" not in text
    assert "\x9b" not in text
    assert "\\x1b[2Jx \\x07 and 3?" in text


def test_highlight_keeps_the_text() -> None:
    masked = [
        Masked("<MASK_2>", "5", 26, 27, "question", "number"),
        Masked("<MASK_1>", "3", 8, 9, "question", "number"),
    ]
    question = PROBLEM.question
    assert highlight(question, masked).plain == question
    shown = highlight(question, masked, plain=True).plain
    assert shown == question.replace("5", "⟦5⟧").replace("3", "⟦3⟧")


def test_encoded_view_shows_labels_with_whole_characters() -> None:
    target = "é = 1"
    data = target.encode() + b"\x00"

    class Bytes:
        """A tokenizer of one byte a token; byte 0 ends the turn."""

        tokenizer = SimpleNamespace(
            decode=lambda ids, **_: bytes(ids).decode(errors="replace").replace("\0", "<end>")
        )

        def render(self, messages: Any) -> str:
            return f"U:{messages[-1].content} A:"

        def encode(self, instance: Instance) -> Any:
            prompt = self.render(instance.prompt).encode()
            return SimpleNamespace(ids=[*prompt, *data], label_start=len(prompt))

    instance = Instance("i", "p", "solve", (Message("user", "q"),), target)
    assert encoded_view(Bytes(), instance) == EncodedView(
        "U:q A:", ("é", " ", "=", " ", "1", "<end>")
    )
