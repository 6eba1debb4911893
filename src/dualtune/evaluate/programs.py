"""Running the programs that outputs hold, in the sandbox."""

from __future__ import annotations

from collections.abc import Sequence

from dualtune.errors import DualtuneError
from dualtune.evaluate.store import Program
from dualtune.grade.programs import Ran, extract_program, run_programs
from dualtune.progress import track

NO_PROGRAM = "none"  # the status of an output that holds no program


def run_all(outputs: Sequence[str]) -> list[Program]:
    """Run the program of each output.

    Args:
        outputs: What a model wrote.

    Returns:
        What became of each, in order; status ``none`` where there is no program.

    Raises:
        DualtuneError: If the sandbox runs nothing at all: no result would say so of each row.
    """
    codes = [extract_program(output) for output in outputs]
    there = [code for code in codes if code is not None]
    ran = list(track(run_programs(there), "programs", total=len(there)))
    if ran and all(one.status == "refused" for one in ran):
        raise DualtuneError(
            f"eval.mode: no program could be run ({ran[0].error}). The generations are kept: the "
            "same command goes on once programs can run; eval.mode: cot needs none."
        )
    results = iter(ran)
    return [
        Program(status=NO_PROGRAM, answer=None, error="the output holds no program")
        if code is None
        else _program(next(results))
        for code in codes
    ]


def _program(ran: Ran) -> Program:
    return Program(status=ran.status, answer=ran.answer, error=ran.error)
