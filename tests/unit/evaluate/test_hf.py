"""The backend: its loop and transformers' give the same texts and the same cut rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("lm_eval")

from dualtune.errors import DualtuneError
from dualtune.evaluate.hf import Backend
from dualtune.evaluate.requests import Ask, build_requests
from dualtune.lm.encode import Encoder
from dualtune.recipe import Eval

SETTINGS = Eval(benchmarks=("synthetic_test",), limit=10, max_new_tokens=60, batch_size=5)


@pytest.fixture(scope="module")
def encoder(model_folder: Path) -> Encoder:
    from transformers import AutoTokenizer

    return Encoder(AutoTokenizer.from_pretrained(model_folder))


def load(folder: Path, encoder: Encoder, **changed: Any) -> Backend:
    settings = SETTINGS.model_copy(update=changed)
    return Backend(
        folder, encoder.tokenizer, settings=settings, bf16=False, stop_id=encoder.stop_id
    )


@pytest.fixture(scope="module")
def backend(model_folder: Path, encoder: Encoder) -> Backend:
    return load(model_folder, encoder)


@pytest.fixture(scope="module")
def asks(encoder: Encoder) -> list[Ask]:
    requests = build_requests("synthetic_test", render=encoder.render, settings=SETTINGS)
    return [Ask(request) for request in requests]


def made(backend: Backend, asks: list[Ask]) -> list[tuple[str, bool]]:
    return [(o.text, o.truncated) for group in backend.generate(asks) for o in group]


def test_both_loops_agree(backend: Backend, asks: list[Ask]) -> None:
    own = made(backend, asks)
    backend._own_loop = False
    try:
        theirs = made(backend, asks)
    finally:
        backend._own_loop = True
    assert own == theirs
    assert len({text for text, _ in own}) > 1
    assert {cut for _, cut in own} == {True, False}, "some rows must end and some be cut"


def test_it_writes_what_the_harness_would(
    backend: Backend, asks: list[Ask], monkeypatch: pytest.MonkeyPatch
) -> None:
    """HFLM.generate_until, the harness's own way, on the same requests."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    # Told to it, as it stops at the end of text alone: any special token ends an output of ours.
    monkeypatch.setattr(backend.model.generation_config, "eos_token_id", backend._stop_ids)

    until = list(asks[0].request.until)
    options = {"until": until, "max_gen_toks": SETTINGS.max_new_tokens, "do_sample": False}
    given = [
        Instance("generate_until", {}, (ask.request.prompt, dict(options)), i)
        for i, ask in enumerate(asks)
    ]
    theirs = HFLM(pretrained=backend.model, tokenizer=backend.tokenizer, batch_size=5)
    texts = theirs.generate_until(given, disable_tqdm=True)
    assert [text for text, _ in made(backend, asks)] == texts


@pytest.mark.parametrize("own_loop", [True, False])
def test_samples_depend_on_their_seeds_alone(
    model_folder: Path, encoder: Encoder, asks: list[Ask], own_loop: bool
) -> None:
    backend = load(model_folder, encoder, temperature=1.0, top_p=0.9)
    backend._own_loop = own_loop
    asked = [
        replace(ask, sample=s, seed=10 * i + s) for i, ask in enumerate(asks[:3]) for s in (0, 1)
    ]
    together = made(backend, asked)
    assert len(set(together)) == 6
    alone = [made(backend, [ask])[0] for ask in reversed(asked)]
    assert alone[::-1] == together


def test_a_batch_that_does_not_fit_is_halved(
    model_folder: Path, encoder: Encoder, asks: list[Ask], monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = load(model_folder, encoder, batch_size="auto")
    expected = made(backend, asks)
    sizes = []
    original = backend.generate_batch

    def small_gpu(batch: list[Ask]) -> Any:
        sizes.append(len(batch))
        if len(batch) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return original(batch)

    monkeypatch.setattr(backend, "generate_batch", small_gpu)
    found = [o for group in backend.generate(asks) for o in group]
    assert [o.ask for o in found] == asks, "each row once, in order"
    assert [(o.text, o.truncated) for o in found] == expected
    assert sizes == [10, 5, 2, 2, 2, 2, 2]


def test_a_row_that_does_not_fit_alone_is_told(
    model_folder: Path, encoder: Encoder, asks: list[Ask], monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = load(model_folder, encoder)

    def no_room(_: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(backend, "generate_batch", no_room)
    with pytest.raises(DualtuneError, match=r"row .* alone: lower eval\.max_new_tokens"):
        list(backend.generate(asks[:4]))


def test_an_adapter_is_evaluated_on_its_base(
    model_folder: Path, encoder: Encoder, asks: list[Ask], tmp_path: Path
) -> None:
    peft = pytest.importorskip("peft")
    from transformers import AutoModelForCausalLM

    config = peft.LoraConfig(r=2, target_modules="all-linear", init_lora_weights=False)
    torch.manual_seed(0)
    model = peft.get_peft_model(AutoModelForCausalLM.from_pretrained(model_folder), config)
    texts = []
    for folder, saved in ((tmp_path / "alone", model), (tmp_path / "merged", None)):
        (saved or model.merge_and_unload()).save_pretrained(folder)
        texts.append(made(load(folder, encoder), asks[:5]))
    assert texts[0] == texts[1]


def test_a_stop_text_cuts_the_output(backend: Backend, asks: list[Ask]) -> None:
    def ask(until: tuple[str, ...]) -> list[tuple[str, bool]]:
        return made(backend, [replace(a, request=replace(a.request, until=until)) for a in asks])

    free = ask(())
    text = next(text for text, cut in free if cut and len(text) > 20)
    stop = text[10:13]
    for (whole, was_cut), (part, cut) in zip(free, ask((stop,)), strict=True):
        assert part == whole.split(stop)[0]
        assert cut == (was_cut and stop not in whole)


def test_no_second_beginning_of_text(
    backend: Backend, asks: list[Ask], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    original = backend._decode

    def spy(batch: Any, ids: Any, *args: Any) -> Any:
        seen.extend(ids.tolist())
        return original(batch, ids, *args)

    monkeypatch.setattr(backend, "_decode", spy)
    made(backend, asks[:2])
    prompts = [ask.request.prompt for ask in asks[:2]]
    for ids in (backend.tokenizer.encode(p, add_special_tokens=False) for p in prompts):
        assert any(row[-len(ids) :] == ids and ids[0] == 1 for row in seen)
        assert ids.count(1) == 2, "one beginning a turn: the user's and the assistant's"
