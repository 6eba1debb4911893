"""The recipe: all sections together."""

from __future__ import annotations

from pydantic import Field, model_validator

from dualtune.recipe.data import Audit, Build, Data
from dualtune.recipe.evaluate import Eval
from dualtune.recipe.schedule import check_epochs
from dualtune.recipe.section import Section
from dualtune.recipe.tasks import Tasks
from dualtune.recipe.train import Model, Train


class Recipe(Section):
    """Everything about a run."""

    data: Data = Field(description="what is tuned on")
    tasks: Tasks = Field(default_factory=Tasks, description="instances and their weights")
    build: Build = Field(default_factory=Build, description="building on disk")
    audit: Audit = Field(default_factory=Audit, description="checks of the data")
    model: Model = Field(default_factory=Model, description="the model")
    train: Train = Field(default_factory=Train, description="training")
    eval: Eval = Field(default_factory=Eval, description="evaluation")
    run: str = Field(description="folder that everything is written to")
    seed: int = Field(0, ge=0, description="seed of the split, the masks and the order")

    @model_validator(mode="after")
    def _phases_are_reached(self) -> Recipe:
        check_epochs(self.tasks, self.train.epochs)
        return self
