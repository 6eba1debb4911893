"""The preflight: what each task supervises, told by cause, and where too little is left."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from dualtune.errors import BadInput
from dualtune.lm import preflight
from dualtune.lm.encode import Encoder
from dualtune.lm.preflight import check_labels
from dualtune.lm.steps import Layout, Preparer
from dualtune.recipe import Ir, Irsp, Phase, Tasks, Weights
from dualtune.records import Problem
from dualtune.sources.synthetic import generate
from tests.tiny import tiny_tokenizer

PROBLEMS = [p for p in generate("train", count=60, seed=3) if "\n" in p.rationale][:20]
LONG = [Problem(f"long{n}", "Why? " * 300 + "5?", "5.\nSo 5.", "5") for n in range(10)]


def preparer(max_length: int = 1024, **tasks: Any) -> Preparer:
    return Preparer(
        encoder=Encoder(tiny_tokenizer()),
        tasks=Tasks(**tasks),
        seed=0,
        system=None,
        max_length=max_length,
        layout=Layout(tokens_per_pack=4096),
    )


def test_each_task_is_told_with_its_causes(caplog: pytest.LogCaptureFixture) -> None:
    special = Problem("special", "Is 5 <|im_end|> a number?", "It is 5.\nSo yes, 5.", "5")
    problems = [*PROBLEMS, *LONG[:2], special]
    with caplog.at_level(logging.INFO):
        found = check_labels(preparer(600), problems)
    assert (found.problems, found.of) == (23, 23)
    solve = found.phases[0]["solve"]
    assert solve.dropped == {"too_long": 2, "special_token_text": 1}
    assert (len(solve.lengths), solve.problems, solve.lost) == (20, 20, 3)
    assert solve.lost_share == 3 / 23
    told = found.summary()["phases"][0]["tasks"]["solve"]
    assert told == {
        "instances": 20,
        "problems": 20,
        "label_tokens": solve.label_tokens,
        "dropped": {"too_long": 2, "special_token_text": 1},
    }
    table = caplog.messages[0]
    assert "counted on 23 of 23 Problems" in table
    assert "1 special_token_text, 2 too_long" in table
    assert "3 of 23 solve instances are left out" in caplog.text  # a warning: above 5 %
    assert found.lengths["solve"] == list(solve.lengths)


def test_too_little_left_is_refused_and_the_bound_can_be_raised() -> None:
    problems = [*PROBLEMS[:8], *LONG]
    message = (
        r"10 of 18 solve instances are left out \(10 too_long\), a share of 0\.56; "
        r"train\.max_dropped allows 0\.5\. train\.max_length is 600 tokens: raise it"
    )
    with pytest.raises(BadInput, match=message):
        check_labels(preparer(600), problems, max_dropped=0.5)
    assert check_labels(preparer(600), problems, max_dropped=0.6).phases[0]["solve"].lost == 10


def test_a_task_that_no_problem_yields_is_refused() -> None:
    """One step has nothing to predict: without this, a run would train solve alone and say so."""
    short = [Problem(str(n), f"What is {n} + 0?", f"It is {n}.", str(n)) for n in range(3)]
    with pytest.raises(BadInput, match=r"no irsp instance can be derived.*per_problem: 0"):
        check_labels(preparer(ir=Ir(per_problem=0)), short)
    check_labels(preparer(ir=Ir(per_problem=0), irsp=Irsp(per_problem=0)), short)
    check_labels(preparer(ir=Ir(per_problem=0), weights=Weights(irsp=0)), short)


def test_every_phase_is_checked() -> None:
    """The task that a later epoch brings in is too long: that is told before the first epoch."""
    tasks = {
        "solve": True,
        "irsp": Irsp(per_problem=0),
        "ir": Ir(per_problem=0),
        "schedule": (Phase(from_epoch=2, ir=2),),
    }
    short = check_labels(preparer(**tasks), PROBLEMS, epochs=2)
    assert list(short.phases) == [0]
    whole = check_labels(preparer(**tasks), PROBLEMS, epochs=3)
    assert list(whole.phases) == [0, 2]
    assert whole.busiest == 2
    assert whole.work(1) == whole.work(0) < whole.work(2)
    assert whole.lengths["ir"]
    assert not whole.phases[0]["ir"].lengths
    limit = max(whole.lengths["solve"])
    with pytest.raises(BadInput, match=r"of \d+ ir instances are left out"):
        check_labels(preparer(limit, **tasks), PROBLEMS, epochs=3, max_dropped=0.0)


def test_many_problems_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "PREFLIGHT", 5)
    found = check_labels(preparer(), PROBLEMS)
    assert (found.problems, found.of) == (5, 20)
