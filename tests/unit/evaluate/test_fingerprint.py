"""What decides an output is in its fingerprint, and nothing else is."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("lm_eval")

from dualtune.evaluate.fingerprint import generation_key, result_key
from dualtune.recipe import Eval, Model

SETTINGS = Eval(benchmarks=("synthetic_test",), max_new_tokens=12)


def key(*, device: str = "cpu", seed: int = 0, kind: Any = "cot", **changed: Any) -> str:
    settings = SETTINGS.model_copy(update=changed)
    return generation_key(
        weights="w",
        settings=settings,
        kind=kind,
        precision="bf16",
        stop="<|im_end|>",
        device=device,
        seed=seed,
    )


def test_generations_that_stand_on_disk_stay_valid() -> None:
    # Made before there were samples, modes and servers: a change would make every one anew.
    assert key() == "8739f9b973f6427eca637c84f2590dd6c374be0784c027c005a04e4e65a623d2"


@pytest.mark.parametrize(
    "changed",
    [
        {"device": "cuda"},
        {"kind": "pot"},
        {"max_new_tokens": 13},
        {"backend": "vllm"},
        {"backend": "openai"},
        {"temperature": 0.7},
    ],
)
def test_what_decides_an_output_changes_it(changed: dict[str, Any]) -> None:
    assert key(**changed) != key()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"temperature": 0.7}, {"temperature": 0.8}),
        ({"temperature": 0.7}, {"temperature": 0.7, "top_p": 0.9}),
        ({"temperature": 0.7}, {"temperature": 0.7, "seed": 1}),
        ({"backend": "vllm"}, {"backend": "vllm", "engine": {"quantization": "fp8"}}),
        ({"backend": "openai"}, {"backend": "openai", "api": "chat"}),
    ],
)
def test_settings_that_matter_only_with_others(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert key(**one) != key(**other)


@pytest.mark.parametrize(
    "changed",
    [
        {"batch_size": 3},
        {"seed": 7},  # greedy decoding draws nothing
        {"top_p": 0.5},
        {"allow_code": True},
        {"timeout": 5.0},
        {"base_url": "http://elsewhere/v1"},
        {"limit": 5},
        {"shots": 2},  # stands in the prompt, by which each row is known
        {"samples": 4},  # more samples go beside those that are there
    ],
)
def test_what_decides_nothing_leaves_it(changed: dict[str, Any]) -> None:
    assert key(**changed) == key()


def test_a_result_is_known_by_its_rows_and_generations() -> None:
    def result(settings: Eval, **made_by: str) -> str:
        return result_key("gsm8k", made_by or {"cot": "a"}, settings=settings, model=Model())  # type: ignore[arg-type]

    first = result(SETTINGS)
    assert result(SETTINGS, cot="b") != first
    assert result(SETTINGS, pot="a", cot="a") != first
    for changed in ({"limit": 3}, {"shots": 4}, {"samples": 2}, {"exclude": ("overlaps",)}):
        assert result(SETTINGS.model_copy(update=changed)) != first
    assert result(SETTINGS.model_copy(update={"batch_size": 1})) == first
