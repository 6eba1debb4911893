"""Programs (PoT): whether they parse, and, where the user allows it, run to their answer.

They run in the sandbox that evaluation uses, ``dualtune.grade.programs``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from fractions import Fraction

from dualtune.errors import DualtuneError
from dualtune.grade.number import read_answer
from dualtune.grade.programs import MAX_PROGRAM, run_program
from dualtune.records import Finding, Problem
from dualtune.text.numbers import find_numbers

SHOWN = 200

_SAID = {
    "error": "fails",
    "timed_out": "took longer than its limit",
    "memory": "took more memory than its limit",
    "output": "prints more than its limit",
}


def check_program(problem: Problem, *, allow_code: bool) -> Iterator[Finding]:
    """Check a program.

    Args:
        problem: A Problem of kind ``pot``; others have no findings.
        allow_code: Run the program. Without it, it is only parsed.

    Yields:
        ``program_error`` (error) where it does not parse; ``program_wrong`` (error) where it
        fails, goes over a limit, or prints another answer than the row states.

    Raises:
        DualtuneError: If a program may run and no sandbox holds on this machine.
    """
    if problem.kind != "pot":
        return
    fault = _parse_error(problem.rationale)
    if fault is not None:
        yield Finding(problem.id, "program_error", "error", fault)
        return
    if not allow_code:
        return
    if len(problem.rationale) > MAX_PROGRAM:
        told = f"the program has {len(problem.rationale):,} characters and is not run"
        yield Finding(problem.id, "program_wrong", "error", told)
        return
    ran = run_program(problem.rationale)
    if ran.status == "refused":
        raise DualtuneError(
            f"{problem.id}: its program was not run: {ran.error}. Audit without --allow-code, or "
            "where the sandbox holds."
        )
    if ran.status != "ok":
        said = _SAID[ran.status]
        yield Finding(
            problem.id, "program_wrong", "error", f"the program {said}: {ran.error[-SHOWN:]!r}"
        )
    elif problem.answer.strip() and not _agrees(ran.answer or "", problem.answer):
        said = f"the program prints {(ran.answer or '')[-SHOWN:]!r}, the answer is "
        yield Finding(problem.id, "program_wrong", "error", f"{said}{problem.answer!r}")


def _parse_error(program: str) -> str | None:
    try:
        ast.parse(program)
    except SyntaxError as error:
        return f"the program does not parse: line {error.lineno}: {error.msg}"
    except (ValueError, RecursionError, MemoryError) as error:
        return f"the program does not parse: {error or type(error).__name__}"
    return None


def _agrees(output: str, answer: str) -> bool:
    """Compare what was printed last with the answer, by value where both are numbers."""
    line = output.strip().rpartition("\n")[2].strip()
    if line == answer.strip():
        return True
    wanted = read_answer(answer)
    given = read_answer(line) or tuple(n.value for n in find_numbers(line)[-1:])
    if not wanted or not given:
        return not wanted and line.lower() == answer.strip().lower()
    return any(_close(g, w) for g in given for w in wanted)


def _close(given: Fraction, wanted: Fraction) -> bool:
    # Programs compute in binary floats, and answers are printed with few decimals.
    return abs(given - wanted) <= max(abs(wanted), Fraction(1, 100)) / 1000
