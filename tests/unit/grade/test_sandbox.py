"""The layers around a program: bubblewrap's command line, and what is said where one is missing."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dualtune.grade import _jail, sandbox
from dualtune.grade.programs import run_program
from dualtune.grade.sandbox import LAYERS, Limits, bubblewrap_command, readable_paths, run_jailed
from tests.unit.grade.test_programs import HOSTILE, QUICK

linux = pytest.mark.skipif(sys.platform != "linux", reason="programs run on Linux only")


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


def _replace_in_jail(found: str, put: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have programs run in a jail of which one place is another."""
    source = Path(_jail.__file__).read_text("utf-8")
    assert source.count(found) == 1
    changed = tmp_path / "_jail.py"
    changed.write_text(source.replace(found, put))
    for path in (changed, *changed.parents):  # also nobody is to read it
        if path.stat().st_uid == os.geteuid() and path.is_relative_to(tempfile.gettempdir()):
            path.chmod(path.stat().st_mode | (0o444 if path == changed else 0o011))
    monkeypatch.setattr(_jail, "__file__", str(changed))


@pytest.fixture
def _fresh_caches() -> Iterator[None]:
    """What was found out about one jail does not hold for another."""
    caches = (readable_paths, sandbox._becomes_nobody, sandbox._notice)
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


@linux
@pytest.mark.usefixtures("_fresh_caches")
def test_a_jail_that_cannot_be_closed_starts_no_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A step on the way fails: the program must not run without it.
    step = "        _drop_capabilities()\n"
    _replace_in_jail(step, "        raise OSError('on purpose')\n", tmp_path, monkeypatch)
    started = tmp_path / "open to all"
    started.mkdir()
    started.chmod(0o777)
    with pytest.raises(sandbox.NoSandbox, match="could not be closed: on purpose"):
        run_jailed(f"open({str(started / 'file')!r}, 'w')", Limits())
    assert not list(started.iterdir())


@linux
def test_cpu_time_is_limited_to_the_fraction_of_a_second() -> None:
    ended = run_jailed("while True: pass", QUICK)
    assert 0.3 < ended.cpu < 0.9  # the kernel's own limit counts whole seconds


# A layer, and what has it missing, as on a machine whose kernel does not grant it.
_OFF = {
    "namespaces": ("    if libc.unshare(flags) != 0:\n", "    if True:\n"),
    "tmpfs": ('b"tmpfs", folder, b"tmpfs"', 'b"tmpfs", folder, b"no such thing"'),
    "landlock": ("    return max(version, 0)\n", "    return 0\n"),
    "seccomp": (
        'ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}',
        "ARCHITECTURES = {}",
    ),
}
_HELD_BY_OTHERS = (
    "memory", "endless output", "fork bomb", "threads", "command", "network", "parent", "everyone",
    "raised limits", "mount", "full disk", "ignored signals",
)  # fmt: skip


@linux
@pytest.mark.skipif(shutil.which("bwrap") is not None, reason="bubblewrap makes the namespaces")
@pytest.mark.usefixtures("_fresh_caches")
@pytest.mark.parametrize("layer", _OFF)
def test_without_one_layer_the_others_hold(
    layer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run_jailed("print(1)", QUICK).held
    if layer not in whole:
        pytest.skip(f"this machine has no {layer}")
    secret = tmp_path / "secret"
    secret.write_text("hush")
    secret.chmod(0o600)
    _replace_in_jail(*_OFF[layer], tmp_path, monkeypatch)
    if layer == "seccomp":
        monkeypatch.setattr(_jail, "ARCHITECTURES", {})
        if os.geteuid() == 0 and not sandbox._becomes_nobody():
            # Nothing else limits root's processes: its programs are not run.
            assert run_program("print(1)").status == "refused"
            return
    lost = {layer, "tmpfs"} if layer == "namespaces" else {layer}
    assert set(whole) - set(run_jailed("print(1)", QUICK).held) == lost
    for name in _HELD_BY_OTHERS:
        ran = run_program(HOSTILE[name][0], limits=QUICK)
        assert ran.status in HOSTILE[name][1].split("|"), (name, ran)
    if layer != "landlock":
        assert run_program(f"print(open({str(secret)!r}).read())").status == "error"
        assert run_program(f"open({str(tmp_path / 'new')!r}, 'w')").status == "error"
    assert secret.read_text() == "hush"


@linux
@pytest.mark.skipif(shutil.which("bwrap") is not None, reason="bubblewrap makes the namespaces")
@pytest.mark.usefixtures("_fresh_caches")
def test_without_namespaces_what_a_program_leaves_behind_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _replace_in_jail(*_OFF["namespaces"], tmp_path, monkeypatch)
    if os.geteuid() == 0 and not sandbox._becomes_nobody():
        pytest.skip("root's programs may start no processes here")
    program = (
        "import os, time\n"
        "child = os.fork()\n"
        "if not child:\n"
        "  os.setsid()\n"
        "  time.sleep(99)\n"
        "print(child)"
    )
    ended = run_jailed(program, Limits(seconds=0.4, wall=20.0, processes=4))
    assert ended.code == 0, ended
    assert ended.seconds < 15
    assert not Path(f"/proc/{ended.stdout.strip()}").exists()


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
