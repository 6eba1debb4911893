"""The model card: README.md of a tuned model's folder, with the hub's front matter.

Every figure is read from the run's files. What a run does not know (the licence of the data, that
of a base model without a card) is left out and said to be unknown.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dualtune.build.export.facts import Facts
from dualtune.lm.models import SMOLLM2
from dualtune.records import TASK_NAMES

Json = Mapping[str, Any]

_TASKS = {
    "solve": "question to rationale and answer",
    "irsp": "Intermediate Reasoning State Prediction: masked steps of the rationale",
    "ir": "Instruction Reconstruction: masked parts of the question, from the rationale",
}
_NAMES = {"base": "untuned", "tuned": "this model"}
_REFERENCE = """## Reference

```bibtex
@misc{zhou2024dual,
  title  = {Dual Instruction Tuning with Large Language Models for Mathematical Reasoning},
  author = {Zhou, Yongwei and Zhao, Tiejun},
  year   = {2024},
  eprint = {2403.18295},
  archivePrefix = {arXiv}
}
```"""


@dataclass(frozen=True, slots=True)
class Tuned:
    """What is known of a tuned model.

    Attributes:
        facts: The run: recipe, build, manifest, audit.
        train: ``train.json``.
        evaluation: Model, then benchmark, to its result (``eval.json``).
        address: What ``from_pretrained`` takes: its id on the hub, or a path.
        adapter: Whether the folder holds an adapter alone, over its base.
        license: The base model's licence as the hub names it; None where it is not known.
    """

    facts: Facts
    train: Json
    evaluation: Mapping[str, Mapping[str, Json]]
    address: str
    adapter: bool
    license: str | None


def model_card(tuned: Tuned) -> str:
    """Return the model card: front matter and Markdown.

    Args:
        tuned: What is known of the model.
    """
    front = yaml.safe_dump(_front_matter(tuned), sort_keys=False, allow_unicode=True)
    sections = (
        f"# {_title(tuned)}",
        _summary(tuned),
        _loading(tuned),
        _data(tuned.facts),
        _tasks(tuned),
        _training(tuned),
        _evaluation(tuned),
        _limits(tuned),
        _REFERENCE,
        "`recipe.yaml` and `manifest.json` in this folder say how it was made: settings, seed, "
        "versions and checksums, without the paths of the machine.",
    )
    return f"---\n{front}---\n\n" + "\n\n".join(s for s in sections if s) + "\n"


def base_license(folder: Path | str, name: str) -> str | None:
    """Return the licence of a base model from its own card, without asking the network.

    Args:
        folder: The base model: a folder, or a hub id whose card may lie in the hub cache.
        name: The recipe's name of it.

    Returns:
        The licence as the card names it; None where there is no card or it names none.
    """
    if name == SMOLLM2:
        return "apache-2.0"  # of HuggingFaceTB/SmolLM2-135M-Instruct
    card = Path(folder) / "README.md"
    if not card.is_file():
        from huggingface_hub import try_to_load_from_cache

        found = try_to_load_from_cache(name, "README.md") if name.count("/") == 1 else None
        if not isinstance(found, str):
            return None
        card = Path(found)
    text = card.read_text(encoding="utf-8", errors="replace")
    if not text.startswith("---\n"):
        return None
    try:
        values = yaml.safe_load(text.split("\n---", 1)[0].removeprefix("---\n"))
    except yaml.YAMLError:
        return None
    found = values.get("license") if isinstance(values, dict) else None
    return found if isinstance(found, str) and found != "unknown" else None


def _front_matter(tuned: Tuned) -> dict[str, Any]:
    facts = tuned.facts
    source = facts.recipe.data.train
    values: dict[str, Any] = {
        "base_model": facts.model if facts.names_its_model else None,
        "base_model_relation": "adapter" if tuned.adapter else "finetune",
        "library_name": "peft" if tuned.adapter else "transformers",
        "pipeline_tag": "text-generation",
        "license": tuned.license,
        "datasets": [source.hub] if source.hub else None,
        "tags": ["dualtune", "dual-instruction-tuning", "math", "chain-of-thought"],
    }
    if values["base_model"] is None:
        del values["base_model_relation"]
    return {key: value for key, value in values.items() if value is not None}


def _title(tuned: Tuned) -> str:
    if tuned.address.count("/") == 1:
        return tuned.address.rpartition("/")[2]
    return f"{_base(tuned.facts)} tuned on {tuned.facts.data_name}"


def _base(facts: Facts) -> str:
    if facts.names_its_model:
        return facts.model
    return str(facts.manifest.get("model", {}).get("id", "a model of its own"))


def _summary(tuned: Tuned) -> str:
    kind = tuned.facts.recipe.train.adapter.kind
    how = "" if kind == "none" else f" with {kind.upper().replace('RA', 'rA')}"
    return (
        f"{_base(tuned.facts)}, tuned{how} on mathematical reasoning by dual instruction tuning "
        "(Zhou and Zhao, arXiv 2403.18295): beside solving problems it was trained to predict "
        "masked steps of a rationale, and to reconstruct masked parts of a question from its "
        "rationale. All instances were derived by rule, with no teacher model."
        if _is_dual(tuned.facts)
        else f"{_base(tuned.facts)}, tuned{how} on mathematical reasoning with dualtune."
    )


def _is_dual(facts: Facts) -> bool:
    made = facts.built.get("instances", {})
    return bool(made.get("irsp") or made.get("ir"))


def _loading(tuned: Tuned) -> str:
    at = tuned.address
    recipe = tuned.facts.recipe
    chat = " --apply_chat_template" if recipe.model.prompt == "chat" else ""
    if tuned.adapter:
        base = _base(tuned.facts)
        vllm = f"vllm serve {base} --enable-lora --lora-modules tuned={at}"
        arguments = f"pretrained={base},peft={at}"
    else:
        vllm = f"vllm serve {at}"
        arguments = f"pretrained={at}"
    system = recipe.model.system
    first = "" if system is None else f'{{"role": "system", "content": {json.dumps(system)}}}, '
    ask = (
        f"""messages = [{first}{{"role": "user", "content": question + "\\n\\n" + request}}]
prompt = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)"""
        if recipe.model.prompt == "chat"
        else """from dualtune.tasks.prompts import render_alpaca, solve_messages

prompt = render_alpaca(solve_messages(question))"""
    )
    return f"""## How to load it

```python
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("{at}")
model = AutoModelForCausalLM.from_pretrained("{at}")

question = "Tom has 3 boxes of 12 pens and gives 5 pens away. How many has he left?"
request = 'Solve the problem step by step, and end with "The answer is X."'
{ask}
inputs = tokenizer(prompt, return_tensors="pt", add_special_tokens=False)
output = model.generate(**inputs, max_new_tokens=256, do_sample=False)
print(tokenizer.decode(output[0, inputs["input_ids"].shape[1]:], skip_special_tokens=True))
```

```
{vllm}
lm_eval --model hf --model_args {arguments} --tasks dualtune_gsm8k \\
  --include_path "$(dualtune tasks)"{chat}
```"""


def _data(facts: Facts) -> str:
    source = facts.recipe.data.train
    built = facts.built
    known = {
        "data": f"hub data set {source.hub}" if source.hub else facts.data_name,
        "configuration": source.name,
        "split": source.split if source.hub else None,
        "kinds of rationale kept": ", ".join(source.kinds) if source.kinds else None,
        "rows read": f"{built['rows_read']:,}",
        "Problems trained on": f"{built['problems']:,}",
        "Problems held out": f"{built['validation_problems']:,}",
    }
    for entry in facts.manifest.get("data", ()):
        known[f"SHA-256 of {entry['path']}"] = entry["sha256"]
    lines = [f"- {name}: {value}" for name, value in known.items() if value is not None]
    lines += [
        f"- rows left out, {cause}: {count:,}" for cause, count in built.get("rejected", {}).items()
    ]
    return (
        "## Data\n\n"
        + "\n".join(lines)
        + "\n\nThe licence of the data is not known to the tool that wrote this card. Some sets of "
        "this field allow research alone, or were written by a model whose terms hold for what "
        "is trained on them: look it up before you share or sell the model."
    )


def _tasks(tuned: Tuned) -> str:
    facts, trained = tuned.facts, tuned.train
    weights = facts.recipe.tasks.weights
    rows = [
        [
            task,
            _TASKS[task],
            f"{facts.built['instances'].get(task, 0):,}",
            f"{trained['instances'].get(task, 0):,}",
            f"{getattr(weights, task):g}",
        ]
        for task in TASK_NAMES
        if facts.built["instances"].get(task) or trained["instances"].get(task)
    ]
    table = _table(["task", "what is asked for", "in one epoch", "trained on", "weight"], rows)
    settings = {
        "tasks": facts.recipe.tasks.model_dump(mode="json"),
        "prompt": facts.recipe.model.prompt,
        "system": facts.recipe.model.system,
    }
    text = yaml.safe_dump(settings, sort_keys=False, allow_unicode=True).rstrip()
    return f"## Tasks\n\nInstances:\n\n{table}\n\n```yaml\n{text}\n```"


def _training(tuned: Tuned) -> str:
    told, settings = tuned.train, tuned.facts.recipe.train
    adapter = settings.adapter
    rows = [
        ["optimiser steps", f"{told['steps']:,}"],
        [
            "epochs",
            f"{told['epochs']:,}" + (" (stopped early)" if told.get("stopped_early") else ""),
        ],
        ["Problems a step", f"{settings.problems_per_step:,}"],
        ["tokens of all instances", f"{told['tokens_total']:,}"],
        ["tokens computed (shared prefixes once)", f"{told['tokens_distinct']:,}"],
        ["label tokens", f"{told['label_tokens']:,}"],
        ["learning rate", f"{settings.learning_rate:g}, {settings.schedule}"],
        ["precision", str(told["precision"])],
        [
            "adapter",
            "none: all weights"
            if adapter.kind == "none"
            else f"{adapter.kind}, rank {adapter.rank}, alpha {adapter.alpha}, on "
            + ", ".join(adapter.targets),
        ],
        ["hours", f"{told['seconds'] / 3600:.2f} on {_machine(told)}"],
        ["seed", str(tuned.facts.recipe.seed)],
    ]
    if settings.keep == "best":
        rows.insert(2, ["weights", _kept(told["kept"])])
    rows += [[f"instances left out, {cause}", f"{n:,}"] for cause, n in told["dropped"].items()]
    held = told["validation"]
    losses = [
        [task, *(_loss(told[at], task) for at in ("first", "final"))]
        + [_loss(held[at], task) for at in ("first", "final")]
        for task in TASK_NAMES
        if task in told["final"]
    ]
    head = ["task", "first", "final", "held out, first", "held out, final"]
    return (
        f"## Training\n\n{_table(['what', 'value'], rows)}\n\nLoss a label token (nats):\n\n"
        f"{_table(head, losses)}"
    )


def _machine(told: Json) -> str:
    processes = told.get("processes", 1)
    return str(told["device"]) if processes == 1 else f"{processes} x {told['device']}"


def _kept(kept: Json) -> str:
    merit = next(
        (f", {name} {kept[name]:.4g}" for name in ("loss", "accuracy") if name in kept), ""
    )
    return f"those after epoch {kept['epoch']:g} (step {kept['step']:,}), the best held out{merit}"


def _loss(losses: Json, task: str) -> str:
    return f"{losses[task]:.3f}" if task in losses else "-"


def _evaluation(tuned: Tuned) -> str:
    if not tuned.evaluation.get("tuned"):
        return "## Evaluation\n\nThis model was not evaluated when this card was written."
    rows = [
        [
            benchmark,
            f"{one['domain']} of domain" if one["domain"] == "out" else "in domain",
            _NAMES.get(model, model),
            str(one["mode"]),
            f"{one['rows']:,} of {one['of']:,}",
            _accuracy(one),
        ]
        for model, results in tuned.evaluation.items()
        for benchmark, one in results.items()
    ]
    rows.sort(key=lambda row: (row[0], row[2] == _NAMES["tuned"]))
    head = ["benchmark", "domain", "model", "mode", "rows", "accuracy, 95 % interval"]
    return (
        f"## Evaluation\n\n{_table(head, rows)}\n\nGraded by dualtune. In or out of domain is "
        "relative to the training data above; the intervals are of the sampling of rows, and say "
        "nothing of another seed of training."
    )


def _accuracy(result: Json) -> str:
    low, high = result["interval"]
    return f"{100 * result['accuracy']:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def _limits(tuned: Tuned) -> str:
    facts = tuned.facts
    limits = [
        "Meant for research on mathematical word problems in the language of its data. Its "
        "answers may be wrong, and its steps may be wrong where the answer is right: check them.",
        "Only what the table above shows was evaluated. Safety, bias, other languages, and "
        "whatever the base model could do before were not.",
    ]
    if not tuned.evaluation.get("base"):
        limits.append(
            "The untuned model was not evaluated beside it, so the table does not say what the "
            "tuning gained."
        )
    parts = [
        f"{benchmark} ({one['rows']:,} of {one['of']:,} rows)"
        for benchmark, one in tuned.evaluation.get("tuned", {}).items()
        if one["rows"] < one["of"]
    ]
    if parts:
        limits.append("Evaluated on a part of the rows alone: " + ", ".join(parts) + ".")
    limits.append(_audited(facts.audit))
    limits.append("One training run with one seed.")
    limits.append("The base model's licence and limits hold for this model as well.")
    return "## Limits and intended use\n\n" + "\n".join(f"- {limit}" for limit in limits)


def _audited(audit: Json) -> str:
    if not audit:
        return (
            "The data was not audited (`dualtune audit`): wrong rationales, duplicates and test "
            "rows may be in it."
        )
    found = {k: n for k, n in audit.get("findings", {}).items() if isinstance(n, int) and n}
    told = ", ".join(f"{kind} {count:,}" for kind, count in found.items()) or "nothing"
    return f"The audit of the data found (and removed nothing by itself): {told}."


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(
        "| " + " | ".join(c.replace("|", "\\|") for c in line) + " |" for line in lines
    )
