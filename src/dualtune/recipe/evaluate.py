"""The eval section: which benchmarks, and how answers are generated."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, PositiveInt, model_validator

from dualtune.recipe.eval_file import EvalFile
from dualtune.recipe.section import Section

Mode = Literal["cot", "pot", "hybrid"]


class Eval(Section):
    """How models are evaluated."""

    benchmarks: tuple[str, ...] = Field(
        ("synthetic_test",), description="benchmarks, such as gsm8k, svamp, synthetic_test"
    )
    limit: int | None = Field(None, ge=1, description="use so many rows of each benchmark")
    limits: dict[str, PositiveInt] = Field(
        default_factory=dict, description="limit of one benchmark: {gsm8k: 200}"
    )
    mode: Mode = Field(
        "cot",
        description="cot: write solutions; pot: write programs, which are run; "
        "hybrid: programs, and a solution where a program gives no answer",
    )
    allow_code: bool = Field(
        False, description="run programs that a model wrote (modes pot and hybrid)"
    )
    shots: int = Field(0, ge=0, description="solved examples shown before each question")
    samples: int = Field(1, ge=1, description="outputs for each question")
    temperature: float = Field(0.0, ge=0, description="0: always the likeliest token; else sample")
    top_p: float = Field(1.0, gt=0, le=1, description="sample from so much of the probability")
    backend: Literal["hf", "vllm", "openai"] = Field(
        "hf",
        description="what generates: Hugging Face, vLLM, or an OpenAI-compatible server",
    )
    engine: dict[str, bool | int | float | str] = Field(
        default_factory=dict,
        description="further arguments of vLLM's engine: {tensor_parallel_size: 4}",
    )
    base_url: str | None = Field(
        None, description="openai: address of the server, such as http://localhost:8000/v1"
    )
    server_model: str | None = Field(
        None, description="openai: the model's name there; null: the only one that it serves"
    )
    api: Literal["completions", "chat"] = Field(
        "completions",
        description="openai: completions sends the prompt as in training, chat leaves the "
        "template to the server",
    )
    key_variable: str = Field(
        "OPENAI_API_KEY", description="openai: environment variable that holds the key, if any"
    )
    timeout: float = Field(600.0, gt=0, description="openai: longest wait for an answer (seconds)")
    retries: int = Field(5, ge=0, description="openai: how often a failed request is repeated")
    baseline: bool = Field(True, description="evaluate the untuned model as well")
    batch_size: Literal["auto"] | PositiveInt = Field(
        "auto", description="outputs generated at once (openai: requests under way)"
    )
    max_new_tokens: int = Field(256, ge=1, description="longest generation (tokens)")
    precision: Literal["auto", "fp32", "bf16"] = Field("auto", description="weights' precision")
    data_dir: str | None = Field(
        None, description="folder of the benchmark files; null: $DUALTUNE_DATA"
    )
    domains: dict[str, Literal["in", "out"]] = Field(
        default_factory=dict,
        description="domain of a benchmark where the built-in table is wrong: {svamp: in}",
    )
    files: dict[str, EvalFile] = Field(
        default_factory=dict,
        description="test sets of your own: {mine: {path: mine.jsonl, answer: final_answer}}",
    )
    exclude: tuple[Literal["wrong_labels", "overlaps", "partial_golds"], ...] = Field(
        (), description="leave out rows with known defects; the result says how many"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.samples > 1 and self.temperature == 0:
            raise ValueError(
                f"samples is {self.samples}, but at temperature 0 all of them are the same: "
                "set temperature, such as 0.7"
            )
        if self.backend == "openai" and not (self.base_url or "").startswith(
            ("http://", "https://")
        ):
            raise ValueError("backend openai needs base_url, such as http://localhost:8000/v1")
        return self
