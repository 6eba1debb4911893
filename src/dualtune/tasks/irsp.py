"""Intermediate Reasoning State Prediction: predict masked steps of a rationale."""

from __future__ import annotations

from collections import Counter
from random import Random

from dualtune.recipe import Irsp
from dualtune.records import Instance, Masked, Message, Problem
from dualtune.tasks.choices import draw_runs, draw_subsets
from dualtune.tasks.instances import Pass, count_fewer
from dualtune.tasks.masking import is_maskable, markers, mask, mask_nothing
from dualtune.tasks.prompts import (
    irsp_continuation,
    irsp_opening,
    irsp_request,
    solve_content,
)
from dualtune.tasks.targets import masked_target, needs_labels
from dualtune.text.program import ProgramError
from dualtune.text.steps import segment

# More markers than this a visible step make no negative: a ratio of 0.9 would ask for nine.
MOST_MARKERS = 3


def irsp_instances(
    problem: Problem, settings: Irsp, one_pass: Pass
) -> tuple[list[Instance], Counter[str]]:
    """Derive the IRSP instances of a Problem.

    At least one step is masked in an instance and at least one stays visible, and no two instances
    mask the same. By policy:

    - ``random``: any ``settings.masks`` steps, or the share ``settings.ratio`` of the steps;
    - ``contiguous``: so many neighbours, each with a marker of its own;
    - ``last``: the last so many, which is one instance;
    - ``each``: one instance a step, whatever masks and instances are asked for.

    The ``settings.negatives`` further instances hide nothing: their markers stand where the policy
    would put them in a rationale of so many steps more, and the target says that no step is
    missing. With negatives, every IRSP request of the recipe allows for that answer.

    With ``form: conversation`` the prompt is solve's, the assistant's answer up to the first
    marker, and a second turn of the user with the rest.

    Args:
        problem: The Problem.
        settings: The recipe's ``tasks.irsp``.
        one_pass: The pass that they are for.

    Returns:
        The instances, negatives last, and how many were not made by cause: ``one_step`` (a Problem
        whose rationale has no second step), ``fewer_choices`` and ``fewer_negatives`` (instances
        asked for beyond the distinct choices, or beyond ``MOST_MARKERS``), ``marker_in_text`` (a
        Problem that holds a marker already), ``program_does_not_parse``.
    """
    if not is_maskable(problem.question, problem.rationale):
        return [], Counter({"irsp.marker_in_text": 1})
    try:
        steps = segment(problem.rationale, kind=problem.kind)
    except ProgramError:
        return [], Counter({"irsp.program_does_not_parse": 1})
    if len(steps) < 2:
        return [], Counter({"irsp.one_step": 1})
    skipped: Counter[str] = Counter()
    size = masked_steps(settings, len(steps))
    made: list[tuple[str, tuple[Masked, ...], int]] = []
    stream, rng = one_pass.stream("irsp", problem)
    wanted = len(steps) if settings.policy == "each" else settings.per_problem
    for picks in _draw(settings, len(steps), size=size, count=wanted, rng=rng):
        parts = [steps[i] for i in picks]
        made.append((*mask(problem.rationale, parts, where="rationale"), stream))
    count_fewer(skipped, "irsp.fewer_choices", wanted, len(made))
    if settings.negatives:
        stream, rng = one_pass.stream("irsp.negatives", problem)
        slots: list[tuple[int, ...]] = []
        size = markers_of_negative(settings, len(steps))
        if size <= MOST_MARKERS * len(steps):
            places = len(steps) + size
            slots = _draw(settings, places, size=size, count=settings.negatives, rng=rng)
        made += [(*mask_nothing(problem.rationale, steps, chosen), stream) for chosen in slots]
        count_fewer(skipped, "irsp.fewer_negatives", settings.negatives, len(slots))
    return _instances(problem, made, one_pass, settings), skipped


def masked_steps(settings: Irsp, steps: int) -> int:
    """Return how many of a rationale's steps an instance masks: one or more, and never all.

    Args:
        settings: The recipe's ``tasks.irsp``.
        steps: The steps of the rationale, two or more.
    """
    if settings.policy == "each":
        return 1
    wanted = settings.masks if settings.ratio is None else int(settings.ratio * steps + 0.5)
    return min(max(wanted, 1), steps - 1)


def markers_of_negative(settings: Irsp, steps: int) -> int:
    """Return how many markers a negative has: as many as a rationale with so many steps more.

    Args:
        settings: The recipe's ``tasks.irsp``.
        steps: The steps of the rationale, all of which stay visible.

    Returns:
        The number, or one above ``MOST_MARKERS`` a step where it is larger.
    """
    size = 1
    while size <= MOST_MARKERS * steps and masked_steps(settings, steps + size) != size:
        size += 1
    return size


def _draw(settings: Irsp, n: int, *, size: int, count: int, rng: Random) -> list[tuple[int, ...]]:
    """Draw which of ``n`` places in a rationale the markers of each instance take."""
    if settings.policy == "last":
        return [tuple(range(n - size, n))]
    if settings.policy == "contiguous":
        return draw_runs(n, size=size, count=count, rng=rng)
    chosen = draw_subsets(n, size=size, count=count, rng=rng)
    return sorted(chosen) if settings.policy == "each" else chosen


def _instances(
    problem: Problem,
    made: list[tuple[str, tuple[Masked, ...], int]],
    one_pass: Pass,
    settings: Irsp,
) -> list[Instance]:
    negatives = bool(settings.negatives)
    opening = irsp_opening(problem.question, problem.kind)
    # Labels for all instances of a Problem or for none, where there are negatives: a request for
    # labelled parts would tell that a step of several lines is gone.
    labelled = negatives and any(needs_labels(masked) for _, masked, _ in made)
    instances = []
    for index, (shown, masked, stream) in enumerate(made):
        label = labelled or needs_labels(masked)
        request = irsp_request(
            markers(len(masked)),
            kind=problem.kind,
            labelled=label,
            negatives=negatives,
        )
        gap = shown.index(masked[0].marker)
        before: tuple[Message, ...] = ()
        content = opening + shown + request
        # A gap at the start leaves nothing to say first: that one stays plain.
        if settings.form == "conversation" and shown[:gap].strip():
            before = _up_to_the_gap(problem, shown[:gap])
            content = irsp_continuation(problem.kind) + shown[gap:] + request
        instances.append(
            one_pass.instance(
                problem,
                "irsp",
                index,
                content=content,
                target=masked_target(masked, labelled=label),
                masked=masked,
                stream=stream,
                before=before,
            )
        )
    return instances


def _up_to_the_gap(problem: Problem, text: str) -> tuple[Message, ...]:
    """Return the turns of solve, its answer broken off: character by character what solve has.

    The white space before the gap belongs to it. Without, a tokenizer that joins a full stop and
    a line break would share one token less, and the model could not tell where a line ends.
    """
    asked = Message("user", solve_content(problem.question, problem.kind))
    return asked, Message("assistant", text)
