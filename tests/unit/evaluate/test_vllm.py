"""The vLLM backend's loop on an engine that plays a script; the real one: tests/integration."""

from __future__ import annotations

import importlib
import itertools
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("lm_eval")

from dualtune.evaluate.requests import Ask, Request
from dualtune.recipe import Eval
from dualtune.sources.benchmarks import BenchmarkRow


@dataclass
class Engine:
    """Ends, at each step, the last of the requests under way: the order is never that of asking."""

    under_way: dict[str, Any] = field(default_factory=dict)
    most: int = 0
    aborted: list[str] = field(default_factory=list)
    asked: list[tuple[Any, Any, Any]] = field(default_factory=list)

    def add_request(self, name: str, prompt: Any, params: Any, *, lora_request: Any) -> None:
        assert name not in self.under_way
        self.under_way[name] = prompt
        self.asked.append((prompt, params, lora_request))
        self.most = max(self.most, len(self.under_way))

    def step(self) -> list[Any]:
        ended, prompt = self.under_way.popitem()
        going = [SimpleNamespace(request_id=name, finished=False) for name in self.under_way]
        text = f"answer to {prompt['prompt_token_ids'][0]}<end> and more"
        output = SimpleNamespace(text=text, finish_reason="length" if "3" in text else "stop")
        return [*going, SimpleNamespace(request_id=ended, finished=True, outputs=[output])]

    def abort_request(self, names: list[str]) -> None:
        self.aborted += names


class Harness:
    """Stands for lm-evaluation-harness's class."""

    def __init__(self, **given: Any) -> None:
        self.given = given
        self.model = SimpleNamespace(llm_engine=Engine())
        self.max_length, self.data_parallel_size, self.lora_request = 100, 1, "adapter"


class Tokenizer:
    all_special_ids = (7,)

    def encode(self, text: str, **_: Any) -> list[int]:
        return [int(text)]


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The backend's module, on modules that stand for vLLM's."""
    stubs: dict[str, dict[str, Any]] = {
        "vllm": {"__version__": "0", "RequestOutput": object, "SamplingParams": dict},
        "vllm.inputs": {"TokensPrompt": dict},
        "vllm.sampling_params": {"RequestOutputKind": SimpleNamespace(FINAL_ONLY="final")},
        "lm_eval.models.vllm_causallms": {"VLLM": Harness},
    }
    for name, attributes in stubs.items():
        stub = ModuleType(name)
        vars(stub).update(attributes)
        monkeypatch.setitem(sys.modules, name, stub)
    name = "dualtune.evaluate.vllm"
    monkeypatch.delitem(sys.modules, name, raising=False)
    for variable in ("VLLM_LOGGING_LEVEL", "VLLM_CPU_KVCACHE_SPACE"):
        monkeypatch.setenv(variable, "1")
    monkeypatch.setenv("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    monkeypatch.setenv("VLLM_CPU_OMP_THREADS_BIND", "nobind")
    yield importlib.import_module(name)
    sys.modules.pop(name, None)


def load(module: Any, tmp_path: Path, **changed: Any) -> Any:
    settings = Eval(benchmarks=("svamp",), max_new_tokens=9, **changed)
    return module.Backend(tmp_path, Tokenizer(), settings=settings, bf16=True, stop_id=5)


def asks(count: int) -> list[Ask]:
    rows = [BenchmarkRow(id=str(i), question="q", gold="1", kind="number") for i in range(count)]
    return [Ask(Request(row, row.id, ("<end>",)), seed=100 + int(row.id)) for row in rows]


def test_each_ask_gets_its_own_output_whatever_the_order(module: Any, tmp_path: Path) -> None:
    backend = load(module, tmp_path, batch_size=4)
    told: list[int] = []
    backend.on_ended = told.append
    wanted = asks(11)
    outputs = [output for group in backend.generate(wanted) for output in group]
    assert sorted(int(o.ask.request.row.id) for o in outputs) == list(range(11))
    assert all(o.text == f"answer to {o.ask.request.row.id}" for o in outputs)
    assert [o.ask.request.row.id for o in outputs if o.truncated] == ["3"]
    assert sum(told) == 11
    engine = backend.model.llm_engine
    assert engine.most == 4
    assert engine.aborted == []
    assert [prompt["prompt_token_ids"] for prompt, _, _ in engine.asked] == [[i] for i in range(11)]
    assert {lora for _, _, lora in engine.asked} == {"adapter"}
    assert [params["seed"] for _, params, _ in engine.asked] == [100 + i for i in range(11)]
    assert {params["max_tokens"] for _, params, _ in engine.asked} == {9}


def test_the_engine_is_kept_full_to_the_end(module: Any, tmp_path: Path) -> None:
    backend = load(module, tmp_path)
    list(backend.generate(asks(30)))
    assert backend.model.llm_engine.most == 30


def test_outputs_are_handed_on_as_time_passes(
    module: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = itertools.count(step=0.4)
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    groups = list(load(module, tmp_path).generate(asks(8)))
    assert sum(map(len, groups)) == 8
    assert all(len(group) == 3 for group in groups[:-1])


def test_what_is_given_up_is_not_gone_on_with(module: Any, tmp_path: Path) -> None:
    backend = load(module, tmp_path)
    module.BETWEEN_WRITES = 0.0
    coming = backend.generate(asks(5))
    next(coming)
    coming.close()
    engine = backend.model.llm_engine
    assert sorted(engine.aborted) == sorted(engine.under_way)
    assert len(engine.aborted) == 4


def test_replicas_get_whole_groups_from_the_harness(
    module: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = load(module, tmp_path, batch_size=4)
    backend.data_parallel_size = 2

    def generate(requests: Any, *, generate: bool, sampling_params: Any) -> list[Any]:
        assert generate
        assert len(requests) == len(sampling_params) <= 4
        output = [
            SimpleNamespace(text=f"answer to {ids[0]}", finish_reason="stop") for ids in requests
        ]
        return [SimpleNamespace(outputs=[one]) for one in output]

    monkeypatch.setattr(backend, "_model_generate", generate, raising=False)
    groups = list(backend.generate(asks(9)))
    assert [len(group) for group in groups] == [4, 4, 1]
    assert [o.text for group in groups for o in group] == [f"answer to {i}" for i in range(9)]


def test_a_recipes_engine_arguments_win(module: Any, tmp_path: Path) -> None:
    given = load(module, tmp_path, backend="vllm", engine={"enforce_eager": False, "seed": 3}).given
    assert (given["enforce_eager"], given["seed"], given["dtype"]) == (False, 3, "bfloat16")
