from __future__ import annotations

import json
import logging
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dualtune.errors import BadInput
from dualtune.recipe import Columns, Source
from dualtune.records import Problem, Rejected
from dualtune.sources.readers import expected_rows, input_files, read

ROW = {"question": "How many are 2 and 2?", "rationale": "2 + 2 = 4", "answer": "4"}


def write(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def http_error(message: str) -> Exception:
    """Return an error as the hub's client raises it where the transport fails."""
    from huggingface_hub.errors import HfHubHTTPError

    error: Exception = HfHubHTTPError.__bases__[0](message)
    return error


def problems(source: Source) -> list[Problem]:
    return [item for item in read(source) if isinstance(item, Problem)]


def test_the_same_rows_from_any_file(tmp_path: Path) -> None:
    rows = [{"q": f"{n} + 1?", "r": f"{n} + 1 = {n + 1}", "a": str(n + 1)} for n in range(5)]
    write(tmp_path / "d.jsonl", rows)
    (tmp_path / "d.json").write_text(json.dumps(rows))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "d.parquet")
    lines = ["q,r,a", *(",".join(row.values()) for row in rows)]
    (tmp_path / "d.csv").write_text("\n".join(lines))
    columns = Columns(question="q", rationale="r", answer="a")
    read_all = [
        [(p.id, p.question, p.rationale, p.answer) for p in problems(source)]
        for name in ("d.jsonl", "d.json", "d.parquet", "d.csv")
        for source in [Source(path=str(tmp_path / name), columns=columns)]
    ]
    assert len(read_all[0]) == 5
    assert all(one == read_all[0] for one in read_all)


def test_it_is_said_what_the_format_was_taken_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path / "d.jsonl", [{"question": "q", "answer": "1 + 1 = 2\n#### 2"}])
    with caplog.at_level(logging.INFO, logger="dualtune"):
        problems(Source(path=str(path)))
    assert "read as gsm8k" in caplog.text


def test_repeated_ids_are_numbered(tmp_path: Path) -> None:
    rows = [ROW | {"id": name} for name in ("a", "a", "a#2", "b", "a")]
    path = write(tmp_path / "d.jsonl", rows)
    ids = [p.id for p in problems(Source(path=str(path)))]
    assert ids == ["a", "a#2", "a#2#2", "b", "a#3"]


def test_identical_rows_are_kept_under_ids_of_their_own(tmp_path: Path) -> None:
    path = write(tmp_path / "d.jsonl", [ROW, ROW, ROW])
    first, second, third = problems(Source(path=str(path)))
    assert (second.id, third.id) == (f"{first.id}#2", f"{first.id}#3")
    assert second.question == first.question


def test_bad_rows_are_told_and_the_others_kept(tmp_path: Path) -> None:
    path = write(tmp_path / "d.jsonl", [["not", "an", "object"], ROW, ROW | {"question": ""}, ROW])
    items = list(read(Source(path=str(path))))
    assert [type(item) for item in items] == [Rejected, Problem, Rejected, Problem]
    assert [i.where for i in items if isinstance(i, Rejected)] == ["d.jsonl:1", "d.jsonl:3"]


def test_a_file_without_a_usable_row(tmp_path: Path) -> None:
    path = write(tmp_path / "d.jsonl", [ROW | {"answer": ""}, [1], ROW | {"answer": None}])
    with pytest.raises(BadInput) as caught:
        list(read(Source(path=str(path))))
    assert "no usable row: 3 are rejected (no_answer 2, not_an_object 1)" in str(caught.value)
    assert "d.jsonl:1: the row has no answer" in str(caught.value)


def test_a_file_of_blank_lines(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text("\n\n")
    with pytest.raises(BadInput, match="holds no usable row"):
        list(read(Source(path=str(path))))


def test_limit_counts_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "d.jsonl", [ROW, [1], ROW, ROW])
    assert len(list(read(Source(path=str(path), limit=3)))) == 3


def test_reading_is_lazy(tmp_path: Path) -> None:
    path = tmp_path / "d.json"
    path.write_text(f"[{json.dumps(ROW)}, broken")
    assert isinstance(next(read(Source(path=str(path)))), Problem)


@pytest.mark.parametrize("as_folder", [True, False])
def test_hub_reads_a_local_data_set_through_datasets(tmp_path: Path, as_folder: bool) -> None:
    rows = [{"question": f"q {n}", "answer": f"1 + {n} = {n + 1}\n#### {n + 1}"} for n in range(4)]
    path = write(tmp_path / "train.jsonl", rows)
    got = problems(Source(hub=str(tmp_path if as_folder else path), limit=3))
    assert [p.answer for p in got] == ["1", "2", "3"]


def test_hub_split_that_is_not_there(tmp_path: Path) -> None:
    write(tmp_path / "train.jsonl", [ROW])
    with pytest.raises(BadInput, match=r"Available splits: \['train'\].*data\.train\.split"):
        problems(Source(hub=str(tmp_path), split="tset"))


def test_hub_bad_rows_are_numbered(tmp_path: Path) -> None:
    write(tmp_path / "train.jsonl", [ROW, ROW | {"question": " "}])
    items = list(read(Source(hub=str(tmp_path))))
    assert isinstance(items[1], Rejected)
    assert items[1].where == f"{tmp_path}/train row 2"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionError("Couldn't reach 'a/b' on the Hub"), "Check the network"),
        (TimeoutError(), "TimeoutError. Check the network"),
        (http_error("timed out"), "timed out. Check the network"),
        (ValueError("Config name is missing."), "data.train.name"),
        (RuntimeError("Dataset scripts are no longer supported"), "scripts are no longer"),
    ],
)
def test_hub_that_fails_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    import datasets

    def fail(*args: object, **settings: object) -> None:
        raise error

    monkeypatch.setattr(datasets, "load_dataset", fail)
    with pytest.raises(BadInput) as caught:
        list(read(Source(hub="a/b")))
    assert said in str(caught.value)
    assert "'a/b'" in str(caught.value)


def test_hub_data_set_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    def fail(*args: object, **settings: object) -> None:
        raise datasets.exceptions.DatasetNotFoundError("Dataset 'a/b' doesn't exist on the Hub")

    monkeypatch.setattr(datasets, "load_dataset", fail)
    with pytest.raises(BadInput, match="not on the hub, or you have no access"):
        list(read(Source(hub="a/b")))


def test_a_network_that_fails_in_the_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    def rows(*args: object, **settings: object) -> Any:
        yield ROW
        raise ConnectionError("reset")

    monkeypatch.setattr(datasets, "load_dataset", rows)
    with pytest.raises(BadInput, match="after row 1: reset"):
        list(read(Source(hub="a/b")))


def test_sample() -> None:
    got = problems(Source(path="builtin:sample"))
    assert len(got) >= 100
    assert len({p.id for p in got}) == len(got)
    assert {p.source for p in got} == {"builtin:sample"}


def test_unknown_builtin() -> None:
    with pytest.raises(BadInput, match="'builtin:sample' is"):
        list(read(Source(path="builtin:simple")))


def test_synthetic() -> None:
    got = problems(Source(synthetic="test", limit=5))
    assert len(got) == 5
    assert got[0].source == "synthetic"
    assert got == problems(Source(synthetic="test", limit=5))
    assert expected_rows(Source(synthetic="test")) == len(problems(Source(synthetic="test")))


def test_input_files(tmp_path: Path) -> None:
    path = write(tmp_path / "d.jsonl", [ROW])
    assert input_files(Source(path=str(path))) == [path]
    assert input_files(Source(hub=str(tmp_path))) == [path]
    assert input_files(Source(hub="openai/gsm8k")) == []
    assert input_files(Source(synthetic="train")) == []
    (sample,) = input_files(Source(path="builtin:sample"))
    assert sample.is_file()
    with pytest.raises(BadInput, match=r"did you mean 'd\.jsonl'"):
        input_files(Source(path=str(tmp_path / "e.jsonl")))


def test_gsm8k_whole(shared_data: Path) -> None:
    items = list(read(Source(path=str(shared_data / "train" / "gsm8k.jsonl"))))
    assert len(items) == 7473
    assert all(isinstance(item, Problem) for item in items)
    assert sum("," in item.answer for item in items if isinstance(item, Problem)) == 79
    # 95 rows have no annotation, by the data's manifest.
    assert sum(not item.annotations for item in items if isinstance(item, Problem)) == 95


def test_mawps_whole(shared_data: Path) -> None:
    items = list(read(Source(path=str(shared_data / "train" / "mawps_asdiv_cot.json"))))
    assert len(items) == 3076
    good = [item for item in items if isinstance(item, Problem)]
    causes = Counter(item.reason for item in items if isinstance(item, Rejected))
    # Nine rows say "already answered"; row 915 concludes 9 where the answer is 8.93.
    assert causes == {"no_reasoning": 9, "answer_mismatch": 1}
    assert (good[0].id, good[0].answer) == ("svamp_0", "203")
    assert not any("the answer is <" in p.rationale for p in good)
    assert not any(p.answer.endswith(".0") for p in good)
