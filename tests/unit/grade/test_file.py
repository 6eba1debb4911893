"""``dualtune grade``: any tool's rows in, the same rows with their grades out."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from dualtune.cli import main
from dualtune.errors import BadInput
from dualtune.grade import file as grading
from dualtune.grade.file import Options, grade_file
from dualtune.grade.pool import FEW


def _write(path: Path, rows: list[Any]) -> str:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


def _read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def _without_time(path: Path) -> list[dict[str, Any]]:
    return [{**row, "seconds": 0} for row in _read(path)]


def test_rows_keep_their_columns_and_gain_their_grade(tmp_path: Path) -> None:
    source = _write(
        tmp_path / "in.jsonl",
        [
            {"id": "a", "output": "The answer is 42.", "gold": "42", "kind": "number", "seed": 3},
            {"id": 7, "output": "so 41", "gold": 42, "kind": "number", "status": "old"},
            {"id": "c", "output": "\ud800 0.5", "gold": 0.5, "kind": "number"},
            {"id": "d", "output": "none", "gold": "42", "kind": "number"},
        ],
    )
    summary = grade_file(source, str(tmp_path / "new" / "out.jsonl"), Options())
    rows = _read(tmp_path / "new" / "out.jsonl")
    assert [(r["id"], r["status"], r["extracted"], r["strict"]) for r in rows] == [
        ("a", "correct", "42", True),
        (7, "wrong", "41", False),
        ("c", "correct", "0.5", False),
        ("d", "no_answer", None, False),
    ]
    assert rows[0]["seed"] == 3
    assert all(row["seconds"] >= 0 for row in rows)
    assert dict(summary.statuses) == {"correct": 2, "wrong": 1, "no_answer": 1}
    assert summary.strict == 1
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["out.jsonl"]


def test_bad_rows_are_rejected_with_their_reason(tmp_path: Path) -> None:
    good = {"id": "a", "output": "1", "gold": "1", "kind": "number"}
    bad = [
        ("nonsense", "invalid_json"),
        ("[1]", "not_an_object"),
        ({**good, "kind": "essay"}, "unknown_kind"),
        ({"output": "1", "gold": "1"}, "no_kind"),
        ({"gold": "1", "kind": "number"}, "no_output"),
        ({**good, "gold": None}, "no_gold"),
        ({**good, "output": ["1", "2"]}, "invalid_output"),
        ({**good, "gold": True}, "invalid_gold"),
        ({**good, "options": "A"}, "invalid_options"),
    ]
    source = _write(tmp_path / "in.jsonl", [good, "", *(row for row, _ in bad), good])
    summary = grade_file(source, str(tmp_path / "out.jsonl"), Options())
    rejected = _read(tmp_path / "out.rejected.jsonl")
    assert [row["reason"] for row in rejected] == [reason for _, reason in bad]
    assert rejected[0]["where"] == f"{source}:3"
    assert rejected[0]["raw"] == "nonsense"
    assert "--columns output=NAME" in rejected[4]["message"]
    assert summary.rejected.total() == len(bad)
    assert summary.statuses.total() == 2


def test_columns_of_other_tools(tmp_path: Path) -> None:
    row = {"doc_id": 3, "resps": ["It is 4"], "doc": {"answer": "4"}, "a.b": "x"}
    source = _write(tmp_path / "in.jsonl", [row])
    columns = {"id": "doc_id", "output": "resps", "gold": "doc.answer", "question": "a.b"}
    grade_file(source, str(tmp_path / "out.jsonl"), Options(columns=columns, kind="number"))
    (graded,) = _read(tmp_path / "out.jsonl")
    assert graded["status"] == "correct"
    assert {name: graded[name] for name in row} == row


def test_a_row_without_an_id_is_named_by_its_line(tmp_path: Path) -> None:
    source = _write(tmp_path / "in.jsonl", ["", {"output": "1", "gold": "1", "kind": "number"}])
    grade_file(source, str(tmp_path / "out.jsonl"), Options())
    assert _read(tmp_path / "out.jsonl")[0]["id"] == "2"


@pytest.mark.parametrize("damage", ["none", "torn", "another row", "more rows", "not ours"])
def test_an_interrupted_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    rows = [{"id": at, "output": f"{at}", "gold": "3", "kind": "number"} for at in range(50)]
    source = _write(tmp_path / "in.jsonl", [*rows[:20], "nonsense", *rows[20:]])
    grade_file(source, str(tmp_path / "straight.jsonl"), Options())
    done = (tmp_path / "straight.jsonl").read_bytes().splitlines(keepends=True)
    kept = done[:30]
    expected = 30
    if damage == "torn":
        kept[-1] = kept[-1][:-9]
        expected = 29
    elif damage == "another row":
        kept[10] = kept[10].replace(b'"gold": "3"', b'"gold": "4"')
        expected = 10
    elif damage == "more rows":
        kept = [*done, done[0]]
        expected = 50
    elif damage == "not ours":
        kept[5] = b'{"id": 5}\n'
        expected = 5
    (tmp_path / "out.jsonl.part").write_bytes(b"".join(kept))
    (tmp_path / "out.jsonl.state.json").write_text(grading._settings(Options()))
    asked: list[str] = []
    real = grading.grade_rows

    def counted(rows: Any, **options: Any) -> Any:
        for row in rows:
            asked.append(row.id)
            yield from real([row], **options)

    monkeypatch.setattr(grading, "grade_rows", counted)
    summary = grade_file(source, str(tmp_path / "out.jsonl"), Options())
    assert len(asked) == 50 - expected
    assert _without_time(tmp_path / "out.jsonl") == _without_time(tmp_path / "straight.jsonl")
    assert summary.statuses.total() == 50
    assert len(_read(tmp_path / "out.rejected.jsonl")) == 1


def test_rows_of_other_settings_are_graded_anew(tmp_path: Path) -> None:
    row = {"id": "a", "output": "1", "gold": "1", "kind": "number"}
    source = _write(tmp_path / "in.jsonl", [row])
    (tmp_path / "out.jsonl.part").write_text(
        json.dumps({**row, "extracted": "9", "status": "wrong", "strict": False, "seconds": 0})
        + "\n"
    )
    (tmp_path / "out.jsonl.state.json").write_text(grading._settings(Options(seconds=1.0)))
    grade_file(source, str(tmp_path / "out.jsonl"), Options())
    assert _read(tmp_path / "out.jsonl")[0]["status"] == "correct"


def test_kill_and_go_on_equals_the_straight_run(tmp_path: Path) -> None:
    rows = [
        {"id": at, "output": f"A: {at % 7}", "gold": "3", "kind": "number"} for at in range(40_000)
    ]
    source = _write(tmp_path / "in.jsonl", rows)
    command = [sys.executable, "-m", "dualtune.cli", "grade", source, "--workers", "1", "--output"]
    process = subprocess.Popen([*command, str(tmp_path / "out.jsonl")], stdout=subprocess.DEVNULL)
    part = tmp_path / "out.jsonl.part"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (part.exists() and part.stat().st_size):
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert part.exists()
    assert not (tmp_path / "out.jsonl").exists()
    assert main(["grade", source, "--workers", "1", "--output", str(tmp_path / "out.jsonl")]) == 0
    graded = _read(tmp_path / "out.jsonl")
    assert [row["id"] for row in graded] == list(range(40_000))
    assert all((row["status"] == "correct") == (row["id"] % 7 == 3) for row in graded)
    assert not part.exists()


def test_standard_input_and_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    line = json.dumps({"id": "a", "output": "1", "gold": "1", "kind": "number"}).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(line + b"\n")))
    assert main(["grade", "-", "--output", "-"]) == 0
    shown = capfd.readouterr()
    assert json.loads(shown.out)["status"] == "correct"
    assert "1 rows graded" in shown.err


def test_what_cannot_be_done_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = _write(tmp_path / "in.jsonl", [{"id": "a"}])
    out = str(tmp_path / "out.jsonl")
    with pytest.raises(BadInput, match="would overwrite"):
        grade_file(source, source, Options())
    with pytest.raises(BadInput, match=r"did you mean 'output'"):
        grade_file(source, out, Options(columns={"outputs": "x"}))
    with pytest.raises(BadInput, match=r"no row that can be graded \(no_kind 1\)"):
        grade_file(source, out, Options())
    assert main(["grade", str(tmp_path / "none.jsonl"), "--output", out]) == 2
    assert "cannot read" in capsys.readouterr().err
    assert main(["grade", source, "--output", out, "--columns", "x"]) == 2
    assert "OURS=NAME" in capsys.readouterr().err
    assert main(["grade", source, "--output", out, "--seconds", "0"]) == 2
    assert main(["grade", source, "--output", out, "--colums", "x"]) == 2


@pytest.mark.parametrize(
    "name", ["out.rejected.jsonl", "out.jsonl.part", "out.jsonl.state.json", "out.jsonl"]
)
def test_the_file_that_is_graded_is_never_written(tmp_path: Path, name: str) -> None:
    row = {"id": "a", "output": "1", "gold": "1", "kind": "number"}
    source = _write(tmp_path / name, [row, "no row"])
    before = (tmp_path / name).read_bytes()
    with pytest.raises(BadInput, match="would overwrite the file that is graded"):
        grade_file(source, str(tmp_path / "out.jsonl"), Options())
    assert (tmp_path / name).read_bytes() == before


def test_paths_that_cannot_be_are_told_before_a_row_is_graded(tmp_path: Path) -> None:
    source = _write(tmp_path / "in.jsonl", [{"output": "1", "gold": "1", "kind": "number"}])
    with pytest.raises(BadInput, match=r"--output .* is a folder"):
        grade_file(source, str(tmp_path), Options())
    with pytest.raises(BadInput, match=r"--output \. is a folder"):
        grade_file(source, ".", Options())
    for paths in ((f"{source}.gz", str(tmp_path / "out.jsonl")), (source, f"{source}.gz")):
        with pytest.raises(BadInput, match="compressed files are neither read nor written"):
            grade_file(*paths, Options())


def test_a_file_without_a_row_leaves_nothing_behind(tmp_path: Path) -> None:
    source = _write(tmp_path / "in.jsonl", [])
    with pytest.raises(BadInput, match=r"it is empty") as told:
        grade_file(source, str(tmp_path / "out.jsonl"), Options())
    assert "rejected" not in str(told.value)
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


@pytest.mark.parametrize(
    ("output", "reason"),
    [([["The answer is 4."]], None), (float("nan"), "invalid_output"), (None, "no_output")],
)
def test_outputs_as_other_tools_write_them(
    tmp_path: Path, output: object, reason: str | None
) -> None:
    good = {"output": "4", "gold": "4", "kind": "number"}
    source = _write(tmp_path / "in.jsonl", [good, {**good, "output": output}])
    summary = grade_file(source, str(tmp_path / "out.jsonl"), Options())
    assert dict(summary.rejected) == ({} if reason is None else {reason: 1})
    assert summary.statuses["correct"] == (2 if reason is None else 1)


def test_columns_that_are_replaced_are_named_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    row = {"output": "4", "gold": "4", "kind": "number", "status": "mine"}
    source = _write(tmp_path / "in.jsonl", [row, row])
    grade_file(source, str(tmp_path / "out.jsonl"), Options())
    assert [r.getMessage() for r in caplog.records if "take the place" in r.getMessage()] == [
        f"{source}: in the output, ours take the place of its status"
    ]


def test_rejected_rows_of_two_files_stand_side_by_side(tmp_path: Path) -> None:
    row = {"id": "a", "output": "1", "gold": "1", "kind": "number"}
    source = _write(tmp_path / "rejected.jsonl", [row, "no row"])
    for name in ("one", "two"):
        grade_file(source, str(tmp_path / f"{name}.jsonl"), Options())
    for name in ("one", "two"):
        assert len(_read(tmp_path / f"{name}.rejected.jsonl")) == 1
    assert len((tmp_path / "rejected.jsonl").read_text().splitlines()) == 2


def test_the_summary_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"id": "a", "output": "1", "gold": "1", "kind": "number"}] * (FEW + 1)
    source = _write(tmp_path / "in.jsonl", [*rows, "x"])
    assert main(["grade", source, "--output", str(tmp_path / "out.jsonl"), "--workers", "1"]) == 0
    shown = capsys.readouterr().out
    assert f"{FEW + 1} rows graded" in shown
    assert "rejected: invalid_json" in shown
