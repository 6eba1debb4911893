from __future__ import annotations

from pathlib import Path

from dualtune.evaluate.results import Generations
from dualtune.report.browse import QUESTION, by_benchmark, pack_rows
from dualtune.report.collect import collect

from .fake_eval import NINE, write_nine

ID, GOLD, PARTS, OPTIONS, PROMPT, ANSWERS = 1, 3, 6, 7, 8, 9


def row(key: str, status: str, **more: object) -> dict[str, object]:
    return {"id": key, "question": f"q {key}", "prompt": f"<p>q {key}</p>", "outputs": ["o"],
            "gold": "1", "extracted": "1", "status": status, "strict": True, **more}  # fmt: skip


BASE = Generations("base", "svamp", "cot", [row("a", "correct"), row("b", "wrong")])
TUNED = Generations(
    "tuned", "svamp", "cot", [row("b", "correct"), row("a", "no_answer"), row("c", "correct")]
)


def packed(*generations: Generations) -> dict:
    return pack_rows(by_benchmark(generations, {}), {})


def test_rows_of_both_models_are_joined_by_id() -> None:
    page = packed(TUNED, BASE)
    assert page["models"] == [["base", "Before tuning"], ["tuned", "After tuning"]]
    words = page["strings"]
    statuses = {r[ID]: [a and words[a[1][0][2]] for a in r[ANSWERS]] for r in page["rows"]}
    assert statuses == {
        "a": ["correct", "no_answer"], "b": ["wrong", "correct"], "c": [None, "correct"],
    }  # fmt: skip


def test_a_prompt_names_its_question_and_shares_the_rest() -> None:
    page = packed(BASE)
    texts = [
        page["strings"][part] if part != QUESTION else part for part in page["rows"][0][PROMPT]
    ]
    assert texts == ["<p>", QUESTION, "</p>"]
    assert page["strings"].count("<p>") == 1


def test_older_rows_without_the_new_fields_are_read() -> None:
    (one, _) = packed(BASE)["rows"]
    assert (one[PARTS], one[OPTIONS]) == ([], [])
    strict, ((output, extracted, _, cut, program, _),) = one[ANSWERS][0]
    assert (strict, output, extracted, cut, program) == (True, "o", "1", False, None)


def test_several_samples_and_programs() -> None:
    program = {"status": "error", "answer": None, "error": "no"}
    rows = [
        row("a", "wrong", outputs=["x", "y"], status_all=["wrong", "correct"],
            extracted_all=[None, "1"], truncated=[False, True], decoded=["pot", "cot"],
            programs=[program, None], program=program),
    ]  # fmt: skip
    page = packed(Generations("tuned", "svamp", "hybrid", rows))
    words = page["strings"]
    ((_, samples),) = page["rows"][0][ANSWERS]
    read = [(s[0], s[1], words[s[2]], s[3], s[4], words[s[5]]) for s in samples]
    assert read == [
        ("x", None, "wrong", False, ["error", None, "no"], "pot"),
        ("y", "1", "correct", True, None, "cot"),
    ]
    assert page["benchmarks"][0] == {"key": "svamp.hybrid", "title": "SVAMP (hybrid)", "domain": ""}


def test_benchmarks_stand_in_the_order_of_the_results(tmp_path: Path) -> None:
    files = collect(write_nine(tmp_path, rows=8))
    page = pack_rows(by_benchmark(files.generations, files.evaluation), files.evaluation)
    keys = [name if name != "simuleq" else "simuleq.pot" for name in NINE]
    assert [one["key"] for one in page["benchmarks"]] == keys
    assert len(page["rows"]) == 9 * 8
    assert ["level", "1", "level 1"] in page["parts"]
