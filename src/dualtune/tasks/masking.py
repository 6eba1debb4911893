"""Putting mask markers into a text and taking them out again, exactly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from dualtune.records import Masked, Span, Step

OPENING = "<MASK"  # a text that holds this already cannot be masked without ambiguity


def is_maskable(*texts: str) -> bool:
    """Tell whether none of the texts holds what looks like a marker."""
    return not any(OPENING in text for text in texts)


def markers(count: int) -> tuple[str, ...]:
    """Return the markers of an instance: ``<MASK>`` for one, ``<MASK_1>``.. for several.

    Plain text, not a special token: a new token's embedding would stay untrained under LoRA.
    """
    if count == 1:
        return ("<MASK>",)
    return tuple([f"<MASK_{i}>" for i in range(1, count + 1)])


def mask(
    text: str, parts: Sequence[Step | Span], *, where: Literal["question", "rationale"]
) -> tuple[str, tuple[Masked, ...]]:
    """Replace parts of a text by markers.

    Args:
        text: The question or rationale.
        parts: Non-overlapping Steps or Spans of ``text``, in any order.
        where: Which text it is, for the records.

    Returns:
        The masked text, and what was masked in the order of the text.

    Raises:
        ValueError: If parts overlap or do not lie in the text, or the text holds a marker.
    """
    if OPENING in text:
        raise ValueError(f"the text already holds {OPENING!r}: unmasking it would be ambiguous")
    ordered = sorted(parts, key=_start)
    pieces: list[str] = []
    masked: list[Masked] = []
    last = 0
    for part, marker in zip(ordered, markers(len(ordered)), strict=True):
        start, end = part.start, part.end
        if not last <= start < end <= len(text):
            raise ValueError(
                f"cannot mask {start}:{end} of a text of {len(text)} characters after {last}"
            )
        pieces.append(text[last:start])
        pieces.append(marker)
        kind = part.kind if isinstance(part, Span) else "step"
        masked.append(Masked(marker, text[start:end], start, end, where, kind))
        last = end
    pieces.append(text[last:])
    return "".join(pieces), tuple(masked)


def unmask(masked_text: str, masked: Sequence[Masked]) -> str:
    """Put the masked parts back: the exact inverse of ``mask``.

    Args:
        masked_text: The text with markers.
        masked: What was masked, in the order of the text.

    Returns:
        The original text.

    Raises:
        ValueError: If a marker is missing.
    """
    pieces: list[str] = []
    last = 0
    for part in masked:
        at = masked_text.find(part.marker, last)
        if at < 0:
            raise ValueError(f"{part.marker} does not stand in the text after character {last}")
        pieces += (masked_text[last:at], part.text)
        last = at + len(part.marker)
    pieces.append(masked_text[last:])
    return "".join(pieces)


def _start(part: Step | Span) -> int:
    return part.start
