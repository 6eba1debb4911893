"""The decoding loop writes what transformers' own writes, row by row."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from dualtune.evaluate.decode import Sampling, can_decode, decode, draw  # noqa: E402
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
    new = decode(model, ids, mask, max_new_tokens=90, stop_ids=sorted(stops), pad_id=PAD)
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
    new = decode(model, ids, mask, max_new_tokens=60, stop_ids=range(20, 30), pad_id=PAD)
    for tokens in new.tolist():
        rest = tokens[len(cut(tokens, set(range(20, 30)))) :]
        assert set(rest) <= {PAD}


def test_a_stop_text_ends_a_row_and_only_that_row() -> None:
    ids, mask = batch([4, 6])
    model = tiny_model("llama", VOCABULARY)
    free = decode(model, ids, mask, max_new_tokens=40, stop_ids=[VOCABULARY], pad_id=PAD)
    stop = free[0, 2].item()
    assert stop not in free[1].tolist()
    new = decode(
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
    decode(
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


def sampled(model: Any, rows: list[int], ids: Any, mask: Any, **changed: Any) -> list[list[int]]:
    """Sample some rows of a batch, each with its number as its seed."""
    given = {"temperature": 1.0, "top_p": 1.0, "seeds": [1000 + row for row in rows]}
    stops = set(range(20, 30))
    new = decode(
        model,
        ids[rows],
        mask[rows],
        max_new_tokens=40,
        stop_ids=sorted(stops),
        pad_id=PAD,
        sampling=Sampling(**{**given, **changed}),
    )
    return [cut(tokens, stops) for tokens in new.tolist()]


@pytest.mark.parametrize("kind", ["llama", "gemma3"])
@pytest.mark.parametrize("top_p", [1.0, 0.8])
def test_neighbours_do_not_change_what_a_row_draws(kind: str, top_p: float) -> None:
    model = tiny_model(kind, VOCABULARY).double()
    ids, mask = batch([3, 17, 9, 9, 1, 12])
    together = sampled(model, [0, 1, 2, 3, 4, 5], ids, mask, top_p=top_p)
    for row in range(6):
        assert sampled(model, [row], ids, mask, top_p=top_p) == [together[row]]
    assert sampled(model, [4, 2], ids, mask, top_p=top_p) == [together[4], together[2]]
    assert len({len(row) for row in together}) > 2, "rows must end at different times"


def test_equal_prompts_with_other_seeds_differ() -> None:
    ids, mask = batch([5])
    model = tiny_model("llama", VOCABULARY)
    rows = sampled(model, [0] * 8, ids, mask, seeds=list(range(8)))
    assert len({tuple(row) for row in rows}) > 5
    assert rows == sampled(model, [0] * 8, ids, mask, seeds=list(range(8)))


def test_a_low_temperature_takes_the_likeliest_token() -> None:
    ids, mask = batch([5, 3])
    model = tiny_model("llama", VOCABULARY)
    stops = set(range(20, 30))
    greedy = decode(model, ids, mask, max_new_tokens=40, stop_ids=sorted(stops), pad_id=PAD)
    cold = sampled(model, [0, 1], ids, mask, temperature=1e-4)
    assert cold == [cut(tokens, stops) for tokens in greedy.tolist()]


def test_draws_follow_the_distribution() -> None:
    shares = torch.tensor([0.5, 0.3, 0.0, 0.15, 0.05])
    uniform = torch.arange(10_000) / 10_000
    for top_p, expected in ((1.0, shares), (0.75, torch.tensor([0.625, 0.375, 0, 0, 0]))):
        tokens = draw(
            shares.log().expand(10_000, 5),
            uniform,
            sampling=Sampling(1.0, top_p, []),
        )
        counts = torch.bincount(tokens, minlength=5) / 10_000
        assert torch.allclose(counts, expected, atol=2e-4)


def test_a_nucleus_wider_than_the_first_look_is_exact() -> None:
    # 2,000 tokens alike: the first 512 hold a quarter of the probability.
    tokens = draw(
        torch.zeros(4000, 2000), torch.arange(4000) / 4000, sampling=Sampling(1.0, 0.90025, [])
    )
    assert len(tokens.unique()) == 1801


def test_the_last_draw_lands_on_a_token_that_has_a_share() -> None:
    logits = torch.tensor([[0.0, 1.0, -torch.inf, -torch.inf]])
    almost_one = torch.tensor([1.0], dtype=torch.float64)
    for top_p in (1.0, 0.999999):
        assert draw(logits, almost_one, sampling=Sampling(1.0, top_p, [])).item() in (0, 1)
