"""Evaluate a model: lm-evaluation-harness generates, dualtune keeps, grades and counts.

Tasks and requests are lm-evaluation-harness's, made from the pack in ``tasks/``. Around that stands
what it has not: generations stored as they come, resumption, samples with a seed each, programs
that are run, and hybrid decoding.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dualtune.errors import BadInput
from dualtune.evaluate.backends import Setup, check_backend, set_up
from dualtune.evaluate.fingerprint import result_key
from dualtune.evaluate.generation import check_room, generate_missing
from dualtune.evaluate.grading import failed, grade_programs, grade_solutions, join_hybrid
from dualtune.evaluate.outcomes import (
    averages,
    drop_results,
    merge_results,
    right_rows,
    summarise,
)
from dualtune.evaluate.requests import Decoding, Request, build_requests
from dualtune.evaluate.shots import shots_for
from dualtune.evaluate.store import Generations, Row, write_rows
from dualtune.grade import RULES
from dualtune.recipe import Eval, Model
from dualtune.sources.benchmarks import Benchmark, domain_of, find_benchmark

log = logging.getLogger(__name__)


def evaluate_model(
    folder: Path | str,
    name: str,
    *,
    settings: Eval,
    model: Model,
    run: Path,
    train_source: str,
    seed: int = 0,
) -> dict[str, dict[str, Any]]:
    """Evaluate a model on the benchmarks of a recipe.

    Writes ``eval/<name>/<benchmark>.<mode>.jsonl`` while it generates and merges the results into
    ``eval.json``. What an earlier call generated with the same weights, prompts and settings is
    graded again, not generated again; the model is loaded only if something is missing.

    Args:
        folder: The model's folder, or a hub id; with backend ``openai`` its name on the server.
        name: What the results call it: ``base``, ``tuned``.
        settings: The recipe's eval section.
        model: The recipe's model section (prompt format and system prompt).
        run: The run's folder.
        train_source: What was trained on, for the domain of a benchmark.
        seed: The recipe's seed, which samples are drawn with.

    Returns:
        A result for each benchmark, as in ``eval.json``.

    Raises:
        BadInput: If a benchmark is unknown or its file missing, the model cannot be loaded, the
            backend is not installed, or programs would have to run without leave.
        DualtuneError: If results cannot be written, or a server fails for good.
    """
    check_settings(settings)
    domains = {
        b: domain_of(b, train_source, chosen=settings.domains, files=settings.files)
        for b in settings.benchmarks
    }
    setup = set_up(folder, settings=settings, model=model, seed=seed)
    made_by = {kind: setup.key(kind) for kind in decodings(settings)}
    keys = {b: result_key(b, made_by, settings=settings, model=model) for b in settings.benchmarks}
    # Of all benchmarks before any of them: a file that is missing is told now, not after hours.
    requests = {
        (benchmark, kind): build_requests(
            benchmark,
            render=setup.render,
            settings=settings,
            kind=kind,
            system=model.system,
            stop=setup.stop,
        )
        for benchmark in settings.benchmarks
        for kind in made_by
    }
    file = run / "eval.json"
    # Before anything is generated: what a kill leaves behind must not pass for this model's.
    drop_results(file, name, keep=keys)
    folder_of_rows = run / "eval" / name
    stores = {
        (benchmark, kind): Generations(folder_of_rows / f"{benchmark}.{kind}.jsonl", key)
        for benchmark in settings.benchmarks
        for kind, key in made_by.items()
    }
    work = _Work(setup, requests, stores, folder_of_rows, name, settings, seed)
    results: dict[str, dict[str, Any]] = {}
    right = {}
    try:
        work.check_room()
        for benchmark in settings.benchmarks:
            rows, seconds = work.rows_of(benchmark)
            right[benchmark] = right_rows(rows)
            results[benchmark] = summarise(rows, benchmark, settings=settings) | {
                "domain": domains[benchmark],
                "seconds": round(seconds, 1),
                "rules": RULES,
                "fingerprint": keys[benchmark],
            }
            merge_results(file, name, {benchmark: results[benchmark]})
            # A line a benchmark: where there is no terminal there is no bar either.
            accuracy = 100 * results[benchmark]["accuracy"]
            log.info("%s (%s): %d rows, %.1f %% correct", benchmark, name, len(rows), accuracy)
    finally:
        setup.close()
    merge_results(file, name, {}, means=averages(right, domains))
    return results


def check_settings(settings: Eval) -> None:
    """Find out what would stop an evaluation before anything is loaded.

    Raises:
        BadInput: If a benchmark is unknown or named twice, the backend is not installed, there are
            fewer solved examples than asked for, or programs would have to run without leave.
    """
    check_backend(settings)
    for key, named in (("eval.domains", settings.domains), ("eval.limits", settings.limits)):
        for benchmark in named:
            find_benchmark(benchmark, files=settings.files, key=key)
    twice = sorted({b for b in settings.benchmarks if settings.benchmarks.count(b) > 1})
    if twice:
        raise BadInput(f"eval.benchmarks names {', '.join(twice)} more than once: name it once.")
    for benchmark in settings.benchmarks:
        _check_shots(find_benchmark(benchmark, files=settings.files), settings)
    if settings.mode != "cot" and not settings.allow_code:
        raise BadInput(
            f"eval.mode {settings.mode} runs programs that a model wrote. If you want that, say "
            "so: --allow-code, or eval.allow_code: true. docs/programs.md says what the sandbox "
            "covers, and what not."
        )


def _check_shots(benchmark: Benchmark, settings: Eval) -> None:
    if not settings.shots:
        return
    if settings.mode != "cot":
        raise BadInput(
            f"eval.shots is {settings.shots}, but the solved examples are solutions, not programs: "
            f"set eval.shots: 0, or eval.mode: cot in place of {settings.mode}."
        )
    there = len(shots_for(benchmark.kind))
    if settings.shots > there:
        raise BadInput(
            f"eval.shots is {settings.shots}, but there are {there} solved examples for "
            f"{benchmark.name}: set eval.shots to at most {there}."
        )


def decodings(settings: Eval) -> tuple[Decoding, ...]:
    """Return what a mode asks a model for."""
    return ("pot", "cot") if settings.mode == "hybrid" else (settings.mode,)


@dataclass(frozen=True, slots=True)
class _Work:
    """One model's evaluation."""

    setup: Setup
    requests: Mapping[tuple[str, Decoding], Sequence[Request]]
    stores: Mapping[tuple[str, Decoding], Generations]
    folder: Path
    name: str
    settings: Eval
    seed: int

    def check_room(self) -> None:
        """Find out what does not fit the model's context before anything is generated.

        Which rows of hybrid decoding will ask for a solution is not known yet, so its programs
        alone are looked at.

        Raises:
            BadInput: If a prompt leaves no room for its output.
        """
        kind = decodings(self.settings)[0]
        for benchmark in self.settings.benchmarks:
            check_room(
                self.requests[benchmark, kind],
                self.stores[benchmark, kind],
                self.setup.backend,
                benchmark=benchmark,
                samples=self.settings.samples,
                max_new_tokens=self.settings.max_new_tokens,
            )

    def rows_of(self, benchmark: str) -> tuple[list[Row], float]:
        """Generate and grade a benchmark in the recipe's mode.

        Returns:
            Its graded rows, and the seconds that generation took.
        """
        if self.settings.mode != "hybrid":
            return self._decoded(benchmark, self.settings.mode)
        samples = self.settings.samples
        programs, seconds = self._decoded(benchmark, "pot")
        failures = {row["id"] for row in programs if failed(row, samples=samples)}
        solutions, more = self._decoded(benchmark, "cot", only=failures)
        rows = join_hybrid(programs, {row["id"]: row for row in solutions}, samples=samples)
        write_rows(self.folder / f"{benchmark}.hybrid.jsonl", rows)
        return rows, seconds + more

    def _decoded(
        self, benchmark: str, kind: Decoding, *, only: Collection[str] | None = None
    ) -> tuple[list[Row], float]:
        """Generate and grade one decoding of a benchmark, or of some of its rows."""
        requests = self.requests[benchmark, kind]
        if only is not None:
            requests = [request for request in requests if request.row.id in only]
        store = self.stores[benchmark, kind]
        if not requests:
            return [], 0.0
        sampled = self.settings.temperature > 0
        generate_missing(
            requests,
            store,
            self.setup.backend,
            what=f"{benchmark} ({self.name})",
            benchmark=benchmark,
            samples=self.settings.samples,
            max_new_tokens=self.settings.max_new_tokens,
            seed=self.seed if sampled else None,
        )
        rows = _graded([store.rows[request.row.id] for request in requests], requests, kind)
        store.finish(rows)
        return rows, store.seconds


def _graded(rows: Sequence[Row], requests: Sequence[Request], kind: Decoding) -> list[Row]:
    sources = {request.row.id: request.row for request in requests}
    if kind == "cot":
        return grade_solutions(rows, sources)
    from dualtune.evaluate.programs import run_all

    return grade_programs(rows, sources, run=run_all)
