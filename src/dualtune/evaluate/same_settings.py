"""What was not the same when two sides were evaluated: said by name, never silently passed over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dualtune.files import Json, read_yaml

if TYPE_CHECKING:
    from dualtune.evaluate.compare import Evaluated

# Keys of a recipe's eval section that do not change what a model answers to a row. Which rows were
# answered is read off the rows themselves.
_NO_MATTER = frozenset(
    {
        "allow_code",
        "base_url",
        "baseline",
        "batch_size",
        "benchmarks",
        "data_dir",
        "domains",
        "key_variable",
        "limit",
        "limits",
        "mode",
        "models",
        "retries",
        "timeout",
    }
)


def differing_settings(a: Sequence[Evaluated], b: Sequence[Evaluated]) -> Iterator[str]:
    """Say which settings of evaluation are not the same in all models of two sides.

    Looked at are the decoding mode, the rules of grading and the domain of each benchmark (from
    ``eval.json``), and the settings of generation (from the run's recipe).

    Yields:
        A sentence a difference, with its values.
    """
    models = [*a, *b]
    for name in a[0].rows:
        results = {one.name: one.results.get(name) for one in models}
        for key, what in (
            ("mode", "decoded in different modes"),
            ("rules", "graded by different rules"),
            ("domain", "in another domain of each run's training data"),
        ):
            values = {who: (r or {}).get(key) for who, r in results.items() if r is not None}
            if len({str(value) for value in values.values()}) > 1:
                yield f"{name}: {what} ({_listed(values)}).{_REMEDIES.get(key, '')}"
    if len({one.run.resolve() for one in models}) > 1:
        yield from _recipes({one.name: one.run for one in models})
    if (len(a) == 1) != (len(b) == 1):
        alone = a[0] if len(a) == 1 else b[0]
        yield (
            f"{alone.name} is one seed against several: what its other seeds would give is not "
            "in the intervals."
        )


_REMEDIES = {
    "rules": " `dualtune eval` with each recipe grades kept generations anew.",
    "domain": " It counts in the average of all benchmarks alone.",
}


def _recipes(runs: Mapping[str, Path]) -> Iterator[str]:
    settings = {name: _settings(run) for name, run in runs.items()}
    unknown: dict[str, None] = {}
    for key in sorted({key for values in settings.values() for key in values}):
        values = {name: known[key] for name, known in settings.items() if key in known}
        if len(values) < len(settings):
            unknown[key] = None
        if len({str(value) for value in values.values()}) > 1:
            yield f"{key} is not the same ({_listed(values)})."
    if unknown:
        yield (
            f"Settings that not every run's recipe records, and that may differ: "
            f"{', '.join(unknown)}."
        )


def _settings(run: Path) -> dict[str, Any]:
    recipe = read_yaml(run / "recipe.yaml")
    evaluation: Json = recipe.get("eval") or {}
    model: Json = recipe.get("model") or {}
    found = {f"eval.{key}": value for key, value in evaluation.items() if key not in _NO_MATTER}
    return found | {f"model.{key}": model[key] for key in ("prompt", "system") if key in model}


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}: {'not recorded' if v is None else v}" for name, v in values.items())
