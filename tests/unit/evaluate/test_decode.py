"""The decoding loop writes what transformers' own writes, row by row."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from dualtune.evaluate.decode import can_decode, greedy  # noqa: E402
from tests.unit.evaluate.conftest import tiny_model  # noqa: E402

PAD = 2
VOCABULARY = 60


def batch(lengths: list[int]) -> tuple[Any, Any]:
    """Left-padded random prompts."""
    generator = torch.Generator().manual_seed(1)
    ids = torch.full((len(lengths), max(lengths)), PAD)
    for row, length in enumerate(lengths):
        ids[row, -length:] = torch.randint(3, VOCABULARY, (length,), generator=generator)
    mask = (torch.arange(max(lengths)) >= max(lengths) - torch.tensor(lengths)[:, None]).long()
    return ids, mask


def cut(tokens: list[int], stops: set[int]) -> list[int]:
    """The tokens up to and with the first stop."""
    for at, token in enumerate(tokens):
        if token in stops:
            return tokens[: at + 1]
    return tokens


@pytest.mark.parametrize("kind", ["llama", "mistral", "gemma3"])
def test_equals_generate_one_row_at_a_time(kind: str) -> None:
    model = tiny_model(kind, VOCABULARY)
    ids, mask = batch([3, 17, 9, 9, 1, 12, 5, 8])
    stops = {2, 5, 11, 23, 31, 44}
    new = greedy(model, ids, mask, max_new_tokens=90, stop_ids=sorted(stops), pad_id=PAD)
    lengths = set()
    for row in range(len(ids)):
        prompt = ids[row : row + 1, mask[row].argmax() :]
        expected = model.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            max_new_tokens=90,
            do_sample=False,
            eos_token_id=sorted(stops),
            pad_token_id=PAD,
        )[0, prompt.shape[1] :].tolist()
        assert cut(new[row].tolist(), stops) == expected
        lengths.add(len(expected))
    assert len(lengths) > 2, "rows must leave the batch at different times to test anything"
    assert new.shape[1] == max(lengths)


def test_padding_follows_the_end() -> None:
    ids, mask = batch([4, 6, 8])
    model = tiny_model("llama", VOCABULARY)
    new = greedy(model, ids, mask, max_new_tokens=60, stop_ids=range(20, 30), pad_id=PAD)
    for tokens in new.tolist():
        rest = tokens[len(cut(tokens, set(range(20, 30)))) :]
        assert set(rest) <= {PAD}


def test_a_stop_text_ends_a_row_and_only_that_row() -> None:
    ids, mask = batch([4, 6])
    model = tiny_model("llama", VOCABULARY)
    free = greedy(model, ids, mask, max_new_tokens=40, stop_ids=[VOCABULARY], pad_id=PAD)
    stop = free[0, 2].item()
    assert stop not in free[1].tolist()
    new = greedy(
        model,
        ids,
        mask,
        max_new_tokens=40,
        stop_ids=[VOCABULARY],
        pad_id=PAD,
        ends=lambda tokens: stop in tokens,
    )
    assert new[0, :8].tolist() == free[0, :8].tolist()
    assert set(new[0, 8:].tolist()) == {PAD}
    assert new[1].tolist() == free[1].tolist()


def test_every_row_is_reported_once() -> None:
    ids, mask = batch([4, 6, 8, 3, 5])
    reported: list[int] = []
    greedy(
        tiny_model("llama", VOCABULARY),
        ids,
        mask,
        max_new_tokens=30,
        stop_ids=[5, 11, 23],
        pad_id=PAD,
        on_ended=reported.append,
    )
    assert sum(reported) == 5


def test_models_with_another_cache_are_left_to_transformers() -> None:
    from transformers import T5Config, T5ForConditionalGeneration

    small = T5Config(vocab_size=20, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2)
    assert not can_decode(T5ForConditionalGeneration(small))
    assert can_decode(tiny_model("gemma3", VOCABULARY))
