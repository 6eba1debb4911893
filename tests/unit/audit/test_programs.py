"""Programs: parsed always, run only where allowed, within limits."""

from __future__ import annotations

from pathlib import Path

import pytest

from dualtune.audit.programs import check_program
from dualtune.errors import DualtuneError
from dualtune.grade.programs import Ran
from tests.unit.audit.problems import kinds, made


def test_a_program_that_does_not_parse() -> None:
    (finding,) = check_program(made("x = (1\ny", kind="pot"), allow_code=False)
    assert (finding.kind, finding.severity) == ("program_error", "error")
    assert "line 1" in finding.evidence
    assert list(check_program(made("x = 1", kind="pot"), allow_code=False)) == []
    assert list(check_program(made("x = (1", kind="cot"), allow_code=True)) == []


def test_nothing_runs_without_permission(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    program = f"open({str(mark)!r}, 'w').write('x')"
    list(check_program(made(program, kind="pot"), allow_code=False))
    assert not mark.exists()


@pytest.mark.parametrize(
    ("program", "answer", "found"),
    [
        ("print(3 * 24)", "72", []),
        ("def solution():\n    return 72.0", "72", []),
        ("ans = 144 / 2", "$72", []),
        ("print('The answer is', 72)", "72", []),
        ("print(2 / 3)", "0.667", []),
        ("print(71)", "72", [("program_wrong", "error")]),
        ("1 / 0", "72", [("program_wrong", "error")]),
        ("ans = 5", "", []),
        ("print('B')", "b", []),
    ],
)
def test_the_answer_of_a_program(program: str, answer: str, found: list[tuple[str, str]]) -> None:
    assert kinds(check_program(made(program, answer, kind="pot"), allow_code=True)) == found


def test_what_a_program_went_over_is_said() -> None:
    program = made("x = [0] * 10**10", "72", kind="pot")
    (finding,) = check_program(program, allow_code=True)
    assert (finding.kind, finding.severity) == ("program_wrong", "error")
    assert "memory" in finding.evidence


def test_a_program_that_is_too_long_is_not_run() -> None:
    program = made("x = 1\n" * 50_000 + "print(72)", "72", kind="pot")
    (finding,) = check_program(program, allow_code=True)
    assert "characters" in finding.evidence


def test_where_no_sandbox_holds_nothing_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = Ran("refused", None, "", "no sandbox here", 0.0)
    monkeypatch.setattr("dualtune.audit.programs.run_program", lambda _: refused)
    with pytest.raises(DualtuneError, match="no sandbox here"):
        list(check_program(made("print(72)", "72", kind="pot"), allow_code=True))
