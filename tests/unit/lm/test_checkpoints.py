"""Checkpoints: only those that are as they were written are resumed from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dualtune.lm.best import remove_unneeded
from dualtune.lm.checkpoints import SEAL, fault_of, newest_checkpoint, remove_older, seal


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two whole checkpoints, of steps 2 and 10."""
    folder = tmp_path / "checkpoints"
    for step in (2, 10):
        checkpoint = folder / f"checkpoint-{step}"
        (checkpoint / "inner").mkdir(parents=True)
        (checkpoint / "model.safetensors").write_bytes(bytes(range(256)) * 64)
        (checkpoint / "inner" / "state.pt").write_bytes(b"state")
        (checkpoint / "trainer_state.json").write_text("{}")
        seal(checkpoint)
    (folder / "fingerprint").write_text("same")
    return folder


def test_the_newest_whole_one_is_taken(folder: Path) -> None:
    assert newest_checkpoint(folder, fingerprint="same") == folder / "checkpoint-10"
    assert (folder / "checkpoint-2").exists()


def unsealed(checkpoint: Path) -> None:
    (checkpoint / SEAL).unlink()


def half_sealed(checkpoint: Path) -> None:
    (checkpoint / SEAL).write_text((checkpoint / SEAL).read_text()[:20])


def cut_off(checkpoint: Path) -> None:
    file = checkpoint / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1])


def flipped(checkpoint: Path) -> None:
    file = checkpoint / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[1000] ^= 1
    file.write_bytes(content)


def lost(checkpoint: Path) -> None:
    (checkpoint / "inner" / "state.pt").unlink()


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (unsealed, "not written to its end"),
        (half_sealed, "not written to its end"),
        (cut_off, "model.safetensors has 16383 bytes, not 16384"),
        (flipped, "model.safetensors does not hold what was written"),
        (lost, "inner/state.pt is missing"),
    ],
)
def test_a_damaged_one_is_told_and_the_one_before_is_taken(
    harm, said: str, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    harm(folder / "checkpoint-10")
    assert said in str(fault_of(folder / "checkpoint-10"))
    assert newest_checkpoint(folder, fingerprint="same") == folder / "checkpoint-2"
    assert not (folder / "checkpoint-10").exists()
    assert said in caplog.text


def test_those_of_other_settings_are_removed(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert newest_checkpoint(folder, fingerprint="other") is None
    assert not list(folder.glob("checkpoint-*"))
    assert (folder / "fingerprint").read_text() == "other"
    assert "removing 2 checkpoints of other settings" in caplog.text
    assert "the last of step 10" in caplog.text


def test_a_full_disk_at_the_start_costs_no_checkpoint(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file is emptied before it is written: the mark of good checkpoints is left alone."""

    def full(path: Path, *_: Any, **__: Any) -> None:
        path.write_bytes(b"")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    for _ in range(2):
        assert newest_checkpoint(folder, fingerprint="same") == folder / "checkpoint-10"


def test_copies_that_a_user_made_are_left_alone(folder: Path) -> None:
    for name in ("checkpoint-2.bak", "checkpoint-good", "best-4 (copy)", "best-1"):
        (folder / name).mkdir()
    assert newest_checkpoint(folder, fingerprint="same") == folder / "checkpoint-10"
    remove_older(folder, keep=1)
    remove_unneeded(folder, lambda until: None)
    assert sorted(p.name for p in folder.iterdir() if p.is_dir()) == [
        "best-4 (copy)",
        "checkpoint-10",
        "checkpoint-2.bak",
        "checkpoint-good",
    ]


def test_the_newest_by_step_stay(folder: Path) -> None:
    remove_older(folder, keep=2)
    assert len(list(folder.glob("checkpoint-*"))) == 2
    remove_older(folder, keep=1)  # 10 is newer than 2, whatever their names' order
    assert [p.name for p in folder.glob("checkpoint-*")] == ["checkpoint-10"]


def test_the_seal_names_every_file(folder: Path) -> None:
    told = json.loads((folder / "checkpoint-2" / SEAL).read_text())
    assert set(told) == {"model.safetensors", "inner/state.pt", "trainer_state.json"}
