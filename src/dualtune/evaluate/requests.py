"""What is asked: lm-evaluation-harness builds the requests of a benchmark from the task pack.

Its chat-template argument is dualtune's own prompt renderer, so a row is asked byte for byte as in
training.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from dualtune.evaluate.pack import FOLDER, PREFIX
from dualtune.recipe import Eval
from dualtune.records import Message
from dualtune.sources.benchmarks import BenchmarkRow, load_benchmark
from dualtune.tasks.prompts import solve_content

Render = Callable[[Sequence[Message]], str]
Decoding = Literal["cot", "pot"]

_SEEDS = 2**31  # servers take no larger ones


@dataclass(frozen=True, slots=True)
class Request:
    """A benchmark row as a model is asked it.

    Attributes:
        row: The row.
        prompt: What the model reads.
        until: Texts that end an output.
    """

    row: BenchmarkRow
    prompt: str
    until: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ask:
    """One output that is wanted: a request, and which of its samples.

    Attributes:
        request: The request.
        sample: Number of the sample, from 0.
        seed: Of this sample alone, so that it depends on no other; None where decoding is greedy.
    """

    request: Request
    sample: int = 0
    seed: int | None = None


def build_requests(
    benchmark: str,
    *,
    render: Render,
    settings: Eval,
    kind: Decoding = "cot",
    system: str | None = None,
    stop: str | None = None,
) -> list[Request]:
    """Let lm-evaluation-harness build the requests of a benchmark.

    Args:
        benchmark: Its name.
        render: Turns the messages of a prompt into its text.
        settings: The recipe's eval section.
        kind: ``cot`` asks for a solution, ``pot`` for a program, as in training.
        system: System prompt.
        stop: End-of-turn text of the model.

    Returns:
        A request a row, in the benchmark's order.
    """
    limit = row_limit(benchmark, settings)
    rows = load_benchmark(
        benchmark,
        data_dir=settings.data_dir,
        limit=limit,
        files=settings.files,
        exclude=settings.exclude,
    )
    with _quiet():
        task = _load_task(benchmark, settings)
    task.set_config("num_fewshot", settings.shots)
    if kind == "pot":
        task.set_config("doc_to_text", _ask_for_program)
    until = tuple(
        dict.fromkeys([*task.config.generation_kwargs["until"], *([stop] if stop else [])])
    )

    def chat_template(turns: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        return render([Message(cast(Any, turn["role"]), turn["content"]) for turn in turns])

    with _quiet():
        task.build_all_requests(
            limit=len(rows),
            system_instruction=system,
            apply_chat_template=True,
            fewshot_as_multiturn=True,
            chat_template=chat_template,
        )
    return [
        Request(row=rows[instance.doc_id], prompt=instance.args[0], until=until)
        for instance in task.instances
    ]


def row_limit(benchmark: str, settings: Eval) -> int | None:
    """Return how many rows of a benchmark are used; None for all."""
    return settings.limits.get(benchmark, settings.limit)


def sample_seed(recipe_seed: int, benchmark: str, row_id: str, sample: int) -> int:
    """Return the seed of one sample: a function of what it is of, never of when it is made.

    So a run that goes on after a kill, or is given more samples or rows, draws what a straight
    one would.
    """
    name = f"{recipe_seed}|{benchmark}|{row_id}|{sample}"
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") % _SEEDS


def _ask_for_program(doc: Mapping[str, Any]) -> str:
    return solve_content(str(doc["question"]), "pot")


def _load_task(benchmark: str, settings: Eval) -> Any:
    from lm_eval.tasks import TaskManager

    name = PREFIX + benchmark
    # So that the task's rows are those of load_benchmark.
    told: dict[str, Any] = {"data_dir": settings.data_dir, "exclude": list(settings.exclude)}
    if benchmark in settings.files:
        name = PREFIX + "own"
        told |= {"benchmark": benchmark, "file": settings.files[benchmark].model_dump(mode="json")}
    manager = TaskManager(include_path=FOLDER, include_defaults=False, metadata=told)
    return manager.load([name])["tasks"][name]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep back the harness's advice on custom data, and its bar for a second of work."""
    logger = logging.getLogger("lm_eval")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)
