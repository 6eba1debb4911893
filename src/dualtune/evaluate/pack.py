"""What the lm-evaluation-harness task pack in ``tasks/`` calls.

The pack works by itself, with the benchmark files found as ``load_benchmark`` finds them::

    lm_eval run --model hf --model_args pretrained=MODEL --apply_chat_template \\
        --include_path "$(dualtune tasks)" --tasks dualtune_nine
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from dualtune.errors import BadInput
from dualtune.evaluate.shots import shots_for
from dualtune.grade import AnswerKind
from dualtune.recipe import EvalFile
from dualtune.sources.benchmarks import (
    BENCHMARKS,
    BenchmarkRow,
    Exclusion,
    find_benchmark,
    load_benchmark,
)
from dualtune.tasks.prompts import solve_messages

FOLDER = Path(__file__).parent / "tasks"
PREFIX = "dualtune_"
OWN = "own"  # the task of a user's file is ``dualtune_own``


def load(
    benchmark: str = OWN,
    data_dir: str | None = None,
    exclude: Sequence[Exclusion] = (),
    file: Mapping[str, Any] | None = None,
    **_: Any,
) -> dict[str, Any]:
    """Load a benchmark as lm-evaluation-harness wants its data.

    Args:
        benchmark: Its name without the prefix, or any other name for a file of the user's.
        data_dir: Folder of the benchmark files; this and what follows are given on the command
            line as ``--metadata '{"data_dir": "..."}'``.
        exclude: Lists of rows with known defects that are left out.
        file: The keys of ``eval.files`` for the task ``dualtune_own``; others take no notice.

    Returns:
        The splits ``test`` and ``shots`` (solved examples) as ``datasets.Dataset``.

    Raises:
        BadInput: If the benchmark cannot be loaded, or no file is named for ``dualtune_own``.
    """
    import datasets

    if benchmark == OWN and not file:
        raise BadInput(
            'the task dualtune_own needs a file: --metadata \'{"file": {"path": "mine.jsonl"}}\''
        )
    is_own = file is not None and benchmark not in BENCHMARKS
    own = {benchmark: EvalFile.model_validate(file)} if is_own else {}
    rows = load_benchmark(benchmark, data_dir=data_dir, files=own, exclude=exclude)
    shots = shots_for(find_benchmark(benchmark, files=own).kind)
    examples = [
        BenchmarkRow(id=f"shot-{n}", question=s.question, gold=s.answer, kind=s.kind)
        for n, s in enumerate(shots, start=1)
    ]
    return {
        "test": datasets.Dataset.from_dict(_columns(rows, [row.gold for row in rows])),
        "shots": datasets.Dataset.from_dict(_columns(examples, [s.solution for s in shots])),
    }


def doc_to_text(doc: Mapping[str, Any]) -> str:
    """Return the user turn: the question and the instruction of solve, as in training."""
    return solve_messages(str(doc["question"]))[-1].content


def doc_to_target(doc: Mapping[str, Any]) -> str:
    """Return the gold answer; of a solved example its solution."""
    return str(doc["target"])


class Grading:
    """The filter that grades all outputs of a task together.

    lm-evaluation-harness scores row by row in its own process, where one output may hang it for
    good. A filter sees every output of a task at once, so they go to the pool of processes that
    can be killed.
    """

    def apply(
        self, resps: Iterable[Sequence[str]], docs: Iterable[Mapping[str, Any]]
    ) -> list[list[dict[str, Any]]]:
        """Grade the first output of every row.

        Args:
            resps: The outputs of each row.
            docs: The rows.

        Returns:
            For each row a list of one grade: ``extracted``, ``status`` and ``strict``.
        """
        from dualtune.grade.pool import GradeRow, grade_rows

        rows = (
            GradeRow(
                id=str(doc["id"]),
                output=outputs[0],
                gold=str(doc["gold"]),
                kind=cast(AnswerKind, doc["kind"]),
                question=str(doc["question"]),
                options=tuple(doc["options"]),
            )
            for outputs, doc in zip(resps, docs, strict=True)
        )
        return [
            [{"extracted": g.extracted, "status": g.status, "strict": g.strict}]
            for g in grade_rows(rows)
        ]


def process_results(
    doc: Mapping[str, Any], results: Sequence[Sequence[Mapping[str, Any]]]
) -> dict[str, float]:
    """Score the graded output of a row.

    Args:
        doc: The row.
        results: What ``Grading`` returned for it.

    Returns:
        ``accuracy`` by the lenient reading, ``strict_accuracy`` where the answer also stood in
        the asked form.
    """
    graded = results[0][0]
    correct = graded["status"] == "correct"
    return {"accuracy": float(correct), "strict_accuracy": float(correct and graded["strict"])}


def _columns(rows: Sequence[BenchmarkRow], targets: Sequence[str]) -> dict[str, list[Any]]:
    names = ("id", "question", "gold", "kind", "reference", "subject", "level")
    columns: dict[str, list[Any]] = {name: [getattr(r, name) for r in rows] for name in names}
    return {**columns, "options": [list(row.options) for row in rows], "target": list(targets)}
