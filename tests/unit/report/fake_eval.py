"""An evaluation of nine benchmarks: LaTeX, options, several samples, programs."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

from .fake_run import NASTY, interval, story, write_jsonl

Row = dict[str, object]

NINE = {
    # name: (domain, kind, share right before, share right after)
    "gsm8k": ("in", "number", 0.31, 0.38),
    "math": ("in", "latex", 0.12, 0.15),
    "aqua": ("in", "choice", 0.25, 0.24),
    "numglue": ("in", "mixed", 0.3, 0.36),
    "svamp": ("out", "number", 0.41, 0.5),
    "mathematics": ("out", "mixed", 0.2, 0.19),
    "simuleq": ("out", "number", 0.1, 0.11),
    "sat": ("out", "choice", 0.28, 0.33),
    "mmlu_math": ("out", "choice", 0.27, 0.29),
}
SUBJECTS = ("Algebra", "Counting & Probability", "Geometry", "Number Theory")
FORMULA = (
    r"What is the value of $\frac{3x^2 - 1}{\sqrt{x+1}} \cdot 10^{12}$ if $x \le 3$, "
    r"\[\begin{align*} a_1 &= \frac12 \\ b &\neq \pi \end{align*}\] and lunch costs $5 or \$6?"
)


def write_nine(
    folder: Path, *, rows: int = 60, models: Sequence[str] = ("base", "tuned"), samples: int = 1
) -> Path:
    """Write the evaluation of nine benchmarks.

    Args:
        folder: The run.
        rows: Rows a benchmark.
        models: Whose rows; the first is the worst.
        samples: Outputs a row of GSM8K.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.yaml").write_text("model: {id: tiny}\nrun: runs/nine\n")
    results: dict[str, dict[str, Row]] = {}
    for place, model in enumerate(models):
        for name, (domain, kind, before, after) in NINE.items():
            share = before if place == 0 else after + 0.02 * (place - 1)
            mode = "pot" if name == "simuleq" else "cot"
            k = samples if name == "gsm8k" else 1
            written = [_row(name, kind, i, f"{model}{name}{i}", share, k) for i in range(rows)]
            write_jsonl(folder / "eval" / model / f"{name}.{mode}.jsonl", written)
            results.setdefault(model, {})[name] = _result(written, domain, mode)
            if k > 1:
                results[model][name]["samples"] = {
                    "k": k, "majority": {"correct": 9, "accuracy": 0.225, "interval": [0.12, 0.37]},
                    "pass_at": {"1": 0.3, "2": 0.5, str(k): 0.75},
                }  # fmt: skip
            if name == "math":
                results[model][name]["left_out"] = {"overlaps": 82, "labels": 1}
    (folder / "eval.json").write_text(json.dumps({"models": results}))
    return folder


def _result(rows: Sequence[Mapping[str, object]], domain: str, mode: str) -> Row:
    statuses = [str(row["status"]) for row in rows]
    right, graded = statuses.count("correct"), len(rows) - statuses.count("error")
    names = ("correct", "wrong", "no_answer", "unparsed", "timed_out", "error")
    return {
        "mode": mode, "rows": len(rows), "of": len(rows), "correct": right,
        "accuracy": right / graded, "interval": interval(right, graded), "strict": right / graded,
        "statuses": {name: statuses.count(name) for name in names}, "truncated": 0,
        "domain": domain, "seconds": 12.0,
    }  # fmt: skip


def _row(name: str, kind: str, index: int, seed: str, share: float, samples: int) -> Row:
    question, rationale, gold = story(20_000 + index)
    drawn = random.Random(seed)
    statuses = [_status(drawn, share) for _ in range(samples)]
    if index == 3:  # the same for every model: the row's gold cannot be read
        statuses = ["error"] * samples
    outputs = [f"{rationale}\nThe answer is {gold}." for _ in range(samples)]
    row: Row = {
        "id": f"{name}-{index}", "question": question, "prompt": f"<|user|>\n{question}\n<|bot|>\n",
        "gold": gold, "reference": rationale if name in ("gsm8k", "svamp") else "", "kind": kind,
    }  # fmt: skip
    if name == "math":
        row |= {"question": FORMULA, "gold": r"\frac{3}{4}", "reference": FORMULA,
                "subject": SUBJECTS[index % 4], "level": str(1 + index % 5)}  # fmt: skip
        outputs = [f"We find $\\boxed{{\\frac{{{index}}}{{4}}}}$."] * samples
    if kind == "choice":
        row |= {"options": ["20", r"$\sqrt{21}$", "24"], "gold": "B"}
        outputs = ["The answer is (B)."] * samples
    if name == "simuleq":
        row["program"] = {"status": "ok", "answer": "4", "error": ""}
        if index % 2:
            row["program"] = {"status": "error", "answer": None, "error": f"NameError: {NASTY}"}
        outputs = ["x = 3\nfor i in range(4):\n    x += 1\nprint('$x^2$', x)"] * samples
    if index == 5:
        outputs[0] = NASTY
    row |= {
        "outputs": outputs, "truncated": [index == 6] * samples, "status": statuses[0],
        "extracted": None if statuses[0] == "no_answer" else str(row["gold"]),
        "strict": statuses[0] == "correct",
    }  # fmt: skip
    if samples > 1:
        row |= {"status_all": statuses, "extracted_all": [str(row["gold"])] * samples}
    return row


def _status(drawn: random.Random, share: float) -> str:
    if drawn.random() < share:
        return "correct"
    return "no_answer" if drawn.random() < 0.1 else "wrong"
