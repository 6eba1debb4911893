"""The tasks section: which instances are derived from a Problem, and how they weigh."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from dualtune.recipe.schedule import Phase, check_schedule
from dualtune.recipe.section import Section


class Irsp(Section):
    """Intermediate Reasoning State Prediction: predict masked steps."""

    per_problem: int = Field(1, ge=0, description="instances a Problem and epoch; 0 turns it off")
    policy: Literal["random", "each", "last", "contiguous"] = Field(
        "random",
        description="random steps (the paper's), each step once (masks and count are set then), "
        "the last steps, or a run of neighbouring steps",
    )
    masks: int = Field(1, ge=1, description="steps masked in one instance")
    ratio: float | None = Field(
        None, gt=0, lt=1, description="share of the steps masked in one instance, instead of masks"
    )
    negatives: int = Field(
        0, ge=0, description="further instances a Problem whose marker stands where no step is gone"
    )
    form: Literal["plain", "conversation"] = Field(
        "plain",
        description="one user turn (the paper's), or the solution up to the gap as the assistant's "
        "turn, which shares more tokens with solve",
    )


class Ir(Section):
    """Instruction Reconstruction: rebuild masked spans of the question from the rationale."""

    per_problem: int = Field(1, ge=0, description="instances a Problem and epoch; 0 turns it off")
    policy: Literal["random", "numbers", "quantities", "phrases", "clauses"] = Field(
        "random", description="numbers and phrases (the paper's), or one kind of span only"
    )
    masks: int = Field(1, ge=1, description="spans masked in one instance")
    target: Literal["spans", "question"] = Field(
        "spans", description="answer with the masked spans or the whole question"
    )
    answerable_only: bool = Field(
        True, description="mask a number only where the visible rationale holds its value"
    )


class Weights(Section):
    """Loss weight of each task."""

    solve: float = Field(1.0, ge=0, description="weight of solve")
    irsp: float = Field(1.0, ge=0, description="weight of irsp")
    ir: float = Field(1.0, ge=0, description="weight of ir")


class Mix(Section):
    """A fixed share of each task, reached by leaving instances out; all null: everything."""

    by: Literal["instances", "label_tokens"] = Field(
        "instances", description="what the shares are of"
    )
    solve: float | None = Field(None, ge=0, le=1, description="share of solve")
    irsp: float | None = Field(None, ge=0, le=1, description="share of irsp")
    ir: float | None = Field(None, ge=0, le=1, description="share of ir")

    @model_validator(mode="after")
    def _whole(self) -> Mix:
        shares = [s for s in (self.solve, self.irsp, self.ir) if s is not None]
        if shares and (len(shares) < 3 or abs(sum(shares) - 1) > 1e-6):
            raise ValueError(
                f"give the shares of solve, irsp and ir, with a sum of 1; {len(shares)} are "
                f"given, with a sum of {sum(shares):g}"
            )
        return self


class Tasks(Section):
    """Which instances are derived from a Problem, and how they weigh."""

    solve: bool = Field(True, description="derive the solve instance")
    irsp: Irsp = Field(default_factory=Irsp, description="step prediction")
    ir: Ir = Field(default_factory=Ir, description="question reconstruction")
    weights: Weights = Field(default_factory=Weights, description="loss weights")
    mix: Mix = Field(default_factory=Mix, description="share of each task")
    weighting: Literal["tokens", "rows"] = Field(
        "tokens", description="weigh each label token alike, or each instance alike"
    )
    fresh_masks: bool = Field(True, description="draw new masks in each epoch")
    schedule: tuple[Phase, ...] = Field(
        (), description="curriculum: what is different from an epoch on"
    )

    @model_validator(mode="after")
    def _something_to_train(self) -> Tasks:
        check_schedule(self)
        if self.schedule and self.schedule[0].from_epoch == 0:
            return self  # the section's own values hold in no epoch
        if not self.solve and not self.irsp.per_problem and not self.ir.per_problem:
            raise ValueError("every task is off: set solve: true or a per_problem above 0")
        return self
