from __future__ import annotations

from pathlib import Path

import pytest

from dualtune.errors import BadInput
from dualtune.report.samples import measure_lengths, sample_problems

from .fake_run import story


def test_lengths_are_the_tokens_that_the_trainer_counted(full_run: Path) -> None:
    trained = {"lengths": {"solve": [120, 90], "irsp": [], "ir": [200]}}
    lengths = measure_lengths(full_run / "instances/train.parquet", trained=trained)
    assert lengths is not None
    assert (lengths.unit, lengths.counted) == ("tokens", 3)
    assert lengths.by_task == {"solve": [120, 90], "ir": [200]}


def test_before_tuning_lengths_are_characters_of_prompt_and_target(full_run: Path) -> None:
    lengths = measure_lengths(full_run / "instances/train.parquet", trained={})
    assert lengths is not None
    assert (lengths.unit, lengths.counted) == ("characters", 900)
    question, rationale, answer = story(0)
    solve = len(question) + len(f"{rationale}\nThe answer is {answer}")
    assert lengths.by_task["solve"][0] == solve


def test_sample_problems_bring_all_their_instances(full_run: Path) -> None:
    samples = sample_problems(full_run / "instances/train.parquet")
    assert len(samples) == 2
    for sample in samples:
        assert [row["task"] for row in sample.instances] == ["solve", "irsp", "ir"]
        assert {row["source_id"] for row in sample.instances} == {sample.source_id}


def test_no_file_is_no_sample_and_a_broken_one_is_told(tmp_path: Path) -> None:
    assert sample_problems(tmp_path / "train.parquet") == ()
    assert measure_lengths(tmp_path / "train.parquet", trained={}) is None
    (tmp_path / "train.parquet").write_bytes(b"PAR1 cut off")
    with pytest.raises(BadInput, match="not a Parquet file"):
        sample_problems(tmp_path / "train.parquet")
