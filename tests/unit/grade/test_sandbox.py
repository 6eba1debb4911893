"""The layers around a program: bubblewrap's command line, and what is said where one is missing."""

from __future__ import annotations

import logging
import shutil
import sys
from pathlib import Path

import pytest

from dualtune.grade import _jail, sandbox
from dualtune.grade.sandbox import LAYERS, Limits, bubblewrap_command, readable_paths, run_jailed


def _pairs(command: list[str], option: str) -> list[list[str]]:
    return [command[at + 1 : at + 3] for at, part in enumerate(command) if part == option]


def test_bubblewrap_gives_nothing_but_the_readable_paths_and_the_folder() -> None:
    command = bubblewrap_command("/usr/bin/bwrap", "/tmp/program", space=1000)
    assert command[0] == "/usr/bin/bwrap"
    assert command[-1] == "--"
    assert {"--unshare-all", "--die-with-parent", "--new-session"} <= set(command)
    assert "--share-net" not in command
    assert _pairs(command, "--cap-drop")[0][0] == "ALL"
    assert _pairs(command, "--ro-bind") == [[path, path] for path in readable_paths()]
    assert not [part for part in command if part.startswith(("--bind", "--dev-bind"))]
    size = command.index("--size")  # it holds for the tmpfs that follows it
    assert command[size : size + 4] == ["--size", "1000", "--tmpfs", "/tmp/program"]
    assert command.count("--tmpfs") == 1


def test_the_home_folder_is_not_readable() -> None:
    home = Path.home().resolve()
    assert all(Path(path).resolve() not in (home, *home.parents) for path in readable_paths())


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
def test_a_program_runs_in_bubblewrap() -> None:
    ended = run_jailed("open('f', 'w').write('1')\nprint(7)", Limits())
    assert (ended.code, ended.stdout.strip()) == (0, "7")
    assert {"namespaces", "tmpfs"} <= set(ended.held)


@pytest.mark.skipif(sys.platform != "linux", reason="programs run on Linux only")
def test_a_jail_that_cannot_be_closed_starts_no_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A jail in which a step on the way fails: the program must not run without it.
    source = Path(_jail.__file__).read_text("utf-8")
    step = "_drop_capabilities()\n"
    assert source.count(f"        {step}") == 1
    broken = tmp_path / "_jail.py"
    broken.write_text(source.replace(f"        {step}", "        raise OSError('on purpose')\n"))
    monkeypatch.setattr(_jail, "__file__", str(broken))
    readable_paths.cache_clear()
    try:
        with pytest.raises(sandbox.NoSandbox, match="could not be closed: on purpose"):
            run_jailed("print(7)", Limits())
    finally:
        readable_paths.cache_clear()


def test_what_is_missing_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    sandbox._notice.cache_clear()
    with caplog.at_level(logging.WARNING, logger="dualtune"):
        for _ in range(3):
            sandbox._notice(LAYERS)
            sandbox._notice(("landlock",))
    (said,) = [record.getMessage() for record in caplog.records]
    assert "no namespaces" in said
    assert "no seccomp" in said
    assert "Landlock:" not in said
    sandbox._notice.cache_clear()
