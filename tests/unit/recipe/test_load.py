"""The recipe: what it accepts, and what it says of what it does not."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel

from dualtune.errors import BadInput
from dualtune.recipe import (
    Eval,
    EvalFile,
    Phase,
    Recipe,
    Tasks,
    describe_keys,
    dump_recipe,
    load_recipe,
    parse_recipe,
)

MINIMAL: dict[str, Any] = {"data": {"train": {"synthetic": "train"}}, "run": "runs/x"}


def write(folder: Path, values: Any) -> Path:
    file = folder / "recipe.yaml"
    file.write_text(values if isinstance(values, str) else yaml.safe_dump(values))
    return file


def with_section(name: str, **values: Any) -> dict[str, Any]:
    return {**MINIMAL, name: values}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (with_section("train", epoch=3), r"unknown key 'train\.epoch' \(did you mean 'epochs'\?\)"),
        ({**MINIMAL, "tain": {}}, r"unknown key 'tain' \(did you mean '(train|data)'\?\)"),
        (
            with_section("tasks", irsp={"per_problems": 1}),
            r"unknown key 'tasks\.irsp\.per_problems' \(did you mean 'per_problem'\?\)",
        ),
        (with_section("tasks", ir={"zzz": 1}), r"'tasks\.ir\.zzz' \(valid: answerable_only, masks"),
        (with_section("train", epochs="many"), r"train\.epochs: .*integer.*\(got 'many'\)"),
        (with_section("train", epochs=0), r"train\.epochs: .*greater than or equal to 1.*got 0"),
        (with_section("train", learning_rate=math.inf), r"learning_rate: .*finite.*\(got inf\)"),
        (with_section("train", learning_rate=math.nan), r"learning_rate: .*\(got nan\)"),
        (with_section("model", prompt="chatml"), r"model\.prompt: .*'chat' or 'alpaca'.*'chatml'"),
        (with_section("eval", limits={"svamp": "few"}), r"eval\.limits\.svamp: .*got 'few'"),
        (with_section("train", epochs=[1]), r"train\.epochs: .*\(got \[1\]\)"),
        ({**MINIMAL, "train": 3}, r"train: .*\(got 3\)"),
        ({"run": "x"}, r"missing key 'data'"),
        ({"data": MINIMAL["data"]}, r"missing key 'run'"),
        (
            with_section("tasks", solve=False, irsp={"per_problem": 0}, ir={"per_problem": 0}),
            r"tasks: every task is off",
        ),
    ],
)
def test_what_does_not_fit_is_told_by_key_and_value(
    values: dict[str, Any], message: str, tmp_path: Path
) -> None:
    file = write(tmp_path, values)
    with pytest.raises(BadInput, match=message) as caught:
        load_recipe(file)
    assert str(caught.value).startswith(str(file))


def test_every_problem_is_told_at_once() -> None:
    values = {**MINIMAL, "train": {"epoch": 1, "warmup": 2}, "seed": -1}
    with pytest.raises(BadInput) as caught:
        parse_recipe(values)
    for key in ("train.epoch'", "train.warmup:", "seed:"):
        assert key in str(caught.value)


@pytest.mark.parametrize(
    ("train", "said"),
    [
        ({}, "none is given"),
        (None, "none is given"),
        ({"path": "a.jsonl", "hub": "b/c"}, r"2 are given \(path, hub\)"),
        ({"path": "a.jsonl", "hub": "b/c", "synthetic": "train"}, r"3 are given"),
    ],
)
def test_exactly_one_source(train: dict[str, Any] | None, said: str) -> None:
    with pytest.raises(BadInput, match=f"data.train: give exactly one of path, hub.*{said}"):
        parse_recipe({"data": {"train": train}, "run": "x"})


@pytest.mark.parametrize("source", [{"path": "a.jsonl"}, {"hub": "b/c"}, {"synthetic": "test"}])
def test_each_source_alone(source: dict[str, str]) -> None:
    train = parse_recipe({"data": {"train": source}, "run": "x"}).data.train
    assert train.model_dump(exclude_none=True).items() >= source.items()


def test_overrides(tmp_path: Path) -> None:
    file = write(tmp_path, with_section("train", epochs=1, learning_rate=0.5))
    overrides = "--train.epochs 3 --train.learning_rate=1e-4 --tasks.irsp.masks 2 --run runs/y"
    recipe = load_recipe(file, [*overrides.split(), "--eval.benchmarks", "[svamp, gsm8k]"])
    assert recipe.train.epochs == 3
    assert recipe.train.learning_rate == 1e-4
    assert recipe.tasks.irsp.masks == 2
    assert recipe.run == "runs/y"
    assert recipe.eval.benchmarks == ("svamp", "gsm8k")


@pytest.mark.parametrize("text", ["1e-4", "1E-4", "0.0001", "1.0e-4"])
def test_numbers_that_yaml_reads_as_text(text: str, tmp_path: Path) -> None:
    # YAML 1.1 takes 1e-4 for a string.
    inside = load_recipe(
        write(tmp_path, f"{yaml.safe_dump(MINIMAL)}train: {{learning_rate: {text}}}")
    )
    given = load_recipe(write(tmp_path, MINIMAL), ["--train.learning_rate", text])
    assert inside.train.learning_rate == given.train.learning_rate == 1e-4


def test_override_values_may_start_with_a_dash_or_hold_an_equals_sign(tmp_path: Path) -> None:
    file = write(tmp_path, MINIMAL)
    assert load_recipe(file, ["--model.system", "-x=y"]).model.system == "-x=y"
    assert load_recipe(file, ["--model.system=a=b"]).model.system == "a=b"
    assert load_recipe(file, ["--model.system", "null"]).model.system is None


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["--train.epochs"], r"--train\.epochs has no value"),
        (["train.epochs", "3"], r"unexpected argument 'train\.epochs'"),
        (["--train.epocs", "3"], r"unknown key 'train\.epocs' \(did you mean 'epochs'"),
        (["--train.epochs", "[1"], r"--train\.epochs \[1: not a YAML value"),
        (["--run.deep.key", "1"], r"--run\.deep\.key: run is 'runs/x', not a section"),
    ],
)
def test_bad_overrides(overrides: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=message):
        load_recipe(write(tmp_path, MINIMAL), overrides)


@pytest.mark.parametrize("section", ["tasks", "model", "train", "eval"])
def test_a_section_without_keys_means_its_defaults(section: str, tmp_path: Path) -> None:
    """As when every key under it is commented out."""
    file = write(tmp_path, {**MINIMAL, section: None})
    assert load_recipe(file) == parse_recipe(MINIMAL)
    assert load_recipe(file, ["--train.epochs", "7"]).train.epochs == 7


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"recipe not found: .*none\.yaml"):
        load_recipe(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("run: [", "is not valid YAML"),
        ("- a\n- b\n", "holds no mapping of sections"),
        ("", "holds no mapping of sections"),
        ("just words", "holds no mapping of sections"),
    ],
)
def test_not_a_recipe(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=message):
        load_recipe(write(tmp_path, text))


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot read recipe"):
        load_recipe(tmp_path)
    (tmp_path / "latin.yaml").write_bytes("run: é".encode("latin-1"))
    with pytest.raises(BadInput, match="cannot read recipe"):
        load_recipe(tmp_path / "latin.yaml")


def leaves(section: type[BaseModel], prefix: str = "") -> list[str]:
    found = []
    for name, field in section.model_fields.items():
        inner = field.annotation
        if hasattr(inner, "model_fields"):
            found += leaves(inner, f"{prefix}{name}.")
        else:
            found.append(prefix + name)
            if name == "schedule" and section is Tasks:  # a list of sections
                found += leaves(Phase, f"{prefix}{name}[].")
            if name == "files" and section is Eval:  # a mapping of sections
                found += leaves(EvalFile, f"{prefix}{name}.NAME.")
    return found


def test_keys_are_described_once_each_with_a_meaning() -> None:
    rows = list(describe_keys())
    keys = [key for key, *_ in rows]
    assert keys == leaves(Recipe)
    assert len(set(keys)) == len(keys)
    described = {key: rest for key, *rest in rows}
    assert described["train.epochs"] == ["int", "2", "passes over the Problems"]
    assert described["run"][:2] == ["str", "required"]
    assert described["data.train.path"][:2] == ["str", "null"]
    assert described["tasks.solve"][:2] == ["bool", "true"]
    assert described["eval.benchmarks"][:2] == ["list of str", "[synthetic_test]"]
    assert described["eval.limits"][:2] == ["str: int", "{}"]
    assert all(kind and meaning for _, kind, _, meaning in rows)
    choices = get_args(Recipe.model_fields["model"].annotation.model_fields["prompt"].annotation)
    assert described["model.prompt"][0] == "|".join(choices)


def test_dumped_and_loaded_again_is_the_same(tmp_path: Path) -> None:
    values = {
        "data": {"train": {"path": "größe.csv", "columns": {"question": "q", "answer": "a"}}},
        "tasks": {"irsp": {"policy": "each"}, "weights": {"ir": 0.25}, "weighting": "rows"},
        "model": {"id": "owner/name", "system": "Think: step by step\n"},
        "train": {"learning_rate": 3e-5},
        "eval": {"benchmarks": ["gsm8k"], "limits": {"gsm8k": 200}, "domains": {"gsm8k": "out"}},
        "run": "runs/ß",
        "seed": 17,
    }
    recipe = parse_recipe(values)
    text = dump_recipe(recipe)
    assert load_recipe(write(tmp_path, text)) == recipe
    assert dump_recipe(load_recipe(write(tmp_path, text))) == text
    assert "größe.csv" in text


def test_a_recipe_does_not_change() -> None:
    recipe = parse_recipe(MINIMAL)
    with pytest.raises(ValueError, match="frozen"):
        recipe.seed = 1


def test_ready_recipes_are_valid() -> None:
    files = sorted((Path(__file__).parents[3] / "recipes").glob("**/*.yaml"))
    assert files
    for file in files:
        load_recipe(file)
