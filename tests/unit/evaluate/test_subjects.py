"""Names of models: safe, unique, and the same at the next command."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dualtune.errors import BadInput
from dualtune.evaluate.subjects import Subject, _safe, find_model, name_models


def model(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    return folder


def test_every_kind_of_model(tmp_path: Path) -> None:
    alone, run = model(tmp_path / "a" / "mine"), tmp_path / "runs" / "gsm8k"
    model(run / "model")
    found = name_models(
        ["base", "tuned", str(alone), str(run), "owner/some-model", "x=owner/other"],
        run=tmp_path / "run",
        resolve=find_model,
    )
    assert found == [
        Subject("base", "base"),
        Subject("tuned", "tuned"),
        Subject("mine", alone),
        Subject("gsm8k", run / "model"),
        Subject("some-model", "owner/some-model"),
        Subject("x", "owner/other"),
    ]


def test_names_stay_with_their_models(tmp_path: Path) -> None:
    one, two = model(tmp_path / "1" / "m"), model(tmp_path / "2" / "m")

    def names(*models: Path) -> list[str]:
        given = [str(m) for m in models]
        return [s.name for s in name_models(given, run=tmp_path / "run", resolve=find_model)]

    assert names(one, two) == ["m", "m-2"]
    # The second alone is not taken for the first, whose generations stand under the name m.
    assert names(two) == ["m-2"]
    assert names(two, one) == ["m-2", "m"]
    text = (tmp_path / "run" / "eval" / "names.json").read_text()
    assert str(tmp_path) not in text, "results name no path of the machine that made them"


@pytest.mark.parametrize("folder", ["base", "Tuned"])
def test_a_folder_cannot_pass_for_the_runs_own_models(tmp_path: Path, folder: str) -> None:
    found = name_models([str(model(tmp_path / folder))], run=tmp_path / "run", resolve=find_model)
    assert found[0].name == f"{folder}-2"


@example("~nobody-of-this-name/model")
@given(st.text(max_size=200))
def test_names_are_safe(text: str) -> None:
    name = _safe(text)
    assert name
    assert len(name.encode()) <= 4 * 80
    assert "/" not in name
    assert not name.startswith(".")
    assert name.isprintable()


@pytest.mark.parametrize(
    ("models", "message"),
    [
        (["base", "base"], "given twice: base"),
        (["owner/m", "owner/m"], "given twice: m"),
        (["tuned=owner/m"], "'tuned' is the name of the run's own model"),
        (["a/b=owner/m"], "is no NAME=MODEL"),
        (["nothing"], "neither a folder, a hub id"),
        (["./nothing/there"], "neither a folder, a hub id"),
    ],
)
def test_what_cannot_be_named_is_told(tmp_path: Path, models: list[str], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        name_models(models, run=tmp_path, resolve=find_model)


def test_a_run_that_has_not_trained_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="holds no model"):
        find_model(str(tmp_path / "empty"))
