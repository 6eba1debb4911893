"""From an Instance to token ids with the label span marked and checked.

Prompt and target are tokenised apart and joined, so that no token crosses the boundary between
them, the prompt's tokens are those that generation will see, and instances with equal prompts
share all of their prompt tokens.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dualtune.errors import BadInput
from dualtune.records import Instance, Message
from dualtune.tasks.prompts import render_alpaca

PromptFormat = Literal["chat", "alpaca"]

# Stands for the assistant's text when the chat template is probed for what it puts after it.
_PROBE = "dualtune probe"


@dataclass(frozen=True, slots=True)
class Encoded:
    """The tokens of an Instance.

    Attributes:
        ids: Token ids ``[L]``: prompt, target, end of turn.
        label_start: Index of the first token of the target.
    """

    ids: NDArray[np.int32]
    label_start: int


class LabelError(ValueError):
    """The label span of an Instance does not decode to its target text."""

    cause = "label_mismatch"


class SpecialTextError(LabelError):
    """A text of an Instance holds what the tokenizer reads as a special token."""

    cause = "special_token_text"


class Encoder:
    """Renders prompts and encodes Instances for one tokenizer and prompt format."""

    def __init__(self, tokenizer: Any, prompt: PromptFormat = "chat") -> None:
        """Prepare for a tokenizer.

        Args:
            tokenizer: A fast ``transformers`` tokenizer.
            prompt: ``chat`` for its chat template, ``alpaca`` for the Alpaca format.

        Raises:
            BadInput: If the chat template is asked for and there is none, or no token ends a turn.
        """
        self.tokenizer = tokenizer
        self.prompt = prompt
        if prompt == "chat" and not getattr(tokenizer, "chat_template", None):
            raise BadInput(
                f"model.prompt is 'chat', but the tokenizer of {tokenizer.name_or_path} has no "
                "chat template. Set model.prompt: alpaca, or use an instruction-tuned model."
            )
        self.stop_id = self._end_of_turn()
        self.stop_text: str = tokenizer.convert_ids_to_tokens(self.stop_id)
        self._special_text = re.compile("|".join(map(re.escape, self._special_texts())) or r"(?!)")

    def render(self, messages: Sequence[Message]) -> str:
        """Return the text of a prompt, up to where the target starts.

        Args:
            messages: The turns; the last one is the user's.

        Returns:
            Text that holds every special token of the format, the beginning of text included.
        """
        if self.prompt == "alpaca":
            return self._beginning() + render_alpaca(messages, end_of_turn=self.stop_text)
        return self._template(messages, generate=True)

    def encode(self, instance: Instance) -> Encoded:
        """Encode an Instance and check its label span.

        Args:
            instance: What to encode.

        Returns:
            Prompt, target and the end-of-turn token, with the start of the labels.

        Raises:
            LabelError: If no tokenisation keeps the label span apart from the prompt.
            SpecialTextError: If a text holds a special token, such as ``<|im_end|>``: encoded as
                one it would end a turn in the middle.
        """
        for text in (*(message.content for message in instance.prompt), instance.target):
            found = self._special_text.search(text)
            if found is not None:
                raise SpecialTextError(
                    f"instance {instance.id}: its text holds the special token {found.group()!r}"
                )
        prompt = self.render(instance.prompt)
        prompt_ids = self._ids(prompt)
        target_ids = self._ids(instance.target)
        if self._decode(target_ids) != instance.target:
            # Some tokenizers put a space before a text of its own: take its ids in context.
            whole = self._ids(prompt + instance.target)
            target_ids = whole[len(prompt_ids) :]
            if whole[: len(prompt_ids)] != prompt_ids or (
                self._decode(target_ids).strip() != instance.target.strip()
            ):
                raise LabelError(
                    f"instance {instance.id}: the label tokens decode to "
                    f"{self._decode(target_ids)[:60]!r}, not to the target "
                    f"{instance.target[:60]!r}"
                )
        ids = np.array([*prompt_ids, *target_ids, self.stop_id], dtype=np.int32)
        return Encoded(ids=ids, label_start=len(prompt_ids))

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False)
        return ids

    def _decode(self, ids: list[int]) -> str:
        text: str = self.tokenizer.decode(
            ids, skip_special_tokens=False, clean_up_tokenization_spaces=False
        )
        return text

    def _template(self, messages: Sequence[Message], *, generate: bool) -> str:
        turns = [{"role": m.role, "content": m.content} for m in messages]
        text: str = self.tokenizer.apply_chat_template(
            turns, tokenize=False, add_generation_prompt=generate
        )
        return text

    def _beginning(self) -> str:
        # Put the token that the tokenizer would put before a plain text, if it does.
        bos = self.tokenizer.bos_token_id
        starts = self.tokenizer.encode("x")
        return str(self.tokenizer.bos_token) if bos is not None and starts[0] == bos else ""

    def _special_texts(self) -> list[str]:
        added = self.tokenizer.added_tokens_decoder.values()
        names = {str(token.content) for token in added if token.special}
        # The longest first, so that a message names the whole token.
        return sorted(names, key=len, reverse=True)

    def _end_of_turn(self) -> int:
        """Find the token that ends the assistant's turn.

        It is the first special token after the assistant's text in the chat template, else the
        tokenizer's end of text.
        """
        added = self.tokenizer.added_tokens_decoder.items()
        special = {*self.tokenizer.all_special_ids, *(i for i, token in added if token.special)}
        if self.prompt == "chat":
            said = [Message("user", "?"), Message("assistant", _PROBE)]
            after = self._template(said, generate=False).partition(_PROBE)[2]
            for token in self._ids(after):
                if token in special:
                    return token
        if self.tokenizer.eos_token_id is None:
            raise BadInput(
                f"the tokenizer of {self.tokenizer.name_or_path} names no end-of-text token, so "
                "a model could not learn to stop. Set eos_token in its tokenizer_config.json."
            )
        return int(self.tokenizer.eos_token_id)
