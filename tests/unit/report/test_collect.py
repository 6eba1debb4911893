from __future__ import annotations

import json
from pathlib import Path

import pytest

from dualtune.errors import BadInput
from dualtune.files import read_jsonl
from dualtune.report.collect import collect
from tests.unit.report.fake_run import RECIPE, write_run


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


def test_only_the_rows_that_a_result_counts_are_shown(tmp_path: Path) -> None:
    write_run(tmp_path)
    results = json.loads((tmp_path / "eval.json").read_text())
    results["models"]["tuned"]["gsm8k"]["rows"] = 50
    (tmp_path / "eval.json").write_text(json.dumps(results))
    rows = {(g.model, g.benchmark): g.rows for g in collect(tmp_path).generations}
    assert [row["id"] for row in rows["tuned", "gsm8k"]] == [f"gsm8k-{i}" for i in range(50)]
    assert len(rows["base", "gsm8k"]) == 200


def test_benchmarks_that_the_recipe_does_not_name_are_not_shown(tmp_path: Path) -> None:
    write_run(tmp_path)
    (tmp_path / "recipe.yaml").write_text(RECIPE.replace("[svamp, gsm8k]", "[svamp]"))
    files = collect(tmp_path)
    assert {name for results in files.evaluation.values() for name in results} == {"svamp"}
    assert {g.benchmark for g in files.generations} == {"svamp"}


def test_an_untuned_model_that_this_run_did_not_evaluate_is_not_shown(tmp_path: Path) -> None:
    write_run(tmp_path)
    recipe = RECIPE.replace("eval:\n", "eval:\n  baseline: false\n")
    (tmp_path / "recipe.yaml").write_text(recipe)
    assert list(collect(tmp_path).evaluation) == ["base", "tuned"]
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    manifest["stages"]["eval_base"] = {"unfinished": "key", "seconds": 0}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    files = collect(tmp_path)
    assert list(files.evaluation) == ["tuned"]
    assert {g.model for g in files.generations} == {"tuned"}
