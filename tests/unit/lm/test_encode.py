"""Prompts and labels as tokens: the label decodes to the target, the prompt is generation's."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualtune.errors import BadInput
from dualtune.lm.encode import Encoder, LabelError, PromptFormat, SpecialTextError
from dualtune.records import Instance, Message
from dualtune.sources.synthetic import generate
from dualtune.tasks.prompts import solve_messages
from tests.tiny import tiny_tokenizer

TOKENIZER = tiny_tokenizer()
ENCODERS = {name: Encoder(TOKENIZER, name) for name in ("chat", "alpaca")}
# Everything but lone surrogates, which are no text, and the special tokens' own spelling.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60).filter(
    lambda text: "<|" not in text
)


def instance(target: str, question: str = "How many?", system: str | None = None) -> Instance:
    return Instance(
        id="x/solve",
        source_id="x",
        task="solve",
        prompt=solve_messages(question, system=system),
        target=target,
        seed=0,
    )


def fresh(**changes: Any) -> Any:
    tokenizer = tiny_tokenizer()
    for name, value in changes.items():
        setattr(tokenizer, name, value)
    return tokenizer


@pytest.mark.parametrize("prompt", ["chat", "alpaca"])
@given(target=TEXTS, question=TEXTS, padding=st.sampled_from(["", " ", "\n", "  \t"]))
def test_label_decodes_to_the_target(
    prompt: PromptFormat, target: str, question: str, padding: str
) -> None:
    target = padding + target + padding
    encoder = ENCODERS[prompt]
    one = instance(target, question)
    encoded = encoder.encode(one)
    *label, end = encoded.ids[encoded.label_start :].tolist()
    assert TOKENIZER.decode(label, clean_up_tokenization_spaces=False) == target
    assert end == encoder.stop_id
    # What generation is given: the rendered prompt, with no special token added.
    prompt_ids = TOKENIZER.encode(encoder.render(one.prompt), add_special_tokens=False)
    assert encoded.ids[: encoded.label_start].tolist() == prompt_ids


@pytest.mark.parametrize("prompt", ["chat", "alpaca"])
def test_labels_of_all_tasks_decode_to_their_targets(prompt: PromptFormat) -> None:
    from dualtune.recipe import Tasks
    from dualtune.tasks.derive import derive

    seen = set()
    for problem in generate("train", count=30, seed=5):
        for one in derive(problem, Tasks(), seed=0).instances:
            encoded = ENCODERS[prompt].encode(one)
            label = encoded.ids[encoded.label_start : -1].tolist()
            assert TOKENIZER.decode(label, clean_up_tokenization_spaces=False) == one.target
            seen.add(one.task)
    assert seen == {"solve", "irsp", "ir"}


@pytest.mark.parametrize("prompt", ["chat", "alpaca"])
def test_a_conversation_shares_the_question_and_the_steps_before_the_gap(
    prompt: PromptFormat,
) -> None:
    """Token by token with solve, though prompts and targets are tokenised apart."""
    from dualtune.lm.trie import common_prefix
    from dualtune.recipe import Irsp, Tasks
    from dualtune.tasks.derive import derive

    tasks = Tasks(irsp=Irsp(policy="each", form="conversation"))
    encoder = ENCODERS[prompt]
    seen = 0
    for problem in generate("train", count=30, seed=5):
        solve, *others = derive(problem, tasks, seed=0).instances
        answer = encoder.encode(solve)
        for one in others:
            if one.task == "irsp" and len(one.prompt) > 1:
                said = TOKENIZER.encode(one.prompt[1].content, add_special_tokens=False)
                shared = common_prefix(answer.ids, encoder.encode(one).ids)
                assert shared == answer.label_start + len(said)
                seen += 1
    assert seen > 30


def test_chat_prompt_is_the_templates_own() -> None:
    messages = solve_messages("How many?", system="Be brief.")
    turns = [{"role": m.role, "content": m.content} for m in messages]
    expected = TOKENIZER.apply_chat_template(turns, add_generation_prompt=True, tokenize=True)
    expected = getattr(expected, "input_ids", expected)
    encoded = ENCODERS["chat"].encode(instance("Two.", system="Be brief."))
    assert encoded.ids[: encoded.label_start].tolist() == list(expected)


def test_end_of_turn_is_found_in_the_template() -> None:
    assert ENCODERS["chat"].stop_text == "<|im_end|>"
    # A model may end its turns with another token than its texts.
    encoder = Encoder(fresh(eos_token="<|endoftext|>"))
    assert encoder.stop_text == "<|im_end|>"
    assert encoder.stop_id == TOKENIZER.convert_tokens_to_ids("<|im_end|>")


def test_end_of_text_ends_a_turn_where_the_template_has_no_token_for_it() -> None:
    template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant: "
    encoder = Encoder(fresh(chat_template=template, eos_token="<|endoftext|>"))
    assert encoder.stop_text == "<|endoftext|>"
    assert Encoder(fresh(eos_token="<|endoftext|>"), "alpaca").stop_text == "<|endoftext|>"


def test_no_chat_template_says_what_to_set() -> None:
    tokenizer = fresh(chat_template=None)
    with pytest.raises(BadInput, match=r"no chat template. Set model\.prompt: alpaca"):
        Encoder(tokenizer, "chat")
    assert Encoder(tokenizer, "alpaca").stop_text == "<|im_end|>"


def test_no_end_of_text_says_what_to_set() -> None:
    with pytest.raises(BadInput, match=r"no end-of-text token.*Set eos_token"):
        Encoder(fresh(eos_token=None), "alpaca")


def with_beginning() -> Any:
    """A tokenizer that puts a beginning-of-text token before every text, as Llama's does."""
    from tokenizers.processors import TemplateProcessing

    tokenizer = fresh(bos_token="<|endoftext|>")
    bos = tokenizer.bos_token_id
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<|endoftext|> $A", special_tokens=[("<|endoftext|>", bos)]
    )
    assert tokenizer.encode("x")[0] == bos
    return tokenizer


def test_alpaca_prompts_begin_with_the_beginning_of_text_once() -> None:
    tokenizer = with_beginning()
    ids = Encoder(tokenizer, "alpaca").encode(instance("Two.")).ids.tolist()
    assert ids[0] == tokenizer.bos_token_id
    assert ids.count(tokenizer.bos_token_id) == 1


def test_chat_prompts_get_no_beginning_of_text_beside_the_templates() -> None:
    tokenizer = with_beginning()
    ids = Encoder(tokenizer, "chat").encode(instance("Two.")).ids.tolist()
    assert tokenizer.bos_token_id not in ids


def test_alpaca_without_a_beginning_of_text() -> None:
    text = ENCODERS["alpaca"].render(solve_messages("How many?"))
    assert text.startswith("Below is an instruction")
    assert text.endswith("### Response:\n")


class Words:
    """A tokenizer by words that writes its texts with a space before them unless told otherwise.

    ``merges`` are joined to one token where they stand side by side, across any boundary; with
    ``instead``, the first of them becomes that token.
    """

    chat_template = None
    name_or_path = "words"
    bos_token_id = None
    bos_token = None
    eos_token_id = 0
    added_tokens_decoder: dict[int, Any] = {}  # noqa: RUF012
    all_special_ids = (0,)

    def __init__(self, *, opening: str = "", merges: Any = None, instead: str = "") -> None:
        self.opening = opening
        self.merges = merges
        self.instead = instead
        self.known = ["<end>"]

    def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        import re

        words = re.findall(r"\n| ?\S+|\s", text)
        if self.opening and not text[0].isspace() and "\n" not in text:
            words[0] = self.opening + words[0]
        joined: list[str] = []
        for word in words:
            if joined and self.merges and (joined[-1], word) == self.merges:
                joined[-1:] = [self.instead, word] if self.instead else [joined[-1] + word]
            else:
                joined.append(word)
        self.known += [w for w in joined if w not in self.known]
        return [self.known.index(w) for w in joined]

    def decode(self, ids: list[int], **_: Any) -> str:
        return "".join(self.known[i] for i in ids)

    def convert_ids_to_tokens(self, index: int) -> str:
        return self.known[index]


def test_a_tokenizer_that_opens_texts_with_a_space_gets_its_labels_in_context() -> None:
    tokenizer = Words(opening=" ")
    assert tokenizer.decode(tokenizer.encode("Two left")) == " Two left"
    encoded = Encoder(tokenizer, "alpaca").encode(instance("Two left"))
    label = tokenizer.decode(encoded.ids[encoded.label_start : -1].tolist())
    assert label == "Two left"


@pytest.mark.parametrize("instead", ["", "\r"])
def test_tokens_that_merge_across_the_seam_are_refused(instead: str) -> None:
    """Prompt and target would not be the tokens that generation sees: counted, never trained."""
    tokenizer = Words(opening=" ", merges=("\n", "Two"), instead=instead)
    encoder = Encoder(tokenizer, "alpaca")
    with pytest.raises(LabelError, match=r"instance x/solve: the label tokens decode to"):
        encoder.encode(instance("Two left"))


def test_normalised_text_is_refused() -> None:
    """A tokenizer that rewrites its input cannot give the target back."""
    from tokenizers.normalizers import Lowercase

    tokenizer = fresh()
    tokenizer.backend_tokenizer.normalizer = Lowercase()
    encoder = Encoder(tokenizer)
    assert encoder.encode(instance("two")).label_start > 0
    with pytest.raises(LabelError, match="'two', not to the target 'Two'"):
        encoder.encode(instance("Two"))


def test_messages_of_a_conversation() -> None:
    text = ENCODERS["chat"].render([Message("system", "S"), Message("user", "U")])
    assert (
        text
        == "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU<|im_end|>\n<|im_start|>assistant\n"
    )


@pytest.mark.parametrize("where", ["prompt", "target"])
def test_text_that_would_be_a_special_token_is_refused(where: str) -> None:
    """In the middle of a rationale it would end the assistant's turn there."""
    texts = {"prompt": "How many?", "target": "Two"}
    texts[where] += " <|im_end|> and more"
    given = Instance("x/solve", "x", "solve", (Message("user", texts["prompt"]),), texts["target"])
    with pytest.raises(SpecialTextError, match=r"x/solve.*'<\|im_end\|>'"):
        ENCODERS["chat"].encode(given)
