"""Dual instruction tuning of language models on mathematical reasoning.

The same words as in a recipe, from Python::

    import dualtune

    recipe = dualtune.load_recipe("recipes/demo.yaml")
    problems = dualtune.load_problems(recipe.data.train)
    instances = [i for p in problems for i in dualtune.derive(p, recipe.tasks, seed=0).instances]
    model = dualtune.tune(recipe, Path("runs/mine"), train=problems)

Importing this module is cheap: the stages import torch when they run.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dualtune.evaluate.harness import evaluate_model
    from dualtune.lm.train import tune
    from dualtune.recipe import Recipe, load_recipe
    from dualtune.records import Instance, Problem, Span, Step
    from dualtune.report.page import write_report
    from dualtune.run import run_recipe
    from dualtune.sources.readers import load_problems
    from dualtune.tasks.derive import derive

__version__ = "0.3.0"

_HOMES = {
    "Instance": "dualtune.records",
    "Problem": "dualtune.records",
    "Recipe": "dualtune.recipe",
    "Span": "dualtune.records",
    "Step": "dualtune.records",
    "derive": "dualtune.tasks.derive",
    "evaluate_model": "dualtune.evaluate.harness",
    "load_problems": "dualtune.sources.readers",
    "load_recipe": "dualtune.recipe",
    "run_recipe": "dualtune.run",
    "tune": "dualtune.lm.train",
    "write_report": "dualtune.report.page",
}

__all__ = [
    "Instance",
    "Problem",
    "Recipe",
    "Span",
    "Step",
    "__version__",
    "derive",
    "evaluate_model",
    "load_problems",
    "load_recipe",
    "run_recipe",
    "tune",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'dualtune' has no attribute {name!r}")
