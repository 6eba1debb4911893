from __future__ import annotations

from dualtune.evaluate.results import Generations
from dualtune.report.browse import browser_data, pair_up


def row(key: str, status: str) -> dict[str, object]:
    return {"id": key, "question": f"q {key}", "prompt": "p", "outputs": ["o"], "gold": "1",
            "extracted": "1", "status": status, "strict": True}  # fmt: skip


BASE = Generations("base", "svamp", "cot", [row("a", "correct"), row("b", "wrong")])
TUNED = Generations(
    "tuned", "svamp", "cot", [row("b", "correct"), row("a", "no_answer"), row("c", "correct")]
)


def test_rows_of_both_models_are_joined_by_id() -> None:
    (benchmark,) = browser_data([TUNED, BASE], {})
    assert benchmark["models"] == [["base", "Before tuning"], ["tuned", "After tuning"]]
    answers = {r[0]: r[3:] for r in benchmark["rows"]}
    assert [a[2] if a else None for a in answers["a"]] == ["correct", "no_answer"]
    assert [a[2] if a else None for a in answers["b"]] == ["wrong", "correct"]
    assert [a[2] if a else None for a in answers["c"]] == [None, "correct"]


def test_pairs_count_only_rows_that_both_answered() -> None:
    pairing = pair_up([BASE, TUNED], "svamp")
    assert pairing is not None
    assert (pairing.both, pairing.gained, pairing.lost) == (2, 1, 1)
    assert pair_up([BASE], "svamp") is None
    assert pair_up([BASE, TUNED], "gsm8k") is None
