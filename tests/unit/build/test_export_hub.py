"""Uploads against a server on this machine that answers as the hub does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from dualtune.build.export import export
from dualtune.errors import BadInput, DualtuneError
from tests.hub_stub import TOKEN, Hub, serving
from tests.unit.build.built_run import built_run, problem


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serving(monkeypatch) as state:
        yield state


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return built_run(tmp_path / "run", [problem(n) for n in range(4)], held_out=1)


@pytest.mark.parametrize("format", ["trl", "verl"])
def test_the_whole_folder_is_uploaded(hub: Hub, run: Path, tmp_path: Path, format: str) -> None:
    output = tmp_path / "out"
    export(run, format=format, output=output, push="me/maths", private=True, license="mit")  # type: ignore[arg-type]
    expected = {"name": "maths", "organization": "me", "visibility": "private", "type": "dataset"}
    assert hub.created == expected
    assert hub.files == {p.name: p.read_bytes() for p in output.iterdir()}
    card = hub.files["README.md"].decode()
    assert "license: mit" in card
    if format == "trl":
        assert 'load_dataset("me/maths")' in card
        assert "dataset_name: me/maths" in hub.files["trl.yaml"].decode()


def test_a_data_set_that_is_there_is_used(hub: Hub, run: Path, tmp_path: Path) -> None:
    hub.status["create"] = 409
    export(run, format="alpaca", output=tmp_path / "out", push="me/maths")
    assert "train.jsonl" in hub.files


@pytest.mark.parametrize(
    ("stage", "status", "said"),
    [
        ("create", 401, "does not accept the token"),
        ("create", 403, "may not write to 'me'"),
        ("commit", 403, "may not write to 'me'"),
        ("commit", 400, "answered with an error (400)"),
    ],
)
def test_a_refusal_says_what_to_do(
    hub: Hub, run: Path, tmp_path: Path, stage: str, status: int, said: str
) -> None:
    hub.status[stage] = status
    output = tmp_path / "out"
    with pytest.raises(DualtuneError) as caught:
        export(run, format="trl", output=output, push="me/maths")
    assert said in str(caught.value)
    assert f"complete in {output}" in str(caught.value)
    assert TOKEN not in str(caught.value)
    assert (output / "export.json").is_file()
    # The same command again, once the cause is gone.
    hub.status[stage] = 200
    export(run, format="trl", output=output, push="me/maths")
    assert "train.jsonl" in hub.files


def test_no_network(hub: Hub, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(DualtuneError, match="the hub cannot be reached"):
        export(run, format="trl", output=tmp_path / "out", push="me/maths")


def test_what_would_stop_an_upload_is_said_first(
    hub: Hub, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(push: str) -> str:
        with pytest.raises(BadInput) as caught:
            export(run, format="trl", output=tmp_path / "out", push=push)
        assert not (tmp_path / "out").exists()
        return str(caught.value)

    for bad in ("maths", "me/", "a/b/c", "me/ma ths", "../x"):
        assert "give owner/name" in refused(bad)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE" in refused("me/maths")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    assert "hf auth login" in refused("me/maths")
    assert hub.requests == []
