"""The data section: where Problems come from, how they are built and checked."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from dualtune.recipe.section import Section

Format = Literal[
    "auto",
    "columns",
    "problems",
    "gsm8k",
    "mawps_cot",
    "mathinstruct",
    "metamathqa",
    "math",
    "aqua",
    "aqua_flan",
    "messages",
    "sharegpt",
    "alpaca",
    "prompt_completion",
    "problemathic",
]


class Columns(Section):
    """Which columns of a file or hub data set hold what."""

    question: str = Field("question", description="column of the question")
    rationale: str = Field("rationale", description="column of the rationale")
    answer: str | None = Field(
        None, description="column of the final answer; null: taken from the end of the rationale"
    )
    id: str | None = Field(None, description="column of the row id; null: a hash of the row")


class Source(Section):
    """Where Problems come from: exactly one of path, hub and synthetic."""

    path: str | None = Field(
        None,
        description="JSONL, JSON, CSV, TSV or Parquet file (.gz, .bz2, .xz, .zst too), "
        "or 'builtin:sample' (packaged)",
    )
    hub: str | None = Field(None, description="data set id on the Hugging Face hub")
    synthetic: Literal["train", "test", "ood_types", "ood_depth"] | None = Field(
        None, description="split of the built-in generator of word problems"
    )
    format: Format = Field("auto", description="row format; auto recognises it from the rows")
    columns: Columns = Field(default_factory=Columns, description="column mapping")
    split: str = Field("train", description="split of a hub data set")
    name: str | None = Field(None, description="configuration of a hub data set")
    limit: int | None = Field(None, ge=1, description="use the first so many rows")
    kinds: tuple[Literal["cot", "pot"], ...] = Field(
        ("cot", "pot"), description="kinds of rationale that are used; others are counted"
    )
    think: Literal["keep", "cut", "strip"] = Field(
        "keep", description="<think> blocks: part of the rationale, cut at think_limit, or left out"
    )
    think_limit: int = Field(
        8000, ge=1, description="longest <think> block with think: cut (characters, whole steps)"
    )
    system: Literal["drop", "keep"] = Field(
        "drop", description="system turns of a conversation: left out, or put before the question"
    )
    tool: Literal["drop", "keep"] = Field(
        "drop", description="tool turns of a conversation: left out, or part of the rationale"
    )

    @model_validator(mode="after")
    def _one_source(self) -> Source:
        given = [k for k in ("path", "hub", "synthetic") if getattr(self, k) is not None]
        if len(given) != 1:
            said = f"{len(given)} are given ({', '.join(given)})" if given else "none is given"
            raise ValueError(f"give exactly one of path, hub and synthetic; {said}")
        return self


class Data(Section):
    """What is tuned on."""

    train: Source = Field(description="where the training Problems come from")
    validation: float = Field(
        0.02, ge=0, lt=1, description="share of Problems held out before instances are derived"
    )
    max_rejected: float = Field(
        0.05, ge=0, le=1, description="stop if a larger share of the rows is rejected"
    )


class Build(Section):
    """How instances are derived on disk; none of it changes what is written."""

    engine: Literal["local", "ray"] = Field(
        "local", description="processes of this machine, or Ray Data (the ray extra)"
    )
    workers: int = Field(0, ge=0, description="processes that derive; 0: one a core")
    shard_rows: int = Field(1024, ge=1, description="rows worked on and written at once")


class Audit(Section):
    """What a data set is checked for."""

    enabled: bool = Field(True, description="audit the data when a recipe is run")
    against: tuple[str, ...] = Field(
        (), description="further files whose questions must not stand in the data"
    )
    benchmarks: bool = Field(
        True, description="look for the questions of the nine test sets, where their files are"
    )
    near: float = Field(
        0.8, gt=0, le=1, description="share of word 3-grams in common that makes a near duplicate"
    )
    allow_code: bool = Field(
        False, description="run programs (PoT) to see whether they reach their answer"
    )
