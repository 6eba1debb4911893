"""A tiny tokenizer that tests share: every text is encodable, and there is a chat template."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TEXT = [
    "Tom has 12 apples and gives 5 to Ann. How many apples are left?",
    "Solve the problem step by step, and end with The answer is X.",
    "### Instruction: ### Response: user assistant system 0 1 2 3 4 5 6 7 8 9",
]


def tiny_tokenizer(texts: Sequence[str] = (), *, size: int = 400) -> Any:
    """Return a tokenizer of byte pairs.

    Args:
        texts: Whose words it learns besides those of TEXT.
        size: Of its vocabulary.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    core.train_from_iterator(
        [*TEXT, *texts],
        trainers.BpeTrainer(
            vocab_size=size,
            special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|im_end|>",
        unk_token="<|endoftext|>",
        chat_template=TEMPLATE,
    )
