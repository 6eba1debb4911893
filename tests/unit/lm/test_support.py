"""Which models are packed, which are refused by name, and the proof on the model at hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    FalconConfig,
    Gemma2Config,
    GPT2Config,
    GPTNeoXConfig,
    GptOssConfig,
    LlamaConfig,
    MambaConfig,
    MixtralConfig,
    MptConfig,
    Phi3Config,
    Qwen3NextConfig,
    RwkvConfig,
)

from dualtune.errors import BadInput
from dualtune.lm.attention import NAME
from dualtune.lm.support import choose_attention, verify_packing, why_not_packable
from tests.unit.lm.published import MODELS, Published
from tests.unit.lm.tiny import CONFIGS, VOCABULARY, tiny_groups, tiny_model


def rope(kind: str, **more: Any) -> LlamaConfig:
    return LlamaConfig(rope_parameters={"rope_type": kind, "rope_theta": 10000.0, **more})


@pytest.mark.parametrize(
    ("config", "cause"),
    [
        (Qwen3NextConfig(), "linear_attention layers, which drop a 4-D mask"),
        (MambaConfig(), "layers"),
        (RwkvConfig(), "recurrent layers, which take no mask"),
        (BloomConfig(hidden_dropout=0.0, attention_dropout=0.0), "ALiBi"),
        (MptConfig(), "ALiBi"),
        (FalconConfig(alibi=True), "ALiBi"),
        (rope("dynamic", factor=2.0), "dynamic rotary scaling"),
        (
            Phi3Config(
                rope_parameters={
                    "rope_type": "longrope",
                    "rope_theta": 10000.0,
                    "short_factor": [1.0] * 48,
                    "long_factor": [2.0] * 48,
                },
                original_max_position_embeddings=2048,
            ),
            "longrope rotary scaling",
        ),
        (LlamaConfig(attention_dropout=0.1), "attention_dropout = 0.1"),
        (GPT2Config(), "attn_pdrop = 0.1"),
        (MixtralConfig(output_router_logits=True), "router loss"),
    ],
    ids=lambda value: getattr(value, "model_type", None),
)
def test_refused_by_cause(config: Any, cause: str) -> None:
    found = why_not_packable(config)
    assert found is not None
    assert cause in found


@pytest.mark.parametrize("name", ["flash_attention_2", "kernels-community/flash-attn"])
def test_flash_kernels_are_refused(name: str) -> None:
    config = LlamaConfig()
    config._attn_implementation_internal = name
    assert f"runs {name}, which takes no mask" in str(why_not_packable(config))


@pytest.mark.parametrize(
    "config",
    [
        *CONFIGS.values(),
        transformers.Gemma3Config(),
        MixtralConfig(),
        FalconConfig(alibi=False),
        GPT2Config(attn_pdrop=0.0, embd_pdrop=0.0, resid_pdrop=0.0),
        GPTNeoXConfig(),
        rope("linear", factor=2.0),
        rope(
            "llama3",
            factor=8.0,
            low_freq_factor=1.0,
            high_freq_factor=4.0,
            original_max_position_embeddings=8192,
        ),
    ],
    ids=lambda config: config.model_type,
)
def test_accepted(config: Any) -> None:
    # GPT-NeoX and GPT-2 name a dropout of classification heads, which a language model has not.
    assert why_not_packable(config) is None


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_attention_by_device(config: Any) -> None:
    assert choose_attention(config, "auto", "cpu") == "trie"
    assert choose_attention(config, "auto", "cuda") == "sdpa"
    for setting in ("trie", "sdpa", "eager"):
        assert choose_attention(config, setting, "cpu") == setting


@pytest.mark.parametrize(
    ("config", "cause"),
    [(Gemma2Config(), "caps its attention scores"), (GptOssConfig(), "attention sinks")],
    ids=["gemma2", "gpt_oss"],
)
def test_scores_that_only_eager_computes(config: Any, cause: str) -> None:
    for device in ("cpu", "cuda"):
        assert choose_attention(config, "auto", device) == "eager"
    assert choose_attention(config, "eager", "cpu") == "eager"
    for setting in ("trie", "sdpa"):
        with pytest.raises(BadInput, match=rf"{cause}.*Set model\.attention: eager"):
            choose_attention(config, setting, "cpu")


@pytest.mark.parametrize("kernel", ["trie", "sdpa", "eager"])
@pytest.mark.parametrize("name", CONFIGS)
def test_packing_is_proved_on_the_model(name: str, kernel: str) -> None:
    model = tiny_model(name, kernel).train()
    (group,) = tiny_groups((0, 1, 2), problems=1)
    assert verify_packing(model, [group]) < 1e-5
    assert model.training
    assert all(p.grad is None for p in model.parameters())


def forgetful(module: Any, query: Any, key: Any, value: Any, mask: Any, **more: Any) -> Any:
    """Attention that is causal and knows no other mask."""
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    return sdpa_attention_forward(module, query, key, value, None, is_causal=True, **more)


def test_a_model_that_disregards_the_mask_is_found_out() -> None:
    from transformers import AttentionInterface

    AttentionInterface.register("forgetful", forgetful)
    model = tiny_model("llama", "forgetful")
    (group,) = tiny_groups((0, 1, 2), problems=1)
    with pytest.raises(BadInput, match=r"not exact for llama: loss .*train\.trie: false"):
        verify_packing(model, [group])


def test_a_model_that_disregards_positions_is_found_out() -> None:
    model = tiny_model("llama")
    (group,) = tiny_groups((0, 1, 2), problems=1)
    # A fresh model looks everywhere alike: let places matter to it, as they do to a trained one.
    with torch.no_grad():
        for layer in model.model.layers:
            layer.self_attn.q_proj.weight.mul_(30)
            layer.self_attn.k_proj.weight.mul_(30)
    assert verify_packing(model, [group]) < 1e-5

    def by_place(_: Any, args: Any, kwargs: Any) -> Any:
        length = kwargs["input_ids"].shape[1]
        return args, {**kwargs, "position_ids": torch.arange(length)[None]}

    model.register_forward_pre_hook(by_place, with_kwargs=True)
    with pytest.raises(BadInput, match="not exact"):
        verify_packing(model, [group])


def test_a_model_that_yields_no_number_is_found_out() -> None:
    model = tiny_model("llama")
    (group,) = tiny_groups((0, 1), problems=1)
    with torch.no_grad():
        model.lm_head.weight.fill_(float("nan"))
    with pytest.raises(BadInput, match="loss nan"):
        verify_packing(model, [group])


def test_sinks_are_packed_by_eager_and_refused_by_trie() -> None:
    config = GptOssConfig(
        vocab_size=100,
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        num_local_experts=2,
        num_experts_per_tok=1,
        sliding_window=8,
        layer_types=["sliding_attention", "full_attention"],
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
    )
    assert why_not_packable(config) is None
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").float()
    (group,) = tiny_groups((0, 1, 2), problems=1)
    assert verify_packing(model, [group]) < 1e-5
    model.set_attn_implementation(NAME)
    with pytest.raises(ValueError, match="attention sinks"):
        verify_packing(model, [group])


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.id)
def test_the_models_that_the_recipes_name_are_packed(model: Published) -> None:
    config = model.config()
    assert why_not_packable(config) is None
    assert choose_attention(config, "auto", "cpu") == NAME
    assert choose_attention(config, "auto", "cuda") == "sdpa"


SHRUNK = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "vocab_size": VOCABULARY,
}


@pytest.mark.parametrize("attention", ["trie", "sdpa", "eager"])
@pytest.mark.parametrize("index", [0, 1, 3, 7, 9])  # one of each family and rotary scaling
def test_shrunk_they_are_packed_exactly(index: int, attention: str) -> None:
    """Layer types, rotary scaling and the rest stay; windows are shorter than the rows."""
    model = MODELS[index]
    changes: dict[str, Any] = dict(SHRUNK)
    if "sliding_window" in model.values:
        changes["sliding_window"] = 8
    if "layer_types" in model.values:
        changes["layer_types"] = model.values["layer_types"][:6]
    torch.manual_seed(0)
    auto: Any = AutoModelForCausalLM
    tiny = auto.from_config(model.config(**changes), attn_implementation=attention).float()
    assert verify_packing(tiny, tiny_groups((0, 1, 2))) < 1e-5


@pytest.mark.parametrize("attention", ["trie", "sdpa", "eager"])
def test_gemma_3_with_its_vision_tower_is_packed_exactly(attention: str) -> None:
    """On the hub the models above 1B are those of text and images."""
    from transformers import AutoConfig

    config = AutoConfig.for_model(
        "gemma3",
        text_config={**SHRUNK, "model_type": "gemma3_text", "sliding_window": 8},
        vision_config={
            "model_type": "siglip_vision_model",
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "image_size": 28,
            "patch_size": 14,
        },
        mm_tokens_per_image=4,
        image_token_index=VOCABULARY - 1,
    )
    assert why_not_packable(config) is None
    torch.manual_seed(0)
    auto: Any = AutoModelForCausalLM
    tiny = auto.from_config(config, attn_implementation=attention).float().train()
    assert verify_packing(tiny, tiny_groups((0, 1, 2))) < 1e-5
