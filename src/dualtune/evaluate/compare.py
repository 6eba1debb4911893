"""Compare two models, or two recipes of several seeds, row by row."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dualtune.errors import BadInput, nearest
from dualtune.evaluate.paired import (
    difference_over_seeds,
    holm,
    mcnemar,
    paired_bootstrap,
    paired_macro,
    rows_needed,
)
from dualtune.evaluate.results import Generations, Results, read_evaluation, read_generations
from dualtune.evaluate.same_settings import differing_settings
from dualtune.evaluate.statistics import (
    Estimate,
    macro_average,
    macro_over_seeds,
    rows_and_seeds_interval,
)
from dualtune.evaluate.store import write_atomically
from dualtune.files import Json

Domain = Literal["in", "out", "all"]


@dataclass(frozen=True, slots=True)
class Evaluated:
    """One model of one run, with its graded rows.

    Attributes:
        run: The run's folder.
        model: ``base``, ``tuned`` or another name.
        results: Benchmark to its entry in ``eval.json``.
        rows: Benchmark to its rows by id, in the benchmark's order.
        modes: Benchmark to the decoding mode of these rows.
    """

    run: Path
    model: str
    results: Mapping[str, Json]
    rows: Mapping[str, Mapping[str, Json]]
    modes: Mapping[str, str]

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"{self.run.resolve().name}/{self.model}"


@dataclass(frozen=True, slots=True)
class BenchmarkComparison:
    """Two sides on the rows of one benchmark that both answered.

    Attributes:
        benchmark: Its name.
        domain: ``in`` or ``out``; None where the runs do not agree on it.
        mode: The decoding mode, ``cot against pot`` where it is not the same.
        rows: How many rows are compared.
        a: Accuracy of the first side on them.
        b: Accuracy of the second.
        difference: Second minus first, with a paired interval.
        both: Rows that both have right, with one seed a side; else None, as the next three.
        only_a: Rows that only the first has right.
        only_b: Rows that only the second has right.
        neither: Rows that neither has right.
        p: Exact McNemar with one seed a side, else Student's t over rows and seeds.
        p_holm: The same, adjusted for the number of benchmarks compared.
        rows_needed: Rows that would show a difference of one point, from the observed discordance.
    """

    benchmark: str
    domain: str | None
    mode: str
    rows: int
    a: Estimate
    b: Estimate
    difference: Estimate
    both: int | None
    only_a: int | None
    only_b: int | None
    neither: int | None
    p: float
    p_holm: float
    rows_needed: int


@dataclass(frozen=True, slots=True)
class Average:
    """Macro averages over the benchmarks of a domain: each benchmark counts alike."""

    domain: Domain
    benchmarks: tuple[str, ...]
    a: Estimate
    b: Estimate
    difference: Estimate


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two sides compared.

    Attributes:
        a: The models of the first side, as ``run/model``: one a seed.
        b: Those of the second.
        benchmarks: One entry a benchmark that both answered.
        averages: In-domain, out-of-domain and all, as far as there are benchmarks.
        notices: What keeps the sides from being compared like with like, and what was left out.
    """

    a: tuple[str, ...]
    b: tuple[str, ...]
    benchmarks: tuple[BenchmarkComparison, ...]
    averages: tuple[Average, ...]
    notices: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return dataclasses.asdict(self)


def compare_runs(
    runs: Sequence[Path],
    *,
    a: Sequence[Path] = (),
    b: Sequence[Path] = (),
    models: Sequence[str] | None = None,
    output: Path | None = None,
) -> Comparison:
    """Compare two runs, two models of one run, or two groups of runs.

    Args:
        runs: Two run folders, or one; none where ``a`` and ``b`` are given.
        a: The runs of the first side, one a seed.
        b: The runs of the second side.
        models: The model of each side; by default ``tuned`` of both, and ``base`` against
            ``tuned`` where there is one run.
        output: A JSON file for the figures.

    Raises:
        BadInput: If it is not clear what to compare with what, a run has no such evaluation, or
            the sides have no rows in common.
        DualtuneError: If ``output`` cannot be written.
    """
    if bool(a) != bool(b) or bool(a) == bool(runs) or len(runs) > 2:
        raise BadInput(
            "compare needs two sides: RUN_A RUN_B, or RUN --models base tuned, or "
            "--a RUN ... --b RUN ... with a run a seed."
        )
    if len(runs) == 1:
        models = models or ("base", "tuned")
    if runs:
        a, b = [runs[0]], [runs[-1]]
    names = models or (None, None)
    for side, name in ((a, names[0]), (b, names[1])):
        resolved = [run.resolve() for run in side]
        if len(set(resolved)) < len(resolved):
            raise BadInput(f"a run stands twice on one side: {', '.join(map(str, side))}")
        if side is b and name == names[0] and set(resolved) & {run.resolve() for run in a}:
            raise BadInput("a run is compared with itself: name two models with --models.")
    found = compare(
        [read_evaluated(run, names[0]) for run in a], [read_evaluated(run, names[1]) for run in b]
    )
    if output is not None:
        text = json.dumps(found.to_json(), indent=2, ensure_ascii=False) + "\n"
        content = text.encode(errors="backslashreplace")
        write_atomically(output, content, remedy="Name another file with --output.")
    return found


def read_evaluated(run: Path, model: str | None = None) -> Evaluated:
    """Read one model's evaluation from a run folder.

    Args:
        run: The run folder.
        model: Its name; None: ``tuned``, or the only one that there is.

    Raises:
        BadInput: If the folder holds no finished evaluation of that model, or a file is broken.
    """
    if not run.is_dir():
        raise BadInput(f"run folder not found: {run}. Give the folder that a recipe names as run.")
    evaluation = read_evaluation(run)
    if not evaluation:
        raise BadInput(f"{run} holds no evaluation. Run `dualtune eval` with its recipe first.")
    if model is None:
        model = "tuned" if "tuned" in evaluation or len(evaluation) > 1 else next(iter(evaluation))
    if model not in evaluation:
        raise BadInput(
            f"{run} holds no results of a model {model!r}{nearest(model, tuple(evaluation))}. "
            "Name one with --models."
        )
    return evaluated(run, model, evaluation, tuple(read_generations(run, evaluation)))


def evaluated(
    run: Path, model: str, evaluation: Results, generations: Sequence[Generations]
) -> Evaluated:
    """Pick one model's part of what a run holds.

    Args:
        run: The run folder.
        model: A model of ``evaluation``.
        evaluation: The results of the run.
        generations: The generations of the run.
    """
    finished = [g for g in generations if g.model == model and g.benchmark in evaluation[model]]
    order = list(evaluation[model])
    finished.sort(key=lambda g: order.index(g.benchmark))  # as the recipe names them
    return Evaluated(
        run=run,
        model=model,
        results=evaluation[model],
        rows={g.benchmark: {str(row["id"]): row for row in g.rows} for g in finished},
        modes={g.benchmark: g.mode for g in finished},
    )


def compare(a: Sequence[Evaluated], b: Sequence[Evaluated]) -> Comparison:
    """Compare two sides on the rows that all their models answered.

    Args:
        a: The first side: one model, or several that differ in the seed alone.
        b: The second side.

    Returns:
        A result for each benchmark of both sides. A row whose gold answer the grader could not
        read (status ``error``) says nothing of a model and is left out of both.

    Raises:
        BadInput: If the sides have no rows in common.
    """
    models = [*a, *b]
    common = [name for name in a[0].rows if all(name in one.rows for one in models)]
    notices = [*_left_out_benchmarks(models, common), *differing_settings(a, b)]
    shared: dict[str, list[str]] = {}
    for benchmark in common:
        ids, said = _shared_rows(benchmark, models)
        notices += said
        if ids:
            shared[benchmark] = ids
    if not shared:
        raise BadInput(
            f"{_names(a)} and {_names(b)} have no rows in common: {' '.join(notices) or 'none'} "
            "Evaluate both on the same benchmarks."
        )
    right_a = {name: [_right(one, name, ids) for one in a] for name, ids in shared.items()}
    right_b = {name: [_right(one, name, ids) for one in b] for name, ids in shared.items()}
    found = [_on_benchmark(name, a, b, right_a[name], right_b[name]) for name in shared]
    for one, adjusted in enumerate(holm([result.p for result in found])):
        found[one] = dataclasses.replace(found[one], p_holm=adjusted)
    return Comparison(
        a=tuple(one.name for one in a),
        b=tuple(one.name for one in b),
        benchmarks=tuple(found),
        averages=tuple(_averages(found, right_a, right_b)),
        notices=tuple(notices),
    )


def _on_benchmark(
    name: str,
    a: Sequence[Evaluated],
    b: Sequence[Evaluated],
    right_a: list[list[bool]],
    right_b: list[list[bool]],
) -> BenchmarkComparison:
    rows = len(right_a[0])
    single = len(a) == len(b) == 1
    cells: dict[str, int | None] = dict.fromkeys(("both", "only_a", "only_b", "neither"))
    if single:
        test = mcnemar(right_a[0], right_b[0])
        both = sum(x and y for x, y in zip(right_a[0], right_b[0], strict=True))
        cells = {
            "both": both,
            "only_a": test.only_a,
            "only_b": test.only_b,
            "neither": rows - both - test.only_a - test.only_b,
        }
        difference, p = paired_bootstrap(right_a[0], right_b[0]), test.p
    else:
        over = difference_over_seeds({name: right_a}, {name: right_b})
        difference, p = Estimate(over.value, over.low, over.high), over.p
    domains = {one.results[name].get("domain") for one in (*a, *b)}
    modes = dict.fromkeys(one.modes[name] for one in (*a, *b))
    return BenchmarkComparison(
        benchmark=name,
        domain=domains.pop() if len(domains) == 1 else None,
        mode=" against ".join(modes),
        rows=rows,
        a=rows_and_seeds_interval(right_a),
        b=rows_and_seeds_interval(right_b),
        difference=difference,
        p=p,
        p_holm=p,
        rows_needed=rows_needed(discordance=_discordance(right_a, right_b)),
        **cells,
    )


def _averages(
    found: Sequence[BenchmarkComparison],
    right_a: Mapping[str, list[list[bool]]],
    right_b: Mapping[str, list[list[bool]]],
) -> Iterator[Average]:
    domains: tuple[Domain, ...] = ("in", "out", "all")
    for domain in domains:
        names = [one.benchmark for one in found if domain in ("all", one.domain)]
        if not names:
            continue
        a, b = ({name: right[name] for name in names} for right in (right_a, right_b))
        yield Average(domain, tuple(names), _macro(a), _macro(b), _macro_difference(a, b))


def _macro(right: Mapping[str, list[list[bool]]]) -> Estimate:
    if all(len(seeds) == 1 for seeds in right.values()):
        return macro_average({name: seeds[0] for name, seeds in right.items()})
    return macro_over_seeds(right)


def _macro_difference(
    a: Mapping[str, list[list[bool]]], b: Mapping[str, list[list[bool]]]
) -> Estimate:
    if all(len(seeds) == 1 for seeds in (*a.values(), *b.values())):
        return paired_macro(
            {name: seeds[0] for name, seeds in a.items()},
            {name: seeds[0] for name, seeds in b.items()},
        )
    over = difference_over_seeds(a, b)
    return Estimate(over.value, over.low, over.high)


def _right(one: Evaluated, benchmark: str, ids: Sequence[str]) -> list[bool]:
    return [one.rows[benchmark][row]["status"] == "correct" for row in ids]


def _discordance(a: Sequence[Sequence[bool]], b: Sequence[Sequence[bool]]) -> float:
    """Return how often one of a pair of models, one a side, is right where the other is not."""
    total = 0.0
    rows = len(a[0])
    for row in range(rows):
        share_a = sum(seed[row] for seed in a) / len(a)
        share_b = sum(seed[row] for seed in b) / len(b)
        total += share_a * (1 - share_b) + share_b * (1 - share_a)
    return total / rows


def _shared_rows(benchmark: str, models: Sequence[Evaluated]) -> tuple[list[str], list[str]]:
    """Return the ids of the rows that can be compared, and what to say of the others."""
    rows = [one.rows[benchmark] for one in models]
    common = [row for row in rows[0] if all(row in other for other in rows)]
    said = []
    elsewhere = {one.name: len(one.rows[benchmark]) - len(common) for one in models}
    if any(elsewhere.values()):
        counts = ", ".join(f"{count} only in {name}" for name, count in elsewhere.items() if count)
        said.append(f"{benchmark}: rows that not every model answered are left out ({counts}).")
    asked = [row for row in common if len({_asked(one[row]) for one in rows}) == 1]
    if len(asked) < len(common):
        said.append(
            f"{benchmark}: {_rows(len(common) - len(asked))} with another question or right answer "
            "under the same id left out: the test sets differ."
        )
    ids = [row for row in asked if all(one[row]["status"] != "error" for one in rows)]
    if len(ids) < len(asked):
        said.append(
            f"{benchmark}: {_rows(len(asked) - len(ids))} with status error (no right answer can "
            "be read) left out of all models."
        )
    others = sum(len({one[row].get("prompt") for one in rows}) > 1 for row in ids)
    if others:
        said.append(f"{benchmark}: {_rows(others)} of {len(ids)} asked with different prompts.")
    return ids, said


def _rows(number: int) -> str:
    return f"{number} row{'' if number == 1 else 's'}"


def _asked(row: Json) -> tuple[Any, Any]:
    return row.get("question"), row.get("gold")


def _left_out_benchmarks(models: Sequence[Evaluated], common: Sequence[str]) -> Iterator[str]:
    for name in dict.fromkeys(name for one in models for name in one.rows):
        if name not in common:
            having = ", ".join(one.name for one in models if name in one.rows)
            yield f"{name}: evaluated only in {having}, so it is left out."


def _names(side: Sequence[Evaluated]) -> str:
    return ", ".join(one.name for one in side)
