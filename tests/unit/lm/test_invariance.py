"""What must not change a result, through the command line: the layout, the workers, the order.

Here a step has a fixed set of Problems, and tokens_per_pack says how it is cut into passes: one
instance a pass is what other trainers call batch size 1 with accumulation, a single pass for the
whole step is their large batch.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file

from dualtune.cli import main
from dualtune.lm.steps import Steps
from tests.unit.lm.test_train import PROBLEMS

# Adam divides by the size of a gradient, so rounding moves a weight whose gradient is about
# nothing by up to the learning rate: a small one keeps that below the tolerance.
TOLERANCE = 1e-5
RATE = 1e-4


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    keys = ("id", "question", "rationale", "answer")
    lines = [json.dumps({key: getattr(p, key) for key in keys}) for p in PROBLEMS[:8]]
    file.write_text("\n".join(lines) + "\n")
    return file


def trained(model: Path, rows: Path, folder: Path, *overrides: str) -> dict[str, torch.Tensor]:
    """Train through the command line and return the weights."""
    folder.mkdir()
    columns = {key: key for key in ("id", "question", "rationale", "answer")}
    recipe = {
        "data": {
            "train": {"path": str(rows), "format": "columns", "columns": columns},
            "validation": 0,
        },
        "tasks": {"irsp": {"per_problem": 2}, "ir": {"per_problem": 2}},
        "model": {"id": str(model)},
        "train": {
            "epochs": 2,
            "problems_per_step": 4,
            "precision": "fp32",
            "learning_rate": RATE,
            "workers": 0,
            "tokens_per_pack": 1 << 20,
        },
        "run": str(folder / "run"),
    }
    file = folder / "recipe.yaml"
    file.write_text(yaml.safe_dump(recipe))
    assert main(["train", str(file), *overrides]) == 0
    return load_file(folder / "run" / "model" / "model.safetensors")


@pytest.fixture(scope="module")
def whole(
    tiny_folder: Path, rows: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, torch.Tensor]:
    """Every step in one pass."""
    return trained(tiny_folder, rows, tmp_path_factory.mktemp("whole") / "run")


def assert_same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=0, atol=TOLERANCE, msg=name)


@pytest.mark.parametrize(
    "overrides",
    [
        ("--train.tokens_per_pack", "1", "--train.trie", "false"),
        ("--train.tokens_per_pack", "300"),
        ("--train.workers", "2"),
    ],
    ids=["one instance a pass", "several passes", "workers"],
)
def test_layout_and_workers(
    overrides: tuple[str, ...],
    whole: dict[str, torch.Tensor],
    tiny_folder: Path,
    rows: Path,
    tmp_path: Path,
) -> None:
    assert_same(trained(tiny_folder, rows, tmp_path / "other", *overrides), whole)


def test_the_order_of_the_file(
    whole: dict[str, torch.Tensor], tiny_folder: Path, rows: Path, tmp_path: Path
) -> None:
    turned = tmp_path / "rows.jsonl"
    turned.write_text("\n".join(reversed(rows.read_text().splitlines())) + "\n")
    assert_same(trained(tiny_folder, turned, tmp_path / "other"), whole)


def test_the_order_inside_a_step(
    whole: dict[str, torch.Tensor],
    tiny_folder: Path,
    rows: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = Steps.problems_of
    monkeypatch.setattr(Steps, "problems_of", lambda self, index: before(self, index)[::-1])
    found = trained(tiny_folder, rows, tmp_path / "other", "--train.tokens_per_pack", "300")
    assert_same(found, whole)


def test_what_does_change_the_result_is_seen(
    whole: dict[str, torch.Tensor], tiny_folder: Path, rows: Path, tmp_path: Path
) -> None:
    """The tolerance can tell: other masks move the weights far beyond it."""
    found = trained(tiny_folder, rows, tmp_path / "other", "--seed", "1")
    assert max(float((found[k] - v).abs().max()) for k, v in whole.items()) > 10 * TOLERANCE
