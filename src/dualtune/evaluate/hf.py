"""The Hugging Face backend: lm-evaluation-harness's HFLM with a faster decoding loop.

Loading, tokens and stop sequences are HFLM's; only the step from a batch of prompts to tokens is
replaced, and what ended each output is kept, so that cut ones can be counted. HFLM has no seed a
request, which sampling needs that can be resumed: here each sample has a random stream of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from lm_eval.models.huggingface import HFLM
from lm_eval.models.utils import handle_stop_sequences, postprocess_generated_text

from dualtune.errors import DualtuneError
from dualtune.evaluate.batching import (
    CPU_ROWS,
    GPU_ROWS,
    cache_bytes_per_token,
    free_memory,
    rows_at_once,
)
from dualtune.evaluate.decode import Sampling, can_decode, decode
from dualtune.evaluate.generation import Output
from dualtune.evaluate.local import base_and_adapter, stop_ids
from dualtune.evaluate.requests import Ask
from dualtune.lm.models import quiet_transformers
from dualtune.recipe import Eval

log = logging.getLogger(__name__)

TAIL = 24  # tokens looked at for a stop text: more than the longest of them and one check apart


class Backend(HFLM):  # type: ignore[misc]
    """HFLM for rendered prompts, telling which outputs were cut."""

    def __init__(
        self,
        folder: Path | str,
        tokenizer: Any,
        *,
        settings: Eval,
        bf16: bool,
        stop_id: int,
    ) -> None:
        """Load a model.

        Args:
            folder: Model folder or hub id.
            tokenizer: Its tokenizer.
            settings: The recipe's eval section.
            bf16: Keep the weights in bfloat16, else in fp32.
            stop_id: The token that ends the model's turn.
        """
        quiet_transformers()
        base, adapter = base_and_adapter(folder)
        super().__init__(
            pretrained=base,
            peft=adapter,
            tokenizer=tokenizer,
            dtype="bfloat16" if bf16 else "float32",
            device="cuda" if torch.cuda.is_available() else "cpu",
            batch_size=1,  # not asked: the batches are made here
            # A rendered prompt holds its special tokens already.
            add_bos_token=False,
        )
        self.settings = settings
        self.room: int | None = self.max_length
        self.on_ended: Callable[[int], None] | None = None
        self._value_bytes = 2 if bf16 else 4
        self._stop_ids = stop_ids(tokenizer, stop_id, self.model.generation_config)
        self._own_loop = can_decode(self.model)
        self._most = GPU_ROWS if self.device.type == "cuda" else CPU_ROWS

    def length(self, prompt: str) -> int:
        """Return the tokens of a prompt."""
        return len(self.tok_encode(prompt))

    def close(self) -> None:
        """Give the model's memory back."""
        self._model = None
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def generate(self, asks: Sequence[Ask]) -> Iterator[list[Output]]:
        """Generate for all asks, longest prompt first.

        Yields:
            The outputs of a batch. One that does not fit the GPU's memory is halved; which rows
            stand in a batch never decides whether a row is generated and counted.
        """
        start = 0
        while start < len(asks):
            size = self.batch_for(self.length(asks[start].request.prompt))
            batch = asks[start : start + size]
            outputs = self._tried(batch)
            if outputs is not None:
                start += len(batch)
                yield outputs
                continue
            # Only here is the batch's memory free: an exception holds what its frames hold.
            torch.cuda.empty_cache()
            self._most = len(batch) // 2
            log.warning(
                "%d outputs at once do not fit the GPU's memory: going on with %d",
                len(batch),
                self._most,
            )

    def _tried(self, asks: Sequence[Ask]) -> list[Output] | None:
        try:
            return self.generate_batch(asks)
        except torch.OutOfMemoryError as error:
            if len(asks) == 1:
                raise DualtuneError(
                    f"the GPU's memory does not hold row {asks[0].request.row.id} alone: lower "
                    "eval.max_new_tokens, or use a GPU with more memory."
                ) from error
            return None

    def batch_for(self, tokens: int) -> int:
        """Return how many outputs to generate at once.

        Args:
            tokens: Of the longest prompt among them.
        """
        if self.settings.batch_size != "auto":
            return min(self.settings.batch_size, self._most)
        free = torch.cuda.mem_get_info()[0] if self.device.type == "cuda" else free_memory()
        return rows_at_once(
            tokens=tokens + self.settings.max_new_tokens,
            bytes_per_token=cache_bytes_per_token(
                self.model.config, bytes_per_value=self._value_bytes
            ),
            free=free,
            most=self._most,
        )

    def generate_batch(self, asks: Sequence[Ask]) -> list[Output]:
        """Generate for asks that fit the memory together; all of one benchmark."""
        eos = self.tok_decode(self.eot_token_id, skip_special_tokens=False)
        until = handle_stop_sequences(list(asks[0].request.until), eos=eos)
        texts = [text for text in until if text not in self._stop_tokens]
        ids, mask = self.tok_batch_encode([ask.request.prompt for ask in asks])
        ids, mask = ids.to(self.device), mask.to(self.device)
        if self._own_loop:
            new = self._decode(asks, ids, mask, texts)
        elif asks[0].seed is None:
            new = self._transformers(ids, mask, until, do_sample=False)
        else:
            new = self._one_by_one(asks, ids, mask, until)
        outputs = []
        for ask, row in zip(asks, new.tolist(), strict=True):
            ended = any(token in self._stop_ids for token in row) or self._holds(row, texts)
            text = postprocess_generated_text(
                generation=self.tok_decode(row), stop=until, think_end_token=None
            )
            outputs.append(Output(ask, text, truncated=not ended))
        return outputs

    def _decode(
        self, asks: Sequence[Ask], ids: torch.Tensor, mask: torch.Tensor, texts: Sequence[str]
    ) -> torch.Tensor:
        seeds = [ask.seed for ask in asks if ask.seed is not None]
        return decode(
            self.model,
            ids,
            mask,
            max_new_tokens=self.settings.max_new_tokens,
            stop_ids=self._stop_ids,
            pad_id=self.tokenizer.pad_token_id,
            sampling=Sampling(self.settings.temperature, self.settings.top_p, seeds)
            if seeds
            else None,
            ends=lambda tokens: self._holds(tokens[-TAIL:], texts),
            on_ended=self.on_ended,
        )

    def _transformers(
        self, ids: torch.Tensor, mask: torch.Tensor, until: list[str], **kwargs: Any
    ) -> torch.Tensor:
        start = ids.shape[1]
        with torch.inference_mode():
            whole = self._model_generate(
                ids,
                start + self.settings.max_new_tokens,
                until,
                attention_mask=mask,
                eos_token_id=self._stop_ids,
                **kwargs,
            )
        if self.on_ended is not None:
            self.on_ended(len(whole))
        new: torch.Tensor = whole[:, start:]
        return new

    def _one_by_one(
        self, asks: Sequence[Ask], ids: torch.Tensor, mask: torch.Tensor, until: list[str]
    ) -> torch.Tensor:
        # transformers draws a whole batch from one random stream, so a row alone is the only one
        # whose draws do not depend on its neighbours.
        rows = []
        for ask, row, shown in zip(asks, ids, mask, strict=True):
            with torch.random.fork_rng():
                torch.manual_seed(ask.seed or 0)
                new = self._transformers(
                    row[shown.bool()][None],
                    shown[shown.bool()][None],
                    until,
                    do_sample=True,
                    temperature=self.settings.temperature,
                    top_p=self.settings.top_p,
                    top_k=0,
                )
            rows.append(new[0])
        return torch.nn.utils.rnn.pad_sequence(
            rows, batch_first=True, padding_value=self.tokenizer.pad_token_id
        )

    @property
    def _stop_tokens(self) -> set[str]:
        return set(self.tokenizer.convert_ids_to_tokens(self._stop_ids))

    def _holds(self, ids: list[int], texts: Sequence[str]) -> bool:
        shown = self.tokenizer.decode(ids, skip_special_tokens=False)
        return any(text in shown for text in texts)
