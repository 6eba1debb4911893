"""Instruction Reconstruction: rebuild masked spans of a question from its rationale."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from random import Random

from dualtune.recipe import Ir
from dualtune.records import Instance, Problem, Span
from dualtune.tasks.choices import draw_spans, stream_seed
from dualtune.tasks.masking import is_maskable, mask
from dualtune.tasks.prompts import ir_messages, masked_target
from dualtune.text.numbers import find_numbers, held_values
from dualtune.text.spans import find_spans

# A clause without numbers is answerable where at least this share of its content words stands in
# the rationale: the rest (a tense, a preposition) follows from the words around the mask.
MIN_SHARED_WORDS = 0.5

_CONTENT = re.compile(r"[a-z]{3,}")
_STOP_WORDS = frozenset(
    "the and for are was were has have had will would can could his her its their they them she "
    "you your our that this these those with from into how many much what which who when where "
    "does did not but than then also been being there each all any some more most very".split()
)


def ir_instances(
    problem: Problem,
    settings: Ir,
    *,
    seed: int,
    epoch: int,
    system: str | None,
    mask_epoch: int,
) -> tuple[list[Instance], Counter[str]]:
    """Derive the IR instances of a Problem.

    Args:
        problem: The Problem.
        settings: The recipe's ``tasks.ir``.
        seed: The recipe's seed.
        epoch: Named in the id.
        system: System prompt, if any.
        mask_epoch: Epoch that the random stream depends on: 0 where masks are not fresh.

    Returns:
        The instances, and what was not made by cause. Counted by span: ``not_in_rationale``,
        ``few_shared_words``. By Problem: ``no_span``, ``no_answerable_span``,
        ``marker_in_text``. By instance: ``fewer_choices``.
    """
    if not is_maskable(problem.question, problem.rationale):
        return [], Counter({"ir.marker_in_text": 1})
    spans, skipped = maskable_spans(problem, settings)
    if not spans:
        return [], skipped
    stream = stream_seed(seed, mask_epoch, "ir", problem.id)
    wanted = settings.per_problem
    chosen = draw_spans(spans, size=settings.masks, count=wanted, rng=Random(stream))
    if len(chosen) < wanted:
        skipped["ir.fewer_choices"] += wanted - len(chosen)
    instances = []
    for index, picks in enumerate(chosen):
        masked_question, masked = mask(problem.question, picks, where="question")
        whole = settings.target == "question"
        instances.append(
            Instance(
                id=f"{problem.id}/ir/{epoch}/{index}",
                source_id=problem.id,
                task="ir",
                prompt=ir_messages(
                    problem.rationale,
                    masked_question,
                    masked,
                    target=settings.target,
                    system=system,
                ),
                target=problem.question if whole else masked_target(masked),
                masked=masked,
                seed=stream,
            )
        )
    return instances, skipped


def maskable_spans(problem: Problem, settings: Ir) -> tuple[list[Span], Counter[str]]:
    """Return the spans of a question that the settings allow to be masked, and what they do not.

    Args:
        problem: The Problem.
        settings: The recipe's ``tasks.ir``.
    """
    skipped: Counter[str] = Counter()
    numbers = find_numbers(problem.question)
    spans = find_spans(problem.question, numbers)
    if settings.policy == "numbers":
        spans = tuple([s for s in spans if s.kind == "number"])
    if not spans:
        skipped["ir.no_span"] += 1
        return [], skipped
    if not settings.answerable_only:
        return list(spans), skipped
    held = held_values(problem.rationale)
    missing = [n for n in numbers if not held.holds(n)]
    words: set[str] | None = None
    kept: list[Span] = []
    for span in spans:
        if span.values:
            if any(span.start <= n.start and n.end <= span.end for n in missing):
                skipped["ir.not_in_rationale"] += 1
                continue
        else:
            words = _content_words(problem.rationale) if words is None else words
            if not _shares_words(span.text, words):
                skipped["ir.few_shared_words"] += 1
                continue
        kept.append(span)
    if not kept:
        skipped["ir.no_answerable_span"] += 1
    return kept, skipped


def _content_words(text: str) -> set[str]:
    return {_stem(word) for word in set(_CONTENT.findall(text.lower())) - _STOP_WORDS}


def _shares_words(text: str, words: set[str]) -> bool:
    own = _content_words(text)
    return bool(own) and len(own & words) >= MIN_SHARED_WORDS * len(own)


@lru_cache(maxsize=65536)
def _stem(word: str) -> str:
    """Cut endings roughly, so that "clips" and "clip", "selling" and "sells" meet."""
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word
