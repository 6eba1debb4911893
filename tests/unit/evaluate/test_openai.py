"""The server backend: what is sent, what is repeated, what is refused, and what a kill leaves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("lm_eval")

from dualtune.errors import BadInput, DualtuneError
from dualtune.evaluate import openai
from dualtune.evaluate.harness import evaluate_model
from dualtune.evaluate.openai import Backend, endpoint, served_model
from dualtune.evaluate.requests import Ask, Request
from dualtune.recipe import Eval, Model
from dualtune.sources.benchmarks import BenchmarkRow
from tests.unit.evaluate import stub_server
from tests.unit.evaluate.stub_server import StubServer, status


@pytest.fixture
def server() -> Iterator[StubServer]:
    stub = StubServer()
    yield stub
    stub.stop()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai, "LONGEST_PAUSE", 0.01)


def settings(server: StubServer, **changed: Any) -> Eval:
    given: dict[str, Any] = {
        "benchmarks": ("synthetic_test",),
        "limit": 9,
        "backend": "openai",
        "base_url": server.base_url,
        "max_new_tokens": 20,
        "batch_size": 4,
        "timeout": 10,
    }
    return Eval(**{**given, **changed})


def asks(count: int, *, seeds: bool = False) -> list[Ask]:
    rows = [BenchmarkRow(id=str(i), question="q", gold="1", kind="number") for i in range(count)]
    return [
        Ask(
            Request(row, json.dumps([{"role": "user", "content": f"q{row.id}"}]), ("###", "<end>")),
            seed=100 + i if seeds else None,
        )
        for i, row in enumerate(rows)
    ]


def chat(server: StubServer, **changed: Any) -> Backend:
    given = settings(server, api="chat", **changed)
    return Backend("tiny", None, settings=given, stop=None)


def evaluate(server: StubServer, folder: Path, run: Path, **changed: Any) -> Any:
    return evaluate_model(
        "tiny",
        "served",
        settings=settings(server, **changed),
        model=Model(id=str(folder)),
        run=run,
        train_source="synthetic",
    )


def read_rows(run: Path) -> list[Any]:
    file = run / "eval" / "served" / "synthetic_test.cot.jsonl"
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_completions_send_the_tokens_of_training(
    server: StubServer, model_folder: Path, tmp_path: Path
) -> None:
    from transformers import AutoTokenizer

    server.seconds = 0.1  # long enough for several to be under way
    results = evaluate(server, model_folder, tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(model_folder)
    rows = read_rows(tmp_path)
    assert len(rows) == results["synthetic_test"]["rows"] == 9
    expected = {tuple(tokenizer.encode(r["prompt"], add_special_tokens=False)) for r in rows}
    assert {tuple(body["prompt"]) for body in server.asked} == expected
    for body in server.asked:
        assert (body["model"], body["max_tokens"], body["temperature"]) == ("tiny", 20, 0)
        assert "<|im_end|>" in body["stop"]
        assert len(body["stop"]) == len(set(body["stop"])) <= 4
    assert 1 < server.most_at_once <= 4
    assert {row["truncated"][0] for row in rows} == {True, False}
    assert all(row["status"] for row in rows)


def test_chat_leaves_the_template_to_the_server(
    server: StubServer, model_folder: Path, tmp_path: Path
) -> None:
    evaluate(server, model_folder, tmp_path, api="chat", shots=0)
    for body in server.asked:
        (turn,) = body["messages"]
        assert turn["role"] == "user"
        assert "Solve the problem step by step" in turn["content"]
    assert [json.loads(row["prompt"]) for row in read_rows(tmp_path)]


def test_samples_have_seeds_of_their_own(
    server: StubServer, model_folder: Path, tmp_path: Path
) -> None:
    evaluate(server, model_folder, tmp_path, samples=3, temperature=0.8, top_p=0.9)
    assert len(server.asked) == 27
    assert len({body["seed"] for body in server.asked}) == 27
    assert {(body["temperature"], body["top_p"]) for body in server.asked} == {(0.8, 0.9)}
    straight = read_rows(tmp_path)
    assert all(len(row["outputs"]) == 3 and None not in row["outputs"] for row in straight)
    # More samples keep those that are there, and a run of its own draws the same.
    server.asked.clear()
    evaluate(server, model_folder, tmp_path, samples=4, temperature=0.8, top_p=0.9)
    assert len(server.asked) == 9
    evaluate(server, model_folder, tmp_path / "x", samples=4, temperature=0.8, top_p=0.9)
    assert [r["outputs"] for r in read_rows(tmp_path / "x")] == [
        r["outputs"] for r in read_rows(tmp_path)
    ]


@pytest.mark.parametrize(
    "failure",
    [
        status(429, Retry_After="0"),
        status(429),
        status(408),
        status(500),
        status(503),
        stub_server.cut_connection,
        stub_server.no_answer,
        stub_server.no_json,
        stub_server.no_choices,
    ],
)
def test_what_fails_in_passing_is_repeated(server: StubServer, failure: Any) -> None:
    server.failures.extend([failure, failure])
    outputs = [o for group in chat(server).generate(asks(5)) for o in group]
    assert sorted(o.ask.request.row.id for o in outputs) == list("01234")
    assert all(o.text.startswith("The answer is") for o in outputs)
    assert set(server.times_asked().values()) == {1}


def test_a_server_that_is_slow_is_asked_again(server: StubServer) -> None:
    server.failures.append(stub_server.silence(0.6))
    outputs = [o for group in chat(server, timeout=0.2).generate(asks(2)) for o in group]
    assert len(outputs) == 2


@pytest.mark.parametrize(
    ("code", "remedy"),
    [(401, "eval.key_variable"), (404, "eval.server_model"), (400, "model's context")],
)
def test_what_is_wrong_is_not_repeated(server: StubServer, code: int, remedy: str) -> None:
    server.failures.append(status(code))
    with pytest.raises(BadInput, match=f"(?s)stub says {code}.*{remedy}"):
        list(chat(server, batch_size=1).generate(asks(3)))
    assert not server.asked


def test_a_server_that_fails_for_good_ends_the_run_and_keeps_what_is_done(
    server: StubServer, model_folder: Path, tmp_path: Path
) -> None:
    original = server.failures

    class FailLater:
        """Answers five requests, then none."""

        def __init__(self) -> None:
            self.left = 5

        def __bool__(self) -> bool:
            return self.left <= 0

        def popleft(self) -> Any:
            return status(500)

    class Counting(list[dict[str, Any]]):
        def append(self, body: dict[str, Any]) -> None:
            failing.left -= 1
            super().append(body)

    failing = FailLater()
    server.failures, server.asked = failing, Counting()  # type: ignore[assignment]
    with pytest.raises(DualtuneError, match=r"500.*\(3 tries, row .*the same command goes on"):
        evaluate(server, model_folder, tmp_path, retries=2, batch_size=2)
    kept = read_rows(tmp_path)
    # All that was answered before the failure was seen, but for those under way at that moment.
    assert 3 <= len(kept) <= 6
    server.failures, server.asked = original, []
    evaluate(server, model_folder, tmp_path)
    assert len(server.asked) == 9 - len(kept)
    evaluate(server, model_folder, tmp_path / "straight")
    assert read_rows(tmp_path / "straight") == read_rows(tmp_path)


def test_the_key_comes_from_the_environment_and_stays_there(
    server: StubServer, model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "sk-secret")
    evaluate(server, model_folder, tmp_path, key_variable="MY_KEY")
    assert {h["Authorization"] for h in server.headers} == {"Bearer sk-secret"}
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or b"sk-secret" not in file.read_bytes()


def test_the_only_model_is_found(server: StubServer) -> None:
    assert served_model(settings(server)) == "tiny"
    assert served_model(settings(server, server_model="other")) == "other"
    server.models = ("a", "b")
    with pytest.raises(BadInput, match="lists 2 models"):
        served_model(settings(server))


def test_a_server_that_is_not_there_is_told(server: StubServer) -> None:
    given = settings(server, timeout=0.5, base_url="http://127.0.0.1:9/v1")
    with pytest.raises(BadInput, match="Start the server"):
        served_model(given)
    with pytest.raises(DualtuneError, match="Is the server up"):
        list(
            Backend(
                "m",
                None,
                settings=given.model_copy(update={"api": "chat", "retries": 1}),
                stop=None,
            ).generate(asks(1))
        )


@pytest.mark.parametrize("ending", ["", "/", "/completions", "/chat/completions"])
def test_addresses_are_taken_as_people_write_them(server: StubServer, ending: str) -> None:
    given = settings(server, base_url=f"http://host:1/v1{ending}")
    assert endpoint(given, "models") == "http://host:1/v1/models"


@pytest.mark.parametrize("address", ["http://", "http://[half/v1"])
def test_an_address_that_is_none_is_told(server: StubServer, address: str) -> None:
    with pytest.raises(BadInput, match=r"eval\.base_url: .* cannot be asked"):
        list(chat(server, base_url=address).generate(asks(1)))


def test_an_address_needs_its_scheme(server: StubServer) -> None:
    with pytest.raises(ValueError, match="needs base_url"):
        settings(server, base_url="localhost:8000/v1")
