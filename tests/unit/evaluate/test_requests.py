"""Requests: the prompts of training, in every form, and seeds that depend on the row alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("lm_eval")

from dualtune.evaluate.requests import build_requests, sample_seed
from dualtune.recipe import Eval
from dualtune.tasks.prompts import SOLVE_POT, solve_messages

SETTINGS = Eval(benchmarks=("synthetic_test",), limit=5)


@pytest.fixture(scope="module")
def tokenizer(model_folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(model_folder)


@pytest.mark.parametrize("prompt", ["chat", "alpaca"])
@pytest.mark.parametrize("kind", ["cot", "pot"])
@pytest.mark.parametrize("system", [None, "You are a careful tutor."])
def test_prompts_are_those_of_training(
    tokenizer: Any, prompt: Any, kind: Any, system: str | None
) -> None:
    from dualtune.lm.encode import Encoder

    encoder = Encoder(tokenizer, prompt=prompt)
    requests = build_requests(
        "synthetic_ood_depth", render=encoder.render, settings=SETTINGS, kind=kind, system=system
    )
    assert len(requests) == 5
    for request in requests:
        expected = solve_messages(request.row.question, kind=kind, system=system)
        assert request.prompt == encoder.render(expected)
        assert (SOLVE_POT in request.prompt) == (kind == "pot")
        assert system is None or system in request.prompt


def test_the_end_of_turn_ends_an_output(tokenizer: Any) -> None:
    requests = build_requests("synthetic_test", render=str, settings=SETTINGS, stop="<|end|>")
    assert all("<|end|>" in request.until for request in requests)
    again = build_requests("synthetic_test", render=str, settings=SETTINGS, stop="<|im_end|>")
    assert all(len(set(r.until)) == len(r.until) for r in again)


def test_seeds_are_a_function_of_the_sample_alone() -> None:
    # Golden: other seeds would not continue samples that stand on disk.
    assert sample_seed(0, "gsm8k", "gsm8k-1", 0) == 1752979317
    names = [
        (seed, benchmark, row, sample)
        for seed in (0, 1)
        for benchmark in ("gsm8k", "svamp")
        for row in ("1", "11")
        for sample in (0, 1, 11)
    ]
    seeds = [sample_seed(*name) for name in names]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**31 for seed in seeds)


@pytest.mark.parametrize("prompt", ["chat", "alpaca"])
def test_solved_examples_stand_before_the_question(tokenizer: Any, prompt: Any) -> None:
    from dualtune.evaluate.shots import shots_for
    from dualtune.lm.encode import Encoder

    encoder = Encoder(tokenizer, prompt=prompt)
    settings = SETTINGS.model_copy(update={"shots": 2})
    for request in build_requests("synthetic_test", render=encoder.render, settings=settings):
        shown = shots_for("number")[:2]
        places = [request.prompt.index(text) for s in shown for text in (s.question, s.solution)]
        assert [*places, request.prompt.index(request.row.question)] == sorted(
            [*places, request.prompt.index(request.row.question)]
        )
        assert request.prompt.count("Solve the problem step by step") == 3
