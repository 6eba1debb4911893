"""Two runs row by row: what is paired, what is left out, and what is said."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from dualtune.cli import main
from dualtune.errors import BadInput, DualtuneError
from dualtune.evaluate.compare import Comparison, compare_runs
from dualtune.evaluate.paired import mcnemar

RECIPE = "eval:\n  max_new_tokens: {tokens}\n  limit: 7\nmodel: {{prompt: chat}}\n"


def write(
    run: Path,
    right: Mapping[str, str],
    *,
    model: str = "tuned",
    domain: str = "in",
    tokens: int = 256,
    gold: str = "7",
    prompt: str = "Q",
    **result: object,
) -> Path:
    """Write a run. ``right`` gives a benchmark a letter a row: r right, w wrong, e error."""
    words = {"r": "correct", "w": "wrong", "e": "error"}
    results = {}
    for name, letters in right.items():
        rows = [
            {"id": f"{name}-{i}", "question": f"q{i}", "prompt": prompt, "outputs": ["o"],
             "gold": gold, "extracted": "1", "status": words[letter], "strict": True}
            for i, letter in enumerate(letters)
        ]  # fmt: skip
        file = run / "eval" / model / f"{name}.cot.jsonl"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        results[name] = {"mode": "cot", "rows": len(rows), "domain": domain, **result}
    (run / "recipe.yaml").write_text(RECIPE.format(tokens=tokens))
    merged = {"models": {}}
    if (run / "eval.json").exists():
        merged = json.loads((run / "eval.json").read_text())
    merged["models"][model] = results
    (run / "eval.json").write_text(json.dumps(merged))
    return run


def compared(a: Path, b: Path) -> Comparison:
    return compare_runs([a, b])


def test_rows_are_paired_by_id_not_by_place(tmp_path: Path) -> None:
    a = write(tmp_path / "a", {"svamp": "rrrwwwwwww"})
    b = write(tmp_path / "b", {"svamp": "rwwrrrrrrw"})
    file = b / "eval/tuned/svamp.cot.jsonl"
    file.write_text("".join(sorted(file.read_text().splitlines(keepends=True), reverse=True)))
    found = compared(a, b)
    (one,) = found.benchmarks
    assert (one.both, one.only_a, one.only_b, one.neither, one.rows) == (1, 2, 6, 1, 10)
    assert one.p == pytest.approx(mcnemar([True] * 2 + [False] * 6, [False] * 2 + [True] * 6).p)
    assert one.difference.value == pytest.approx(0.4)
    assert (one.a.value, one.b.value) == pytest.approx((0.3, 0.7))
    assert (found.a, found.b, found.notices) == (("a/tuned",), ("b/tuned",), ())


def test_rows_with_status_error_are_left_out_of_both_and_said(tmp_path: Path) -> None:
    a = write(tmp_path / "a", {"math": "erww"})
    b = write(tmp_path / "b", {"math": "rerr"})
    (one,) = (found := compared(a, b)).benchmarks
    assert (one.rows, one.only_a, one.only_b) == (2, 0, 2)
    assert found.notices == (
        "math: 2 rows with status error (no right answer can be read) left out of all models.",
    )


def test_holm_and_averages_are_over_the_benchmarks_compared(tmp_path: Path) -> None:
    a = write(tmp_path / "a", {"gsm8k": "w" * 9 + "r", "aqua": "w" * 20, "sat": "rw"})
    b = write(tmp_path / "b", {"gsm8k": "r" * 9 + "r", "aqua": "r" * 8 + "w" * 12, "sat": "rw"})
    found = compared(a, b)
    by_name = {one.benchmark: one for one in found.benchmarks}
    smallest = min(one.p for one in found.benchmarks)
    assert by_name["gsm8k"].p == smallest
    assert by_name["gsm8k"].p_holm == pytest.approx(3 * smallest)
    assert by_name["sat"].p_holm == 1
    (inside, every) = found.averages
    assert (inside.domain, every.domain) == ("in", "all")
    assert every.a.value == pytest.approx((0.1 + 0 + 0.5) / 3)
    assert every.difference.value == pytest.approx((0.9 + 0.4 + 0) / 3)
    assert every.difference.low <= every.difference.value <= every.difference.high


def test_what_only_one_run_has_is_named(tmp_path: Path) -> None:
    a = write(tmp_path / "a", {"svamp": "rwrwrw", "gsm8k": "rw"})
    b = write(tmp_path / "b", {"svamp": "rwr", "aqua": "rw"})
    found = compared(a, b)
    assert [(one.benchmark, one.rows) for one in found.benchmarks] == [("svamp", 3)]
    assert found.notices == (
        "gsm8k: evaluated only in a/tuned, so it is left out.",
        "aqua: evaluated only in b/tuned, so it is left out.",
        "svamp: rows that not every model answered are left out (3 only in a/tuned).",
    )


def test_settings_that_differ_are_named(tmp_path: Path) -> None:
    a = write(tmp_path / "a", {"svamp": "rw"}, rules="2")
    b = write(tmp_path / "b", {"svamp": "rw"}, tokens=512, prompt="P", domain="out")
    said = " ".join(compared(a, b).notices)
    assert "svamp: graded by different rules (a/tuned: 2, b/tuned: not recorded)" in said
    assert "in another domain" in said
    assert "eval.max_new_tokens is not the same (a/tuned: 256, b/tuned: 512)." in said
    assert "svamp: 2 rows of 2 asked with different prompts." in said
    assert compared(a, b).benchmarks[0].domain is None
    assert [one.domain for one in compared(a, b).averages] == ["all"]


def test_a_setting_that_an_older_run_does_not_record_is_named(tmp_path: Path) -> None:
    a, b = (write(tmp_path / name, {"svamp": "rw"}) for name in "ab")
    text = (b / "recipe.yaml").read_text().replace("  limit: 7", "  limit: 9\n  shots: 4")
    (b / "recipe.yaml").write_text(text)
    (said,) = compared(a, b).notices  # the limit is read off the rows, not off the recipe
    assert said.endswith("may differ: eval.shots.")


def test_other_modes_are_compared_and_named(tmp_path: Path) -> None:
    a, b = (write(tmp_path / name, {"svamp": "rw"}) for name in "ab")
    (b / "eval/tuned/svamp.cot.jsonl").rename(b / "eval/tuned/svamp.pot.jsonl")
    (b / "eval.json").write_text((b / "eval.json").read_text().replace('"cot"', '"pot"'))
    found = compared(a, b)
    assert found.benchmarks[0].mode == "cot against pot"
    assert "svamp: decoded in different modes (a/tuned: cot, b/tuned: pot)." in found.notices


def test_rows_of_another_test_set_are_left_out(tmp_path: Path) -> None:
    a = write(tmp_path / "a", {"svamp": "rw"})
    b = write(tmp_path / "b", {"svamp": "rw"}, gold="8")
    with pytest.raises(BadInput, match="no rows in common: svamp: 2 rows with another question"):
        compared(a, b)


def test_several_seeds_a_side(tmp_path: Path) -> None:
    a = [write(tmp_path / f"a{i}", {"svamp": "r" * n + "w" * (90 - n)})
         for i, n in enumerate((10, 30, 50))]  # fmt: skip
    b = [write(tmp_path / f"b{i}", {"svamp": "r" * n + "w" * (90 - n)})
         for i, n in enumerate((40, 41))]  # fmt: skip
    found = compare_runs([], a=a, b=b)
    (one,) = found.benchmarks
    assert one.only_a is one.both is None
    assert one.difference.value == pytest.approx(40.5 / 90 - 30 / 90)
    assert one.difference.low < 0 < one.difference.high  # the seeds of A differ too much
    alone = compare_runs([a[1], b[0]]).benchmarks[0]
    assert alone.difference.low > 0
    against = compare_runs([], a=a, b=b[:1])
    assert "b0/tuned is one seed against several" in against.notices[-1]


def test_two_models_of_one_run(tmp_path: Path) -> None:
    run = write(write(tmp_path / "a", {"svamp": "rrw"}), {"svamp": "www"}, model="base")
    assert compare_runs([run]).benchmarks[0].only_b == 2
    assert compare_runs([run], models=["tuned", "base"]).benchmarks[0].only_a == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"runs": []}, "needs two sides"),
        ({"runs": ["a", "b", "c"]}, "needs two sides"),
        ({"runs": ["a", "b"], "a": ["a"], "b": ["b"]}, "needs two sides"),
        ({"runs": [], "a": ["a"]}, "needs two sides"),
        ({"runs": ["a", "a"]}, "compared with itself"),
        ({"runs": [], "a": ["a", "b"], "b": ["b"]}, "compared with itself"),
        ({"runs": [], "a": ["a", "a"], "b": ["b"]}, "stands twice on one side"),
        ({"runs": ["a", "nowhere"]}, "run folder not found"),
        ({"runs": ["a"]}, "no results of a model 'base'"),
        ({"runs": ["a", "b"], "models": ["tuned", "tunde"]}, "did you mean 'tuned'"),
        ({"runs": ["a", "empty"]}, "holds no evaluation"),
    ],
)
def test_what_cannot_be_compared(tmp_path: Path, arguments: dict, said: str) -> None:
    for name in "abc":
        write(tmp_path / name, {"svamp": "rw"})
    (tmp_path / "empty").mkdir()
    places = {k: v if k == "models" else [tmp_path / run for run in v]
              for k, v in arguments.items()}  # fmt: skip
    with pytest.raises(BadInput, match=said):
        compare_runs(places.pop("runs"), **places)


def test_the_command_prints_a_table_and_writes_the_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a = write(tmp_path / "a", {"svamp": "rrwwwwwwww", "gsm8k": "rw"}, tokens=128)
    b = write(tmp_path / "b", {"svamp": "rrrrrrrrww", "gsm8k": "rw"})
    output = tmp_path / "out" / "compare.json"
    assert main(["compare", str(a), str(b), "--output", str(output)]) == 0
    text = capsys.readouterr().out
    assert "A: a/tuned" in text
    assert "+60.0" in text
    assert "0.031" in text
    assert "0.062" in text
    assert "average of 2" in text
    assert "note: eval.max_new_tokens is not the same" in text
    written = json.loads(output.read_text())
    assert written == json.loads(json.dumps(compare_runs([a, b]).to_json()))
    assert written["benchmarks"][0]["p_holm"] == pytest.approx(0.0625)
    assert main(["compare", str(a), str(tmp_path / "no")]) == 2
    assert main(["compare", str(a), str(b), "--odd"]) == 2
    assert "run folder not found" in capsys.readouterr().err


def test_an_output_that_cannot_be_written_is_told_with_its_option(tmp_path: Path) -> None:
    a, b = (write(tmp_path / name, {"svamp": "rw"}) for name in "ab")
    with pytest.raises(DualtuneError, match=r"cannot write .*Name another file with --output"):
        compare_runs([a, b], output=a / "eval.json" / "compare.json")
