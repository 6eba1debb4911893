"""Read what an audit wrote into a run folder: its findings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dualtune.errors import BadInput
from dualtune.files import read_jsonl
from dualtune.records import Finding

SEVERITIES = ("error", "warning", "note")
"""The severities of a finding, worst first."""

EXAMPLES = 3
"""Examples that are kept of each kind of finding."""


@dataclass(frozen=True, slots=True)
class FoundKind:
    """All findings of one kind.

    Attributes:
        kind: The kind, such as ``wrong_equation``.
        severities: How many findings of each severity, worst first.
        problems: Problems with at least one finding of the kind.
        examples: The first findings.
    """

    kind: str
    severities: dict[str, int]
    problems: int
    examples: tuple[Finding, ...]

    @property
    def findings(self) -> int:
        """All of them."""
        return sum(self.severities.values())


@dataclass(frozen=True, slots=True)
class Findings:
    """The findings of an audit.

    Attributes:
        kinds: By kind, those with the worst severity first and among these the most frequent.
        problem_ids: Every Problem that has one.
        by_problem: The findings of the first ``keep`` Problems.
    """

    kinds: tuple[FoundKind, ...] = ()
    problem_ids: frozenset[str] = frozenset()
    by_problem: Mapping[str, tuple[Finding, ...]] = field(default_factory=dict)


def findings_file(run: Path) -> Path:
    """Return where the findings of an audit lie in a run folder."""
    return run / "audit" / "findings.jsonl"


def read_findings(run: Path) -> Iterator[Finding]:
    """Yield the findings of a run folder's audit; none where no audit was made.

    Raises:
        BadInput: If a line is no finding.
    """
    path = findings_file(run)
    for number, row in enumerate(read_jsonl(path), 1):
        try:
            yield Finding(
                problem_id=str(row["problem_id"]),
                kind=str(row["kind"]),
                severity=_severity(row["severity"]),
                evidence=str(row.get("evidence") or ""),
                step=_offset(row.get("step")),
                start=_offset(row.get("start")),
                end=_offset(row.get("end")),
                where="question" if row.get("where") == "question" else "rationale",
            )
        except (KeyError, ValueError) as error:
            raise BadInput(
                f"{path}: finding {number} cannot be read ({error!r}). "
                "Delete the folder and audit again."
            ) from error


def group_findings(findings: Iterable[Finding], *, keep: int) -> Findings:
    """Count findings by kind and gather them by Problem.

    Args:
        findings: The findings, in any order.
        keep: How many Problems' findings are kept; the others are only counted.
    """
    severities: dict[str, Counter[str]] = {}
    problems: dict[str, set[str]] = {}
    examples: dict[str, list[Finding]] = {}
    by_problem: dict[str, list[Finding]] = {}
    ids: set[str] = set()
    for one in findings:
        severities.setdefault(one.kind, Counter())[one.severity] += 1
        problems.setdefault(one.kind, set()).add(one.problem_id)
        if len(shown := examples.setdefault(one.kind, [])) < EXAMPLES:
            shown.append(one)
        ids.add(one.problem_id)
        if one.problem_id in by_problem or len(by_problem) < keep:
            by_problem.setdefault(one.problem_id, []).append(one)
    kinds = [
        FoundKind(
            kind=kind,
            severities={s: counts[s] for s in SEVERITIES if counts[s]},
            problems=len(problems[kind]),
            examples=tuple(examples[kind]),
        )
        for kind, counts in severities.items()
    ]
    kinds.sort(key=lambda k: (SEVERITIES.index(next(iter(k.severities))), -k.findings, k.kind))
    return Findings(
        kinds=tuple(kinds),
        problem_ids=frozenset(ids),
        by_problem={key: tuple(values) for key, values in by_problem.items()},
    )


def _severity(value: Any) -> Any:
    if value not in SEVERITIES:
        raise ValueError(f"severity {value!r} is none of {', '.join(SEVERITIES)}")
    return value


def _offset(value: Any) -> int | None:
    return None if value is None else int(value)
