"""The command line: exit codes, messages, help, and what it does not import."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import dualtune
from dualtune import cli, run, summary
from dualtune.errors import BadInput, DualtuneError
from dualtune.recipe import describe_keys

WITH_RECIPE = ("run", "build", "preview", "plan", "train", "eval", "report")


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    values = {"data": {"train": {"synthetic": "train", "limit": 4}}, "run": str(tmp_path / "run")}
    file = tmp_path / "recipe.yaml"
    file.write_text(yaml.safe_dump(values))
    return str(file)


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(run.Pipeline, "everything", fail)


def test_done_is_0(
    recipe: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    called = []
    monkeypatch.setattr(run.Pipeline, "everything", lambda self: called.append(self.recipe))
    monkeypatch.setattr(summary, "print_summary", lambda folder: called.append(folder))
    assert cli.main(["run", recipe, "--train.epochs", "5", "--train.learning_rate=1e-4"]) == 0
    assert called[0].train.epochs == 5
    assert called[0].train.learning_rate == 1e-4
    assert called[1] == Path(called[0].run)
    assert capsys.readouterr().err == ""


def test_build_writes_and_tells(
    recipe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["build", recipe, "--data.validation", "0"]) == 0
    assert (tmp_path / "run" / "instances" / "train.parquet").exists()
    assert "Problems to train on" in capsys.readouterr().out


@pytest.mark.parametrize("command", WITH_RECIPE)
def test_bad_input_is_2_and_one_message(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([command, str(tmp_path / "none.yaml")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"dualtune {command}: recipe not found: ")
    assert "Traceback" not in err
    assert len(err.splitlines()) == 1


def test_unknown_key_is_2_and_nothing_is_written(
    recipe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["run", recipe, "--train.epoch", "3"]) == 2
    assert "did you mean 'epochs'" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_other_failures_are_1(
    recipe: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(monkeypatch, DualtuneError("the loss is nan"))
    assert cli.main(["run", recipe]) == 1
    assert capsys.readouterr().err == "dualtune run: the loss is nan\n"


def test_interrupted_is_130(
    recipe: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(monkeypatch, KeyboardInterrupt())
    assert cli.main(["run", recipe]) == 130
    err = capsys.readouterr().err
    assert "the same command goes on" in err
    assert "Traceback" not in err


def test_debug_shows_the_traceback(recipe: str, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, BadInput("no"))
    with pytest.raises(BadInput, match="no"):
        cli.main(["run", recipe, "--debug"])
    with pytest.raises(BadInput, match="no"):
        cli.main(["run", "--debug", recipe])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["tune"], "invalid choice: 'tune'"),
        (["run"], "RECIPE.yaml"),
        (["preview", "x.yaml", "--count", "0"], "0 is below 1"),
        (["preview", "x.yaml", "--count", "few"], "few"),
    ],
)
def test_wrong_usage_is_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    err = capsys.readouterr().err
    assert said in err
    assert "Traceback" not in err


@pytest.mark.parametrize("command", WITH_RECIPE)
def test_help_lists_every_key(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main([command, "--help"])
    assert caught.value.code == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line.split()}
    for key, kind, default, meaning in describe_keys():
        assert lines[key].endswith(f"{kind}, {default}: {meaning}")


def test_help_and_no_command_list_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0
    bare = capsys.readouterr().out
    with pytest.raises(SystemExit) as caught:
        cli.main(["--help"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == bare
    assert all(f"    {command} " in bare for command in (*WITH_RECIPE, "tasks"))


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.strip() == dualtune.__version__


def test_tasks_prints_a_folder_of_task_files(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["tasks"]) == 0
    assert list(Path(capsys.readouterr().out.strip()).glob("*.yaml"))


def test_what_a_command_would_pass_over_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["tasks", "--include_path"]) == 2
    assert cli.main(["report", str(tmp_path), "--eval.limit", "2"]) == 2
    assert "report of a run folder takes no keys: leave out '--eval.limit'" in (
        capsys.readouterr().err
    )


def test_every_public_name_can_be_imported() -> None:
    for name in dualtune.__all__:
        assert getattr(dualtune, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        dualtune.nothing  # noqa: B018


HEAVY = ("torch", "transformers", "pydantic", "datasets", "pyarrow", "numpy", "yaml", "rich")


@pytest.mark.parametrize(
    "code",
    [
        "import dualtune",
        "import dualtune.cli, contextlib\n"
        "with contextlib.suppress(SystemExit): dualtune.cli.main(['--help'])",
    ],
    ids=["import", "help"],
)
def test_starting_is_light(code: str) -> None:
    """Half a second to the first line is lost as soon as one of these is imported."""
    check = f"{code}\nimport sys\nprint('heavy:', *sorted(set({HEAVY!r}) & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.splitlines()[-1].split() == ["heavy:"]


def test_a_reader_that_goes_away_is_no_error() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "dualtune.cli", "tasks"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"},
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    err = process.stderr.read().decode()
    assert process.wait(timeout=120) == 0, err
    assert err == ""
