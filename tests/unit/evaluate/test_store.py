"""Generations on disk: kept, resumed, never taken for another model's."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from dualtune.errors import DualtuneError
from dualtune.evaluate.store import Generations, Row, write_atomically


def row(number: int, prompt: str = "p") -> Row:
    return Row(
        id=f"r{number}",
        question="q",
        prompt=prompt,
        outputs=[f"output {number}\nThe answer is ½ of {number}."],
        truncated=[False],
        gold="1",
        reference="",
        extracted=None,
        status="wrong",
        strict=False,
    )


def test_rows_come_back_with_the_same_fingerprint(tmp_path: Path) -> None:
    file = tmp_path / "eval" / "base" / "svamp.cot.jsonl"
    store = Generations(file, "f")
    store.add([row(1), row(2)], seconds=1.5)
    store.add([row(3)], seconds=2.0)
    again = Generations(file, "f")
    assert list(again.rows.values()) == [row(1), row(2), row(3)]
    assert again.seconds == 3.5
    assert again.done("r2", "p") == row(2)


def test_a_row_of_another_prompt_is_not_done(tmp_path: Path) -> None:
    store = Generations(tmp_path / "a.jsonl", "f")
    store.add([row(1)], seconds=1)
    assert store.done("r1", "another prompt") is None
    assert store.done("r9", "p") is None


def test_another_fingerprint_sets_the_rows_aside(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    Generations(file, "f").add([row(1)], seconds=1)
    other = Generations(file, "g")
    assert not other.rows
    assert other.seconds == 0
    assert not file.exists()
    assert json.loads(file.with_suffix(".f.jsonl.old").read_text()) == row(1)


def test_rows_set_aside_come_back_and_none_is_lost(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    for number, fingerprint in enumerate("fgh"):
        Generations(file, fingerprint).add([row(number)], seconds=number)
    for number, fingerprint in enumerate("fgh"):
        again = Generations(file, fingerprint)
        assert list(again.rows.values()) == [row(number)]
        assert again.seconds == number


def test_a_state_without_rows_is_no_others_rows(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    Generations(file, "f").add([row(1)], seconds=1)
    file.unlink()
    assert not Generations(file, "f").rows


def test_rows_without_a_state_are_set_aside(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps(row(1)) + "\n")
    assert not Generations(file, "f").rows
    assert file.with_suffix(".unknown.jsonl.old").exists()


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_torn_last_row_is_dropped_and_the_file_goes_on_whole(tmp_path: Path, cut: int) -> None:
    file = tmp_path / "a.jsonl"
    Generations(file, "f").add([row(1), row(2)], seconds=1)
    file.write_bytes(file.read_bytes()[:-cut])
    store = Generations(file, "f")
    assert list(store.rows) == ["r1"]
    store.add([row(2)], seconds=1)
    assert [json.loads(line) for line in file.read_text().splitlines()] == [row(1), row(2)]


def test_a_last_row_cut_at_any_byte_is_dropped(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    torn = {**row(2), "outputs": ["½ of 中文 is 😀"]}
    Generations(file, "f").add([row(1), torn], seconds=1)
    whole = file.read_bytes()
    first = whole.index(b"\n") + 1
    assert any(byte > 0x7F for byte in whole[first:])
    for end in range(first, len(whole)):
        file.write_bytes(whole[:end])
        assert list(Generations(file, "f").rows) == ["r1"], end
        assert file.read_bytes() == whole[:first]


def test_half_a_surrogate_pair_in_an_output_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    odd = {**row(1), "outputs": ["back\\slash, \\\ud83d and \udc00 ½"]}
    store = Generations(file, "f")
    store.add([odd], seconds=1)
    store.finish([odd])
    assert list(Generations(file, "f").rows.values()) == [odd]


def test_a_state_that_is_no_text_sets_the_rows_aside(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    Generations(file, "f").add([row(1)], seconds=1)
    file.with_suffix(".state.json").write_bytes(b"\xff\xfe")
    assert not Generations(file, "f").rows


def test_finish_puts_rows_in_order_and_keeps_others(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    store = Generations(file, "f")
    store.add([row(3), row(1), row(2)], seconds=1)
    store.finish([row(1), row(2)])
    assert [json.loads(line)["id"] for line in file.read_text().splitlines()] == ["r1", "r2", "r3"]
    assert list(Generations(file, "f").rows) == ["r1", "r2", "r3"]


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "eval.json"
    write_atomically(file, b"old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("dualtune.evaluate.store.os.fsync", full)
    with pytest.raises(DualtuneError, match=r"No space left.*Free some space.*goes on"):
        write_atomically(file, b"new")
    assert file.read_bytes() == b"old"
    with pytest.raises(DualtuneError, match=r"cannot write .*a\.state\.json"):
        Generations(tmp_path / "a.jsonl", "f").add([row(1)], seconds=1)
