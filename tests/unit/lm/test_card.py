"""The model card and the files beside it: figures of the run, and nothing of the machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import constants

from dualtune.errors import BadInput, DualtuneError
from dualtune.lm.card import base_license
from dualtune.lm.models import weights_digest
from dualtune.lm.push import describe_model, push_model, shareable
from dualtune.recipe import load_recipe
from dualtune.upload import check_push
from tests.hub_stub import TOKEN, Hub, serving
from tests.unit.build.built_run import built_run, problem

TRAINED = {
    "steps": 12,
    "epochs": 2,
    "stopped_early": False,
    "instances": {"solve": 6, "irsp": 6, "ir": 6},
    "tokens_total": 36_753,
    "tokens_distinct": 29_017,
    "label_tokens": 7566,
    "seconds": 5400.0,
    "first": {"solve": 1.1758, "irsp": 1.35, "ir": 6.08},
    "final": {"solve": 0.3871, "irsp": 0.48, "ir": 1.7},
    "validation": {"first": {"solve": 1.0937}, "final": {"solve": 1.0261}},
    "dropped": {"too_long": 3},
    "precision": "bf16",
    "device": "cpu",
}
RESULT = {
    "mode": "cot",
    "rows": 200,
    "of": 1319,
    "correct": 6,
    "accuracy": 0.03,
    "interval": [0.0138, 0.0639],
    "domain": "in",
}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return tuned_run(tmp_path / "run")


def tuned_run(folder: Path, **sections: Any) -> Path:
    sections = {"eval": {"benchmarks": ["gsm8k"], "data_dir": "/home/someone/bench"}} | sections
    run = built_run(folder, [problem(n) for n in range(4)], held_out=1, **sections)
    (run / "train.json").write_text(json.dumps(TRAINED))
    (run / "model").mkdir()
    (run / "model" / "config.json").write_text("{}")
    (run / "model" / "model.safetensors").write_bytes(b"weights")
    return run


def card(run: Path, **more: Any) -> tuple[dict[str, Any], str]:
    text = (describe_model(run, **more) / "README.md").read_text()
    _, front, body = text.split("---\n", 2)
    return yaml.safe_load(front), body


def evaluated(run: Path, **models: Any) -> None:
    stages = {f"eval_{name}": {"fingerprint": "x"} for name in models}
    (run / "manifest.json").write_text(json.dumps({"stages": stages}))
    (run / "eval.json").write_text(json.dumps({"models": models}))


def test_the_front_matter_says_what_is_known_and_no_more(run: Path) -> None:
    front, _ = card(run)
    assert front["base_model"] == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert front["library_name"] == "transformers"
    assert front["license"] == "apache-2.0"
    assert "dualtune" in front["tags"]
    assert "datasets" not in front  # a file has no id on the hub


def test_a_hub_data_set_is_named_and_an_unknown_licence_is_not(tmp_path: Path) -> None:
    data = {"train": {"hub": "openai/gsm8k", "name": "main"}}
    run = tuned_run(tmp_path / "run", data=data, model={"id": "someone/model-of-none"})
    front, body = card(run)
    assert front["datasets"] == ["openai/gsm8k"]
    assert front["base_model"] == "someone/model-of-none"
    assert "license" not in front
    assert "look it up before you share" in body


def test_the_figures_are_those_of_the_run(run: Path) -> None:
    _, body = card(run)
    for row in (
        "| optimiser steps | 12 |",
        "| tokens computed (shared prefixes once) | 29,017 |",
        "| instances left out, too_long | 3 |",
        "| hours | 1.50 on cpu |",
        "| solve | 1.176 | 0.387 | 1.094 | 1.026 |",
        "| irsp | 1.350 | 0.480 | - | - |",
        "- Problems trained on: 3",
    ):
        assert row in body
    assert "arXiv 2403.18295" in body


def test_several_processes_and_the_best_epoch_are_told(tmp_path: Path) -> None:
    """The weights are not those of the last epoch, and the hours are of several devices."""
    run = tuned_run(tmp_path / "run", train={"keep": "best"})
    kept = {"step": 6, "epoch": 1.0, "loss": 1.01234, "keep": "best"}
    (run / "train.json").write_text(json.dumps(TRAINED | {"processes": 8, "kept": kept}))
    _, body = card(run)
    assert "| hours | 1.50 on 8 x cpu |" in body
    assert "| weights | those after epoch 1 (step 6), the best held out, loss 1.012 |" in body


def test_before_an_evaluation_the_card_says_so_and_after_it_what_came_out(run: Path) -> None:
    _, body = card(run)
    assert "was not evaluated when this card was written" in body
    evaluated(run, tuned={"gsm8k": RESULT})
    _, body = card(run)
    assert "| gsm8k | in domain | this model | cot | 200 of 1,319 | 3.0 % (1.4 to 6.4) |" in body
    assert "untuned model was not evaluated" in body
    assert "gsm8k (200 of 1,319 rows)" in body
    evaluated(run, base={"gsm8k": RESULT | {"rows": 1319}}, tuned={"gsm8k": RESULT})
    _, body = card(run)
    assert body.index("| untuned |") < body.index("| this model |")
    assert "untuned model was not evaluated" not in body


def test_the_examples_fit_the_model(tmp_path: Path, run: Path) -> None:
    _, body = card(run, address="me/maths")
    assert 'from_pretrained("me/maths")' in body
    assert "vllm serve me/maths\n" in body
    assert "--apply_chat_template" in body
    other = tuned_run(
        tmp_path / "adapter",
        model={"id": "someone/base", "prompt": "alpaca"},
        train={"adapter": {"kind": "lora", "merge": False}},
    )
    (other / "model" / "adapter_config.json").write_text('{"base_model_name_or_path": "b/c"}')
    front, body = card(other, address="me/maths")
    assert front["library_name"] == "peft"
    assert front["base_model_relation"] == "adapter"
    assert "vllm serve someone/base --enable-lora --lora-modules tuned=me/maths" in body
    assert "pretrained=someone/base,peft=me/maths" in body
    assert "--apply_chat_template" not in body
    assert "render_alpaca(solve_messages(question))" in body


def test_the_example_is_python(run: Path, tmp_path: Path) -> None:
    spoken = tuned_run(tmp_path / "spoken", model={"system": 'Say "x"\nand be brief.'})
    for folder in (run, spoken):
        _, body = card(folder)
        code = body.partition("```python\n")[2].partition("```")[0]
        compile(code, "card", "exec")
    assert r'"Say \"x\"\nand be brief."' in code


def test_nothing_of_the_machine_stands_in_the_folder(run: Path, tmp_path: Path) -> None:
    folder = describe_model(run)
    for file in folder.iterdir():
        text = file.read_text()
        assert "/home/" not in text, file
        assert str(tmp_path) not in text, file
    recipe = load_recipe(folder / "recipe.yaml")
    assert recipe.data.train.path == "data.jsonl"
    assert recipe.eval.data_dir is None
    assert recipe.run == "run"


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("/home/someone/secret/data.jsonl", "data.jsonl"),
        ("~/models/mine/", "mine"),
        ("../../other/x.json", "x.json"),
        (r"C:\Users\someone\x.csv", "x.csv"),
        ("openai/gsm8k", "openai/gsm8k"),
        ("builtin:sample", "builtin:sample"),
        ("http://10.0.0.7:8000/v1", None),
        ("cot", "cot"),
        (3, 3),
    ],
)
def test_what_is_shareable(value: Any, kept: Any) -> None:
    assert shareable({"a": [value]}) == {"a": [kept]}
    assert shareable({"data_dir": value, "cache_dir": value}) == {}


def test_the_weights_are_the_same_whatever_stands_beside_them(run: Path) -> None:
    """Or an evaluation would be repeated because its figures were written down."""
    before = weights_digest(run / "model")
    describe_model(run)
    assert weights_digest(run / "model") == before


def test_a_base_models_licence_is_read_from_its_card(tmp_path: Path) -> None:
    assert base_license(tmp_path, "x") is None
    for text, found in (
        ("---\nlicense: llama3.1\nlanguage: en\n---\n# Base", "llama3.1"),
        ("---\nlicense: unknown\n---\n", None),
        ("---\n: [\n---\n", None),
        ("# A card without front matter", None),
    ):
        (tmp_path / "README.md").write_text(text)
        assert base_license(tmp_path, "x") == found


def test_without_a_model_there_is_no_card(tmp_path: Path) -> None:
    run = built_run(tmp_path / "run", [problem(1)])
    with pytest.raises(BadInput, match="holds no tuned model"):
        describe_model(run)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serving(monkeypatch) as state:
        yield state


def test_the_folder_is_pushed_with_its_card(hub: Hub, run: Path) -> None:
    check_push("me/maths", kind="model")
    push_model(run, "me/maths", private=True)
    assert hub.kind == "model"
    assert hub.created["visibility"] == "private"
    assert hub.files == {p.name: p.read_bytes() for p in (run / "model").iterdir()}
    assert hub.files["model.safetensors"] == b"weights"
    assert 'from_pretrained("me/maths")' in hub.files["README.md"].decode()
    assert all(b"/home/" not in text for text in hub.files.values())


def test_a_refusal_says_what_to_do_and_no_token(hub: Hub, run: Path) -> None:
    hub.status["create"] = 403
    with pytest.raises(DualtuneError, match="may not write to 'me'") as caught:
        push_model(run, "me/maths", private=False)
    assert "--repo-type model" in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_an_adapter_over_a_folder_of_this_machine_is_not_pushed(hub: Hub, run: Path) -> None:
    config = {"base_model_name_or_path": "/home/someone/base"}
    (run / "model" / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(BadInput, match=r"train\.adapter\.merge: true"):
        push_model(run, "me/maths", private=False)
    assert hub.requests == []


def test_what_would_stop_a_push_is_said_first(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInput, match="no id of a model: give owner/name"):
        check_push("maths", kind="model")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(BadInput, match="HF_HUB_OFFLINE"):
        check_push("me/maths", kind="model")
