"""Grading: what a model answered, and whether it equals the gold answer.

Pure functions on strings, with a status for each output instead of a boolean. Numbers and choices
are read by linear-time patterns, and most formulas by the project's own reader; the rest is left
to sympy, which may hang: grade kinds other than ``number`` in a pool of processes.
"""

from dualtune.grade.grades import (
    ASKED,
    KINDS,
    MAX_CHARACTERS,
    RULES,
    STATUSES,
    AnswerKind,
    Grade,
    Status,
)
from dualtune.grade.keys import answer_key
from dualtune.grade.number import grade_number


def grade(
    output: str,
    gold: str,
    kind: AnswerKind = "number",
    *,
    question: str = "",
    options: tuple[str, ...] = (),
) -> Grade:
    """Grade one output.

    Args:
        output: What the model wrote.
        gold: The right answer as text: ``"1,000"``, ``r"\\frac{1}{2}"``, ``"C"``, ``"[3, 5]"``.
        kind: What kind of answer the gold is.
        question: What was asked: repeating it is no answer, it may name a base, and it may hold
            the options where ``options`` is empty.
        options: The options of a choice, in the order of their letters.

    Returns:
        The extracted answer, its status and whether it stood in the asked form.

    Raises:
        ValueError: If ``kind`` is unknown.
    """
    if kind == "number":
        return grade_number(output, gold, question)
    if kind == "latex":
        from dualtune.grade.latex import grade_latex

        return grade_latex(output, gold, question)
    if kind == "choice":
        from dualtune.grade.choice import grade_choice

        return grade_choice(output, gold, question, options)
    if kind == "mixed":
        from dualtune.grade.mixed import grade_mixed

        return grade_mixed(output, gold, question, options)
    raise ValueError(f"answers of kind {kind!r} are not graded (known: {', '.join(KINDS)})")


__all__ = [
    "ASKED",
    "KINDS",
    "MAX_CHARACTERS",
    "RULES",
    "STATUSES",
    "AnswerKind",
    "Grade",
    "Status",
    "answer_key",
    "grade",
]
