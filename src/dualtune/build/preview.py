"""Problems with their Instances for the terminal: what is masked, and what is trained on.

Masked parts are highlighted where they stand in the question and the rationale, the prompt is
dimmed, and the labels are in colour, token by token where an encoder is given. Without colours
(a pipe, a file) brackets ⟦…⟧ stand around the masked parts and a bar between the tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.text import Text

from dualtune.recipe import Tasks
from dualtune.records import Derived, Instance, Masked, Problem
from dualtune.tasks.derive import derive

MASK_STYLE = "bold black on yellow"
PROMPT_STYLE = "dim"
# Neighbouring tokens take turns, so that their borders show.
LABEL_STYLES = ("bold green", "bold cyan")
HEAD_STYLE = "bold"

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True, slots=True)
class EncodedView:
    """An encoded Instance as text.

    Attributes:
        prompt: The rendered prompt, special tokens included, up to where the labels start.
        labels: The text of each label token, end of turn included. A character that spans
            several tokens stands with the last of them.
    """

    prompt: str
    labels: tuple[str, ...]


class _EncodesInstances(Protocol):
    """What ``encoded_view`` needs of ``lm.encode.Encoder``."""

    tokenizer: Any

    def render(self, messages: Any) -> str: ...

    def encode(self, instance: Instance) -> Any: ...


def encoded_view(encoder: _EncodesInstances, instance: Instance) -> EncodedView:
    """Encode an Instance as training does and return it as text.

    Args:
        encoder: A ``dualtune.lm.encode.Encoder``.
        instance: What to encode.

    Raises:
        LabelError: If its label span cannot be told from the prompt.
    """
    encoded = encoder.encode(instance)
    labels: list[str] = []
    waiting: list[int] = []
    for token in encoded.ids[encoded.label_start :]:
        waiting.append(int(token))
        text = encoder.tokenizer.decode(
            waiting, skip_special_tokens=False, clean_up_tokenization_spaces=False
        )
        if not text.endswith(_REPLACEMENT):
            labels.append(text)
            waiting = []
    if waiting:
        labels.append(_REPLACEMENT)
    return EncodedView(encoder.render(instance.prompt), tuple(labels))


def preview(
    problems: Iterable[Problem],
    *,
    tasks: Tasks,
    seed: int,
    console: Console,
    epoch: int = 0,
    system: str | None = None,
    encode: Callable[[Instance], EncodedView] | None = None,
) -> None:
    """Print Problems with all the Instances that a run would derive from them.

    Args:
        problems: What to show.
        tasks: The task settings.
        seed: The recipe's seed.
        console: Where to; without colours where it is not a terminal.
        epoch: Whose masks are shown.
        system: The system prompt, or None for the template's own.
        encode: Encodes an Instance; without it the target's text is shown, not its tokens.
    """
    plain = console.color_system is None
    for problem in problems:
        derived = derive(problem, tasks, seed=seed, epoch=epoch, system=system)
        console.print(render_problem(problem, derived, plain=plain, encode=encode))


def render_problem(
    problem: Problem,
    derived: Derived,
    *,
    plain: bool = False,
    encode: Callable[[Instance], EncodedView] | None = None,
) -> RenderableType:
    """Return a Problem with its Instances as something that rich can print.

    Args:
        problem: The Problem.
        derived: Its Instances and what was skipped.
        plain: Mark by brackets and bars as well as by colour.
        encode: Encodes an Instance, to show the label tokens.
    """
    parts: list[RenderableType] = [
        Rule(_text(f"Problem {problem.id} ({problem.source})", HEAD_STYLE), align="left"),
        _block("question", _text(problem.question)),
        _block("rationale", _text(problem.rationale)),
        _block("answer", _text(problem.answer)),
    ]
    total = len(derived.instances)
    for number, instance in enumerate(derived.instances, 1):
        view = encode(instance) if encode else None
        parts.append(_instance(problem, instance, f"{number} of {total}", view, plain=plain))
    if derived.skipped:
        told = ", ".join(f"{cause} {count}" for cause, count in derived.skipped)
        parts.append(_block("skipped", _text(told)))
    parts.append(Text())
    return Group(*parts)


def highlight(text: str, masked: Sequence[Masked], *, plain: bool = False) -> Text:
    """Return ``text`` with the masked parts marked.

    Args:
        text: The original question or rationale.
        masked: The parts masked in this text.
        plain: Put brackets around them as well.
    """
    shown, at = Text(), 0
    for part in sorted(masked, key=lambda part: part.start):
        shown.append_text(_text(text[at : part.start]))
        inner = text[part.start : part.end]
        shown.append_text(_text(f"⟦{inner}⟧" if plain else inner, MASK_STYLE))
        at = part.end
    shown.append_text(_text(text[at:]))
    return shown


def _instance(
    problem: Problem, instance: Instance, number: str, view: EncodedView | None, *, plain: bool
) -> RenderableType:
    parts: list[RenderableType] = [
        Text(),
        _text(f"▸ {instance.task} ({number}) {instance.id}", HEAD_STYLE),
    ]
    originals = {"question": problem.question, "rationale": problem.rationale}
    for where, original in originals.items():
        masked = [part for part in instance.masked if part.where == where]
        if masked:
            shown = highlight(original, masked, plain=plain)
            parts.append(_block(f"masked in the {where}", shown))
    if view is None:
        turns = "\n".join(f"[{turn.role}] {turn.content}" for turn in instance.prompt)
        parts.append(_block("prompt", _text(turns, PROMPT_STYLE)))
        parts.append(_block("trained on", _text(instance.target, LABEL_STYLES[0])))
        return Group(*parts)
    parts.append(_block("prompt", _text(view.prompt, PROMPT_STYLE)))
    title = f"trained on, {len(view.labels)} tokens"
    parts.append(_block(title, _tokens(view.labels, plain=plain)))
    return Group(*parts)


def _tokens(labels: Sequence[str], *, plain: bool) -> Text:
    shown = Text()
    for index, label in enumerate(labels):
        if plain and index:
            shown.append("|")
        # A line break is trained on as well: show which token holds it.
        shown.append_text(
            _text(label.replace("\n", "↵\n"), LABEL_STYLES[index % len(LABEL_STYLES)])
        )
    return shown


def _block(title: str, body: Text) -> RenderableType:
    return Group(Text(f"  {title}:", style="italic"), Padding(body, (0, 0, 0, 4), expand=False))


def _text(content: str, style: str = "") -> Text:
    """Return data as Text: no markup is read from it and no control code reaches the terminal."""
    safe = "".join(
        c if c.isprintable() or c == "\n" else ("  " if c == "\t" else _visible(c)) for c in content
    )
    return Text(safe, style=style)


def _visible(char: str) -> str:
    # Spaces of other widths are "not printable" to Python, and harmless.
    return char if char.isspace() and ord(char) >= 0xA0 else f"\\x{ord(char):02x}"
