from __future__ import annotations

from pathlib import Path

import pytest

from dualtune.errors import BadInput
from dualtune.report.samples import measure_lengths, sample_problems

from .fake_run import story


def test_lengths_are_of_prompt_and_target(full_run: Path) -> None:
    lengths = measure_lengths(full_run / "instances/train.parquet", model=full_run / "model")
    assert lengths is not None
    assert (lengths.unit, lengths.counted, lengths.complete) == ("characters", 900, True)
    question, rationale, answer = story(0)
    solve = len(question) + 1 + len(f"{rationale}\nThe answer is {answer}")
    assert lengths.by_task["solve"][0] == solve


def test_lengths_are_in_tokens_where_the_run_holds_a_tokenizer(
    full_run: Path, tmp_path: Path
) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    lengths = measure_lengths(full_run / "instances/train.parquet", model=tmp_path)
    assert lengths is not None
    assert lengths.unit == "tokens"
    question, rationale, answer = story(0)
    assert lengths.by_task["solve"][0] == len(
        f"{question} {rationale} The answer is {answer}".split()
    )


def test_sample_problems_bring_all_their_instances(full_run: Path) -> None:
    samples = sample_problems(full_run / "instances/train.parquet")
    assert len(samples) == 2
    for sample in samples:
        assert [row["task"] for row in sample.instances] == ["solve", "irsp", "ir"]
        assert {row["source_id"] for row in sample.instances} == {sample.source_id}


def test_no_file_is_no_sample_and_a_broken_one_is_told(tmp_path: Path) -> None:
    assert sample_problems(tmp_path / "train.parquet") == ()
    assert measure_lengths(tmp_path / "train.parquet", model=tmp_path) is None
    (tmp_path / "train.parquet").write_bytes(b"PAR1 cut off")
    with pytest.raises(BadInput, match="not a Parquet file"):
        sample_problems(tmp_path / "train.parquet")
