"""The eval section: which benchmarks, and how answers are generated."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt

from dualtune.recipe.section import Section


class Eval(Section):
    """How models are evaluated."""

    benchmarks: tuple[str, ...] = Field(
        ("synthetic_test",), description="benchmarks, such as gsm8k, svamp, synthetic_test"
    )
    limit: int | None = Field(None, ge=1, description="use so many rows of each benchmark")
    limits: dict[str, PositiveInt] = Field(
        default_factory=dict, description="limit of one benchmark: {gsm8k: 200}"
    )
    mode: Literal["cot"] = Field("cot", description="decoding mode")
    backend: Literal["hf"] = Field("hf", description="generation backend of lm-evaluation-harness")
    baseline: bool = Field(True, description="evaluate the untuned model as well")
    batch_size: int = Field(64, ge=1, description="rows generated at once")
    max_new_tokens: int = Field(256, ge=1, description="longest generation (tokens)")
    precision: Literal["auto", "fp32", "bf16"] = Field("auto", description="weights' precision")
    data_dir: str | None = Field(
        None, description="folder of the benchmark files; null: $DUALTUNE_DATA"
    )
    domains: dict[str, Literal["in", "out"]] = Field(
        default_factory=dict,
        description="domain of a benchmark where the built-in table is wrong: {svamp: in}",
    )
