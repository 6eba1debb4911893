"""One spelling for answers that are the same, so that samples can vote."""

from __future__ import annotations

from collections.abc import Sequence

from dualtune.grade.choice import bare_options, read_choice
from dualtune.grade.grades import AnswerKind
from dualtune.grade.number import read_answer
from dualtune.grade.spelling import clean
from dualtune.grade.structure import Answer, read_structure


def answer_key(extracted: str | None, kind: AnswerKind, options: Sequence[str] = ()) -> str:
    r"""Return a key that equal simple answers share.

    Args:
        extracted: An answer as a grade gives it; None for none.
        kind: The kind of the row.
        options: The options of a choice.

    Returns:
        ``"1/2"`` for ``0.5``, ``50/100`` and ``\frac12``; the letter of a choice; lists in one
        order; else the answer in one spelling. Empty for no answer. Formulas that are equal but
        written differently have different keys: to compare each with each would take a search.
    """
    if not extracted or not extracted.strip():
        return ""
    if kind == "choice":
        letter = read_choice(extracted, bare_options(tuple(options)))
        return letter or clean(extracted).casefold()
    if kind == "number":
        values = read_answer(extracted)
        return str(values[0]) if values else clean(extracted).casefold()
    return _key(read_structure(extracted))


def _key(answer: Answer) -> str:
    if answer.form == "number":
        return str(answer.values[0])
    if answer.form == "named":
        return _key(answer.items[0])
    if answer.form in ("bag", "union"):
        return f"{{{', '.join(sorted(_key(item) for item in answer.items))}}}"
    if answer.form == "tuple":
        inner = ", ".join(_key(item) for item in answer.items)
        return f"{answer.detail[0]}{inner}{answer.detail[-1]}"
    if answer.form == "text":
        return answer.text
    return f"{''.join(answer.text.split())}{'_' if answer.form == 'base' else ''}{answer.detail}"
