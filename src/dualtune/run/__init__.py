"""The stages of a recipe in their order, each skipped when its inputs have not changed."""

from dualtune.run.keys import train_source
from dualtune.run.pipeline import Pipeline, follow, run_recipe
from dualtune.run.preview import preview_recipe

__all__ = ["Pipeline", "follow", "preview_recipe", "run_recipe", "train_source"]
