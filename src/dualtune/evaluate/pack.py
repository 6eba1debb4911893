"""What the lm-evaluation-harness task pack in ``tasks/`` calls.

The pack works by itself, with the benchmark files found through ``DUALTUNE_DATA``::

    lm_eval run --model hf --model_args pretrained=MODEL --apply_chat_template \\
        --include_path "$(python -c 'from dualtune.evaluate.pack import FOLDER; print(FOLDER)')" \\
        --tasks dualtune_gsm8k
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from dualtune.grade import AnswerKind, grade
from dualtune.sources.benchmarks import load_benchmark
from dualtune.tasks.prompts import solve_messages

FOLDER = Path(__file__).parent / "tasks"
PREFIX = "dualtune_"


def load(benchmark: str, data_dir: str | None = None, **_: Any) -> dict[str, Any]:
    """Load a benchmark as lm-evaluation-harness wants its data.

    Args:
        benchmark: Its name without the prefix.
        data_dir: Folder of the benchmark files; given on the command line as
            ``--metadata '{"data_dir": "..."}'``.

    Returns:
        The split ``test`` as a ``datasets.Dataset``.
    """
    import datasets

    rows = load_benchmark(benchmark, data_dir=data_dir)
    names = ("id", "question", "gold", "kind", "reference")
    columns = {name: [getattr(row, name) for row in rows] for name in names}
    return {"test": datasets.Dataset.from_dict(columns)}


def doc_to_text(doc: Mapping[str, Any]) -> str:
    """Return the user turn: the question and the instruction of solve, as in training."""
    return solve_messages(str(doc["question"]))[-1].content


def doc_to_target(doc: Mapping[str, Any]) -> str:
    """Return the gold answer."""
    return str(doc["gold"])


def process_results(doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, float]:
    """Grade the output of one row.

    Returns:
        ``accuracy`` by the lenient reading, ``strict_accuracy`` where the answer also stood in
        the asked form.
    """
    graded = grade(results[0], str(doc["gold"]), cast(AnswerKind, doc["kind"]))
    correct = graded.status == "correct"
    return {"accuracy": float(correct), "strict_accuracy": float(correct and graded.strict)}
