"""A test set of a user's own, as the eval section names it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dualtune.recipe.section import Section


class EvalFile(Section):
    """A file of questions and answers."""

    path: str = Field(description="JSONL, JSON, CSV, TSV or Parquet file")
    question: str = Field("question", description="column of the question")
    answer: str = Field("answer", description="column of the right answer")
    kind: Literal["number", "latex", "choice", "mixed"] = Field(
        "number",
        description="kind of the answers; choice: a letter, an option's text, or its index from 0",
    )
    options: str | None = Field(
        None, description="column of a list of options; null: none, or they stand in the question"
    )
    id: str | None = Field(None, description="column of the row id; null: rows are numbered")
    subject: str | None = Field(None, description="column of a subject, for breakdowns")
    level: str | None = Field(None, description="column of a level, for breakdowns")
