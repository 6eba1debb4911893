"""Generating what a store lacks: stored as it comes, resumable, whatever the backend."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from dualtune.errors import BadInput
from dualtune.evaluate.requests import Ask, Request, sample_seed
from dualtune.evaluate.store import Generations, Row
from dualtune.progress import bar

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Output:
    """What a model wrote for an ask.

    Attributes:
        ask: What was asked.
        text: The output, without what ended it.
        truncated: Whether it was cut at the longest length.
    """

    ask: Ask
    text: str
    truncated: bool


class Backend(Protocol):
    """What turns prompts into outputs."""

    on_ended: Callable[[int], None] | None
    """Told how many outputs have ended, as they do, for a progress bar."""

    room: int | None
    """Tokens that a prompt and its output may take together; None where only a server knows."""

    def length(self, prompt: str) -> int:
        """Return the length of a prompt, in tokens where the backend knows them."""
        ...

    def generate(self, asks: Sequence[Ask]) -> Iterator[list[Output]]:
        """Generate for all asks, longest prompt first.

        Yields:
            Outputs as they are made, each ask once; what was yielded is on disk before the next.
        """
        ...

    def close(self) -> None:
        """Give back what the backend holds: memory, processes."""
        ...


def generate_missing(
    requests: Sequence[Request],
    store: Generations,
    backend: Callable[[], Backend],
    *,
    what: str,
    benchmark: str,
    samples: int,
    max_new_tokens: int,
    seed: int | None,
) -> None:
    """Generate the outputs that a store lacks, and store them as they come.

    Args:
        requests: Of a benchmark.
        store: Where its outputs are kept.
        backend: Loads the backend; called only if something is missing.
        what: The work, for the progress bar.
        benchmark: The benchmark's name.
        samples: Outputs a request.
        max_new_tokens: Longest output.
        seed: The recipe's seed; None where decoding is greedy.

    Raises:
        BadInput: If a prompt leaves no room for its output in the model's context.
        DualtuneError: If outputs cannot be written, or a server fails for good.
    """
    missing = _missing(requests, store, benchmark=benchmark, samples=samples, seed=seed)
    total = len(requests) * samples
    if not missing:
        log.info("%s: all %d outputs were generated before", what, total)
        return
    made_by = backend()
    lengths = _lengths(missing, made_by, benchmark=benchmark, max_new_tokens=max_new_tokens)
    # Prompts of like length stand in one batch; the order is fixed, so that a resumed run makes
    # the batches of a straight one.
    missing.sort(key=lambda a: (-lengths[a.request.prompt], a.request.prompt, a.sample))
    with bar(what, total=total, initial=total - len(missing)) as shown:
        made_by.on_ended = shown.update
        began = time.perf_counter()
        for outputs in made_by.generate(missing):
            now = time.perf_counter()
            store.add(_rows(outputs, store), seconds=now - began)
            began = time.perf_counter()


def check_room(
    requests: Sequence[Request],
    store: Generations,
    backend: Callable[[], Backend],
    *,
    benchmark: str,
    samples: int,
    max_new_tokens: int,
) -> None:
    """Find out whether the prompts that a store lacks outputs of leave room for them.

    Args:
        requests: Of a benchmark.
        store: Where its outputs are kept.
        backend: Loads the backend; called only if something is missing.
        benchmark: The benchmark's name.
        samples: Outputs a request.
        max_new_tokens: Longest output.

    Raises:
        BadInput: If one leaves none in the model's context.
    """
    missing = _missing(requests, store, benchmark=benchmark, samples=samples, seed=None)
    if missing and backend().room is not None:
        _lengths(missing, backend(), benchmark=benchmark, max_new_tokens=max_new_tokens)


def _missing(
    requests: Sequence[Request],
    store: Generations,
    *,
    benchmark: str,
    samples: int,
    seed: int | None,
) -> list[Ask]:
    asks = []
    for request in requests:
        there = store.done(request.row.id, request.prompt)
        for sample in range(samples):
            if there is None or sample >= len(there["outputs"]) or there["outputs"][sample] is None:
                drawn = (
                    None if seed is None else sample_seed(seed, benchmark, request.row.id, sample)
                )
                asks.append(Ask(request, sample, drawn))
    return asks


def _lengths(
    asks: Sequence[Ask], backend: Backend, *, benchmark: str, max_new_tokens: int
) -> dict[str, int]:
    """Return the length of each prompt, all of which leave room for their outputs."""
    lengths = {ask.request.prompt: backend.length(ask.request.prompt) for ask in asks}
    room = backend.room
    if room is None:
        return lengths
    long = [a for a in asks if lengths[a.request.prompt] + max_new_tokens > room]
    if not long:
        return lengths
    worst = max(long, key=lambda ask: lengths[ask.request.prompt])
    raise BadInput(
        f"eval.max_new_tokens: {benchmark}, row {worst.request.row.id}: the prompt has "
        f"{lengths[worst.request.prompt]} tokens, which with {max_new_tokens} new ones is more "
        f"than the {room} of the model's context (so with {len(long)} outputs). A prompt that is "
        "cut asks something else: lower eval.max_new_tokens or eval.shots."
    )


def _rows(outputs: Sequence[Output], store: Generations) -> list[Row]:
    """Put new outputs into their rows, beside those samples that are there."""
    rows: dict[str, Row] = {}
    for output in outputs:
        request = output.ask.request
        source = request.row
        row = rows.get(source.id) or store.done(source.id, request.prompt)
        texts, cut = (list(row["outputs"]), list(row["truncated"])) if row else ([], [])
        missing = output.ask.sample + 1 - len(texts)
        texts += [None] * missing
        cut += [False] * missing
        texts[output.ask.sample], cut[output.ask.sample] = output.text, output.truncated
        rows[source.id] = Row(
            id=source.id,
            question=source.question,
            prompt=request.prompt,
            outputs=texts,
            truncated=cut,
            gold=source.gold,
            reference=source.reference,
            kind=source.kind,
            options=list(source.options),
            subject=source.subject,
            level=source.level,
            extracted=None,
            status="",
            strict=False,
        )
    return list(rows.values())
