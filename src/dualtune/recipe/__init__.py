"""The typed recipe: one YAML file that says everything about a run.

One definition gives the YAML schema, the ``--section.key value`` overrides and the help text.
"""

from dualtune.recipe.data import Audit, Build, Columns, Data, Format, Source
from dualtune.recipe.eval_file import EvalFile
from dualtune.recipe.evaluate import Eval
from dualtune.recipe.load import (
    describe_keys,
    dump_recipe,
    load_recipe,
    parse_recipe,
    recipe_for_data,
)
from dualtune.recipe.recipe import Recipe
from dualtune.recipe.schedule import Phase, PhaseWeights, held_out_tasks, phases, tasks_at, wanted
from dualtune.recipe.section import Section
from dualtune.recipe.tasks import Ir, Irsp, Mix, Tasks, Weights
from dualtune.recipe.train import Adapter, Model, Train

__all__ = [
    "Adapter",
    "Audit",
    "Build",
    "Columns",
    "Data",
    "Eval",
    "EvalFile",
    "Format",
    "Ir",
    "Irsp",
    "Mix",
    "Model",
    "Phase",
    "PhaseWeights",
    "Recipe",
    "Section",
    "Source",
    "Tasks",
    "Train",
    "Weights",
    "describe_keys",
    "dump_recipe",
    "held_out_tasks",
    "load_recipe",
    "parse_recipe",
    "phases",
    "recipe_for_data",
    "tasks_at",
    "wanted",
]
