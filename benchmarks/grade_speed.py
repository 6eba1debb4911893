"""How fast rows are graded, and that hostile ones cost nobody else anything.

Run: python benchmarks/grade_speed.py [--rows 10000] [--workers 2]

Numbers are outputs of GSM8K's length. With DUALTUNE_DATA set, the golds of the nine benchmarks are
graded as well, as a model would write them. The hostile part hangs or breaks its process at one row
in a hundred, with 1, 2 and 4 workers and from a thread. Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.unit.grade import hostile

from dualtune.grade.pool import Graded, GradeRow, grade_rows
from dualtune.processes import cores
from dualtune.sources.benchmarks import load_benchmark

_BREAKING = ("hang", "segfault", "exit", "memory", "raise", "stack")
_NINE = ("gsm8k", "math", "aqua", "numglue", "svamp", "mathematics", "simuleq", "sat", "mmlu_math")
_STEPS = "She has 3 boxes of 16 pens, so 3 * 16 = 48 pens. She gives 4 to each of 5 friends. " * 3


def main() -> None:
    """Time it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    numbers = [
        GradeRow(str(at), f"{_STEPS}The answer is {at % 97}.", str(at % 89), "number")
        for at in range(10 * options.rows)
    ]
    formulas = [
        GradeRow(str(at), rf"So \boxed{{\frac{{{at}}}{{7}}}}", rf"\frac{{{at}}}{{7}}", "latex")
        for at in range(1, options.rows)
    ]
    data = os.environ.get("DUALTUNE_DATA")
    figures = {
        "cores": cores(),
        "workers": options.workers,
        "numbers_per_second": _speed(numbers, options.workers),
        "latex_per_second": _speed(formulas, options.workers),
        **_hostile(options.rows),
        **(_golds(Path(data), options.workers) if data else {}),
    }
    print(json.dumps(figures))


def _speed(rows: list[GradeRow], workers: int) -> float:
    started = time.perf_counter()
    count = sum(1 for _ in grade_rows(rows, workers=workers))
    assert count == len(rows)
    return round(count / (time.perf_counter() - started), 1)


def _golds(data: Path, workers: int) -> dict[str, object]:
    """Grade each gold against itself: MATH's speed, and how many rows of all are correct."""
    sets = {name: list(_gold_rows(name, data)) for name in _NINE}
    graded = grade_rows(chain.from_iterable(sets.values()), workers=workers)
    return {
        "math_golds_per_second": _speed(sets["math"], workers),
        "gold_rows": sum(len(rows) for rows in sets.values()),
        "gold_rows_correct": sum(row.status == "correct" for row in graded),
    }


def _gold_rows(name: str, data: Path) -> Iterator[GradeRow]:
    for row in load_benchmark(name, data_dir=data):
        says = (
            rf"So $\boxed{{{row.gold}}}$." if row.kind == "latex" else f"The answer is {row.gold}."
        )
        yield GradeRow(row.id, says, row.gold, row.kind, row.question, row.options)


def _hostile(count: int) -> dict[str, object]:
    rows = [
        GradeRow(
            str(at),
            _BREAKING[at // 100 % len(_BREAKING)] if at % 100 == 50 else f"It is {at % 7}.",
            str(at % 5),
            "number",
        )
        for at in range(count)
    ]
    runs: list[list[Graded]] = []

    def run(workers: int) -> None:
        runs.append(list(grade_rows(rows, workers=workers, seconds=0.2, grader=hostile.grade)))

    started = time.perf_counter()
    for workers in (1, 2, 4):
        run(workers)
    thread = threading.Thread(target=run, args=(2,))
    thread.start()
    thread.join()
    statuses = [[row.status for row in graded] for graded in runs]
    return {
        "hostile_rows": count,
        "hostile_timed_out": statuses[0].count("timed_out"),
        "hostile_lost": sum(count - len(graded) for graded in runs),
        "hostile_same_statuses": all(one == statuses[0] for one in statuses),
        "hostile_seconds_of_4_runs": round(time.perf_counter() - started, 1),
    }


if __name__ == "__main__":
    main()
