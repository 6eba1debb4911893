"""Which models a command evaluates: the run's own, others beside them, or those of a server."""

from __future__ import annotations

from collections.abc import Sequence

from dualtune.errors import BadInput
from dualtune.evaluate.harness import check_settings
from dualtune.evaluate.subjects import RESERVED, find_model, name_models
from dualtune.run.pipeline import Pipeline


def evaluate_models(pipeline: Pipeline, models: Sequence[str] = ()) -> None:
    """Evaluate models on the recipe's benchmarks, each under its own name.

    Args:
        pipeline: Of the recipe.
        models: As ``--models`` takes them; none stands for the untuned model (unless
            ``eval.baseline`` is off) and the tuned one, or for the model that a server serves.

    Raises:
        BadInput: If there is no such model, or what is needed to evaluate it.
    """
    settings = pipeline.recipe.eval
    if not settings.benchmarks:
        raise BadInput("eval.benchmarks is empty: name benchmarks, such as [gsm8k, svamp]")
    check_settings(settings)
    served = settings.backend == "openai"
    chosen = list(models)
    if not chosen and served:
        from dualtune.evaluate.openai import served_model

        chosen = [served_model(settings)]
    elif not chosen:
        chosen = ["base", "tuned"] if settings.baseline else ["tuned"]
    if "tuned" in chosen and not served:
        pipeline.check_tuned()  # before the untuned model is evaluated for an hour
    if served and any(name in RESERVED for name in chosen):
        raise BadInput(
            "--models: with eval.backend openai, give names of models on the server "
            "(NAME=MODEL where one is called base or tuned)."
        )
    resolve = str if served else find_model
    for subject in name_models(chosen, run=pipeline.run, resolve=resolve):
        own = subject.name in RESERVED
        pipeline.evaluate(model=subject.name, folder=None if own else subject.model)
