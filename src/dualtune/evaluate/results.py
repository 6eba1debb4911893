"""What an evaluation left in a run folder: results, and the graded generations behind them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from dualtune.files import Json, read_json, read_jsonl, read_yaml

Results = Mapping[str, Mapping[str, Json]]
"""Model, then benchmark, to its entry in ``eval.json``."""


@dataclass(frozen=True, slots=True)
class Generations:
    """The graded generations of one model on one benchmark.

    Attributes:
        model: ``base``, ``tuned`` or another name.
        benchmark: The benchmark's name.
        mode: The decoding mode: ``cot``, ``pot`` or ``hybrid``.
        rows: The rows as written: id, question, prompt, outputs, gold, extracted, status, strict.
    """

    model: str
    benchmark: str
    mode: str
    rows: Sequence[Json]


def read_evaluation(run: Path) -> Results:
    """Read the results in ``eval.json`` that the recipe of a run asks for.

    Left out are benchmarks that ``recipe.yaml`` does not name and, where it turns the evaluation
    of the untuned model off, results of that model without a finished stage of this run.

    Args:
        run: The run folder.

    Returns:
        Model, then benchmark, to its result: ``base`` first, then ``tuned``.

    Raises:
        BadInput: If a file cannot be read.
    """
    recipe, manifest = read_yaml(run / "recipe.yaml"), read_json(run / "manifest.json")
    # Before and after in reading order, whatever order the stages finished in.
    order = {"base": 0, "tuned": 1}
    models = sorted(
        read_json(run / "eval.json").get("models", {}).items(),
        key=lambda item: (order.get(item[0], 2), item[0]),
    )
    wanted = {
        model: {b: r for b, r in results.items() if _wanted(model, b, recipe, manifest)}
        for model, results in models
    }
    return {model: results for model, results in wanted.items() if results}


def read_generations(run: Path, evaluation: Results) -> Iterator[Generations]:
    """Read the generations that a run's results count.

    Args:
        run: The run folder.
        evaluation: Its results, as ``read_evaluation`` gives them.

    Yields:
        The rows of each result, or what is there of one that is not finished.

    Raises:
        BadInput: If a file cannot be read.
    """
    recipe, manifest = read_yaml(run / "recipe.yaml"), read_json(run / "manifest.json")
    for path in sorted((run / "eval").glob("*/*.jsonl")):
        model = path.parent.name
        benchmark, _, mode = path.stem.rpartition(".")
        if not benchmark or not _wanted(model, benchmark, recipe, manifest):
            continue
        result = evaluation.get(model, {}).get(benchmark)
        if result is not None and result.get("mode", mode) != mode:
            continue
        # Behind the rows that a result counts stand those of a larger limit, evaluated before.
        counted = result.get("rows") if result is not None else None
        yield Generations(model, benchmark, mode, tuple(islice(read_jsonl(path), counted)))


def _wanted(model: str, benchmark: str, recipe: Json, manifest: Json) -> bool:
    """Say whether a result is this recipe's, not one that an earlier recipe left in the folder."""
    settings = recipe.get("eval") or {}
    if benchmark not in settings.get("benchmarks", (benchmark,)):
        return False
    if model == "base" and settings.get("baseline") is False:
        return "finished" in (manifest.get("stages") or {}).get("eval_base", {})
    return True
