from __future__ import annotations

import json
from pathlib import Path

import pytest

from dualtune.errors import BadInput
from dualtune.report.collect import collect, read_jsonl


def test_missing_folder_and_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="run folder not found"):
        collect(tmp_path / "nowhere")
    with pytest.raises(BadInput, match=r"holds no run.*dualtune run"):
        collect(tmp_path)


def test_broken_json_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "build.json").write_text('{"problems": 3')
    with pytest.raises(BadInput, match=r"build\.json is not valid JSON"):
        collect(tmp_path)


def test_a_last_line_that_is_cut_off_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"id": 1}\n\n{"id": 2}\n{"id": 3, "outp')
    assert [row["id"] for row in read_jsonl(path)] == [1, 2]


def test_a_broken_line_before_the_last_is_told_by_number(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"id": 1}\n{"id": \n{"id": 3}\n')
    with pytest.raises(BadInput, match=r"rows\.jsonl:2 is not valid JSON"):
        list(read_jsonl(path))


def test_line_separators_inside_a_text_do_not_split_a_row(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    text = "one\u2028two\u0085three\x0cfour"
    path.write_text(json.dumps({"id": text}, ensure_ascii=False) + "\n", encoding="utf-8")
    assert [row["id"] for row in read_jsonl(path)] == [text]


def test_a_full_run_is_read_whole(full_run: Path) -> None:
    files = collect(full_run)
    assert list(files.evaluation) == ["base", "tuned"]
    assert {(g.model, g.benchmark, len(g.rows)) for g in files.generations} == {
        (model, name, rows)
        for model in ("base", "tuned")
        for name, rows in (("svamp", 1000), ("gsm8k", 200))
    }
    assert files.recipe["seed"] == 0
    assert len(files.rejected) == 3
