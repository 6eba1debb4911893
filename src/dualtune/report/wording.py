"""The words and numbers of the report: pure functions from figures to sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dualtune.evaluate.compare import Average, BenchmarkComparison
    from dualtune.evaluate.statistics import Estimate

Json = Mapping[str, Any]

SIGNIFICANT = 0.05
"""A paired difference with an adjusted p-value below it is called more than noise."""

NARROW = "\u202f"
"""A narrow space that does not break: between a number and its unit."""

MISSING = "–"

TASKS = {
    "solve": "Solve",
    "irsp": "Step prediction (IRSP)",
    "ir": "Question reconstruction (IR)",
}
"""Task name to the words of a heading."""

TASK_SHORT = {"solve": "Solve", "irsp": "Step prediction", "ir": "Reconstruction"}
"""Task name to the words of a button."""

TASK_MEANING = {
    "solve": "question → rationale and answer",
    "irsp": "question and the other steps → the masked steps",
    "ir": "rationale and the masked question → the masked parts",
}

MODELS = {"base": "Before tuning", "tuned": "After tuning"}


def model_title(name: str) -> str:
    """Return what a reader calls a model of a run."""
    return MODELS.get(name, name)


def model_words(name: str) -> str:
    """Return the same for the middle of a sentence."""
    return MODELS[name].lower() if name in MODELS else name


_ROLES = ("other", "irsp", "ir", "solve")


def model_roles(models: Sequence[str]) -> dict[str, str]:
    """Return the colour of the style sheet that stands for each model."""
    others = [name for name in models if name not in MODELS]
    roles = {name: name for name in models if name in MODELS}
    return roles | {name: _ROLES[i % len(_ROLES)] for i, name in enumerate(others)}


STATUSES = {
    "correct": "Right",
    "wrong": "Wrong",
    "no_answer": "No answer",
    "unparsed": "Unreadable",
    "timed_out": "Timed out",
    "error": "Grader error",
}
"""Status of a graded output to the word shown, in the order of the table."""

STAGES = {
    "build": "Build instances",
    "audit": "Audit the data",
    "eval_base": "Evaluate before tuning",
    "train": "Tune",
    "eval_tuned": "Evaluate after tuning",
}

CAUSES = {
    # masks and instances that were not made: tasks/irsp.py and tasks/ir.py
    "one_step": "Problems whose rationale is one step: hiding it would leave nothing",
    "no_span": "Problems whose question holds nothing that could be masked",
    "no_answerable_span": "Problems with no part left whose mask could be answered",
    "not_in_rationale": "numbers that the rationale never uses: they could only be guessed",
    "few_shared_words": "phrases that share too few words with the rationale to be rebuilt",
    "fewer_choices": "instances asked for beyond the different masks that there are",
    "fewer_negatives": "instances with nothing missing asked for beyond those that there are",
    "options_not_found": "Problems whose options do not stand in the question as they are given",
    "program_does_not_parse": "Problems whose program does not parse",
    "marker_in_text": "Problems whose own text holds “<MASK”: a mask could not be told apart",
    # instances left out of training: lm/steps.py
    "too_long": "instances longer than train.max_length",
    "label_mismatch": "instances whose label tokens do not decode to the target",
    "no_label": "instances without a token to train on",
    "special_token_text": "instances whose text holds a special token of the model",
    # rejected rows: sources/
    "invalid_json": "the line is not valid JSON",
    "invalid_csv": "the line is not valid CSV",
    "wrong_field_count": "the line has more or fewer fields than the header",
    "not_an_object": "the line is not a JSON object",
    "missing_column": "a column that the recipe names is missing",
    "empty_question": "the question is empty",
    "empty_rationale": "the rationale is empty",
    "no_reasoning": "the rationale holds no number, so no reasoning",
    "no_answer": "no final answer was found",
    "answer_mismatch": "the rationale ends in another answer than the row gives",
    "wrong_type": "a field that must be text is something else",
    "unknown_choice": "the answer is none of the options",
    "invalid_program": "the program does not parse",
    "unknown_source": "the row's source does not say whether it is text or a program",
    "unknown_role": "a turn is by an unknown role",
    "missing_turn": "a question or an answer is missing from the turns",
    "several_questions": "the turns hold more than one question",
    "unclosed_think": "a <think> block is never closed",
    "cut_off": "the file ends within the row",
    "damaged": "the compressed file is damaged from there on",
    "trailing_text": "text stands after the end of the JSON",
    "row_too_long": "the row is longer than a row may be",
    "wrong_encoding": "the text is not valid UTF-8",
}
"""Cause, without its task, to a clause that a reader understands."""

ADAPTERS = {"lora": "LoRA", "dora": "DoRA", "qlora": "QLoRA"}

FINDINGS = {
    "wrong_equation": "An equation does not hold",
    "wrong_annotation": "A calculator annotation does not hold",
    "answer_mismatch": "The answer is not what the last step says",
    "unexplained_number": "A number comes from nowhere",
    "unused_number": "A number of the question is never used",
    "empty_rationale": "The rationale is empty",
    "truncated_rationale": "The rationale is cut off",
    "repeated_step": "A step is repeated",
    "unbalanced_latex": "LaTeX that is not closed",
    "program_error": "The program fails",
    "program_wrong": "The program reaches another answer",
    "duplicate": "The same Problem twice",
    "near_duplicate": "Nearly the same question twice",
    "repeated_question": "The same question with another rationale",
    "conflicting_answers": "The same question with different answers",
    "leak_exact": "The question is one of a test set",
    "leak_near": "The question is nearly one of a test set",
    "leak_13gram": "13 words in a row stand in a test set",
}
"""Kind of finding to a heading."""

SEVERITIES = {
    "error": "wrong for sure, left out by audit --fix drop",
    "warning": "likely wrong: read it",
    "note": "worth knowing",
}
"""Severity of a finding to what it says."""

_BENCHMARKS = {
    "gsm8k": "GSM8K",
    "math": "MATH",
    "aqua": "AQuA-RAT",
    "numglue": "NumGLUE",
    "svamp": "SVAMP",
    "mathematics": "Mathematics",
    "simuleq": "SimulEq",
    "sat": "SAT-Math",
    "mmlu_math": "MMLU-Math",
    "math500": "MATH-500",
    "gsm8k_platinum": "GSM8K-Platinum",
    "synthetic_test": "Synthetic",
    "synthetic_ood_types": "Synthetic, new story types",
    "synthetic_ood_depth": "Synthetic, deeper problems",
}


def benchmark_title(name: str) -> str:
    """Return the written name of a benchmark, else its own name made readable."""
    return _BENCHMARKS.get(name, name.replace("_", " ").capitalize())


def benchmark_key_title(key: str) -> str:
    """Return the name of a benchmark with its decoding mode, from its key on the page."""
    name, _, mode = key.rpartition(".")
    return (
        f"{benchmark_title(name)} ({mode})" if mode in ("pot", "hybrid") else benchmark_title(key)
    )


def cause_words(cause: str) -> str:
    """Say a cause such as ``irsp.one_step`` in words, with its task in front.

    A cause that is not known keeps its name, with its separators turned into spaces.
    """
    task, _, name = cause.rpartition(".")
    titles = {"irsp": "IRSP: ", "ir": "IR: ", "solve": "Solve: "}
    if task == "mix":  # lm/steps.py
        return titles.get(name, "") + "instances beyond the share that tasks.mix asks for"
    prefix = titles.get(task, "")
    if name in CAUSES:
        return prefix + CAUSES[name]
    return (prefix or (f"{task}: " if task else "")) + name.replace("_", " ")


def finding_words(kind: str) -> str:
    """Say a kind of finding in words; one that is not known keeps its name, made readable."""
    return FINDINGS.get(kind, kind.replace("_", " ").capitalize())


def count(value: Any) -> str:
    """Write a whole number with thousands separators; a dash where there is none."""
    return f"{value:,.0f}" if _is_number(value) else MISSING


def plural(number: Any, one: str, many: str | None = None) -> str:
    """Write a count with its noun: ``1 row``, ``1,000 rows``."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def decimal(value: Any, places: int = 2) -> str:
    """Write a number with fixed decimals; a dash where there is none."""
    return f"{value:,.{places}f}" if _is_number(value) else MISSING


def percent(share: Any, places: int = 1) -> str:
    """Write a share of one in percent."""
    return f"{100 * share:.{places}f}{NARROW}%" if _is_number(share) else MISSING


def interval(bounds: Any) -> str:
    """Write an interval of shares in percent: ``2.2 to 4.4 %``."""
    if not bounds or len(bounds) != 2:
        return MISSING
    return f"{100 * bounds[0]:.1f} to {100 * bounds[1]:.1f}{NARROW}%"


def duration(seconds: Any) -> str:
    """Write seconds as a person would: ``42 s``, ``12 min 5 s``, ``1 h 3 min``."""
    if not _is_number(seconds):
        return MISSING
    if seconds < 9.95:
        return f"{seconds:.1f}{NARROW}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}{NARROW}s"
    if whole < 3600:
        minutes, rest = divmod(whole, 60)
        return f"{minutes}{NARROW}min" + (f" {rest}{NARROW}s" if rest else "")
    hours, rest = divmod(round(seconds / 60), 60)
    return f"{hours}{NARROW}h" + (f" {rest}{NARROW}min" if rest else "")


def points(difference: float) -> str:
    """Write a difference of shares in points with its sign: ``+10.4``, ``−2.0``."""
    shown = f"{abs(100 * difference):.1f}"
    sign = "" if shown == "0.0" else "+" if difference > 0 else "−"
    return sign + shown


def overlap(one: Any, other: Any) -> bool:
    """Say whether two intervals share a point; unknown bounds count as overlapping."""
    if not one or not other:
        return True
    return bool(one[0] <= other[1] and other[0] <= one[1])


def rows_of(result: Json) -> str:
    """Say how much of a benchmark was evaluated: ``all 1,000 rows``, ``200 of 1,319 rows``."""
    rows, of = result.get("rows"), result.get("of")
    if of is None or rows == of:
        return f"all {plural(rows, 'row')}"
    return f"{count(rows)} of {plural(of, 'row')}"


def domain_words(domain: Any) -> str:
    """Say whether a benchmark is like the training data."""
    return {"in": "in domain", "out": "out of domain"}.get(str(domain), "domain unknown")


def verdict(
    base: Json | None, tuned: Json | None, paired: BenchmarkComparison | None = None
) -> str:
    """Class a change: ``better``, ``worse``, ``noise`` or ``unknown``.

    Args:
        base: The result of the untuned model, or None.
        tuned: The result of the tuned model, or None.
        paired: Both on the same rows: noise is what a paired test, adjusted for the number of
            benchmarks, does not find at 0.05. Without it noise is where the intervals overlap,
            which is careful: a paired test may still find a difference.
    """
    if paired is not None:
        if paired.p_holm >= SIGNIFICANT:
            return "noise"
        return "better" if paired.difference.value > 0 else "worse"
    if not base or not tuned:
        return "unknown"
    if overlap(base.get("interval"), tuned.get("interval")):
        return "noise"
    return "better" if tuned["accuracy"] > base["accuracy"] else "worse"


VERDICTS = {
    "better": "better",
    "worse": "worse",
    "noise": "inside the noise",
    "unknown": MISSING,
}


def result_sentence(
    base: Json | None, tuned: Json | None, paired: BenchmarkComparison | None = None
) -> str:
    """Say in one sentence what tuning did on one benchmark, and whether that is noise.

    Args:
        base: The result of the untuned model, or None where it was not evaluated.
        tuned: The result of the tuned model, or None.
        paired: Both on the same rows, where there are such.

    Returns:
        A sentence that claims a change only where ``verdict`` finds one.
    """
    if base and tuned:
        change = points(tuned["accuracy"] - base["accuracy"])
        figures = f"{_figure(base)} before tuning, {_figure(tuned)} after"
        kind = verdict(base, tuned, paired)
        if kind == "noise" and change == "0.0" and paired is None:
            return f"{figures}: no change."
        how = {"noise": "inside the noise"}.get(kind, f"{kind} beyond the noise")
        if paired is not None:
            return f"{figures}: {short_sentence(paired)}"
        why = "overlap" if kind == "noise" else "lie apart"
        return f"{figures}: {change} points, {how}, as the intervals {why}."
    if tuned:
        return (
            f"{_figure(tuned)} after tuning; the untuned model was not evaluated, "
            "so what tuning changed is not known."
        )
    if base:
        return f"{_figure(base)} before tuning; the tuned model has not been evaluated yet."
    return "not evaluated."


def average_sentence(line: Json, change: Average | None) -> str:
    """Say what tuning did to an average: its figures, and whether its interval leaves 0 out."""
    cells = dict(line["cells"])
    base, tuned = cells.get("base"), cells.get("tuned")
    if not base or not tuned or change is None:
        return "not known, as a model was not evaluated on all of them."
    figures = ", ".join(
        f"{percent(one.value)} ({interval((one.low, one.high))}) {when}"
        for one, when in ((base, "before tuning"), (tuned, "after"))
    )
    return f"{figures}: {average_change(change)}"


def average_change(change: Average) -> str:
    """Say what changed of an average, without the accuracies."""
    return f"{change_words(change.difference)}, {_how(sign_of(change.difference))}."


def _how(kind: str) -> str:
    return "inside the noise" if kind == "noise" else f"{kind} beyond the noise"


def change_words(difference: Estimate) -> str:
    """Write a difference with its interval: ``+2.0 points (+0.2 to +3.8)``."""
    return f"{points(difference.value)} points ({point_bounds(difference)})"


def sign_of(difference: Estimate) -> str:
    """Class a difference by its interval: ``better``, ``worse`` or ``noise``."""
    return "better" if difference.low > 0 else "worse" if difference.high < 0 else "noise"


def short_sentence(paired: BenchmarkComparison) -> str:
    """Say what changed on a benchmark, without the accuracies."""
    kind = verdict(None, None, paired)
    p = p_value(paired.p_holm)
    return f"{change_words(paired.difference)}, {_how(kind)} (p {p if p[0] == '<' else f'= {p}'})."


def p_value(p: float) -> str:
    """Write a p-value: ``0.035``, ``< 0.0001``."""
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}" if p < 0.001 else f"{p:.3f}"


def point_bounds(estimate: Estimate) -> str:
    """Write the interval of a difference in points with signs: ``+0.2 to +3.8``."""
    return f"{points(estimate.low)} to {points(estimate.high)}"


def _figure(result: Json) -> str:
    return f"{percent(result.get('accuracy'))} ({interval(result.get('interval'))})"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
