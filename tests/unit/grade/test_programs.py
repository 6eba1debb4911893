"""Programs that models wrote: found, run in the sandbox, their answers read."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dualtune.grade.programs import (
    MAX_PROGRAM,
    Limits,
    Ran,
    extract_program,
    run_program,
    run_programs,
)

linux = pytest.mark.skipif(sys.platform != "linux", reason="programs run on Linux only")
QUICK = Limits(seconds=0.4, wall=3.0, memory=192 << 20)


@pytest.mark.parametrize(
    ("output", "program"),
    [
        ("print(1)", "print(1)"),
        ("Here it is:\n```python\nx = 2\nprint(x)\n```\nDone.", "x = 2\nprint(x)"),
        ("```python\nprint(1)", "print(1)"),  # cut off before its end
        ("```\nans = 3\n```\nor\n```py\nans = 4\n```", "ans = 4"),
        ("```python\nprint(5)\n```\nIt prints\n```\n5\n```", "print(5)"),
        ("```python\nprint(5)\n```\nIt prints\n```text\nprint(6)\n```", "print(5)"),
        ("```python\nprint(\n```", None),
        ("The answer is 5.", None),
        ("x", None),  # Python, but it says nothing
        ("", None),
        ("print(1)" + " " * MAX_PROGRAM, None),
        ("def solution():\n    return 3", "def solution():\n    return 3"),
    ],
)
def test_extract_program(output: str, program: str | None) -> None:
    assert extract_program(output) == program


@linux
@pytest.mark.parametrize(
    ("program", "answer"),
    [
        ("print(3 * 24)", "72"),
        ("print('first')\nprint('The answer is', 7)\n\n", "The answer is 7"),
        ("def solution():\n    return 72.0", "72.0"),
        ("ans = 144 / 2", "72.0"),
        ("answer = 'B'", "B"),
        ("print(0.1 + 0.2)", "0.3"),
        ("print(2 / 3)", "0.6666666666666666"),  # as it stands: no noise, but a fraction
        ("print([5])", "5"),
        ("print([5, 6])", "[5, 6]"),
        ("import sympy\nx = sympy.Symbol('x')\nprint(sympy.solve(2 * x - 1))", "1/2"),
        ("import math, decimal, fractions, itertools\nprint(math.comb(5, 2))", "10"),
        ("if __name__ == '__main__':\n    print(1)", "1"),
        ("x = 1", None),
        ("print(5)\nans = 7", "5"),  # what it finds counts where it prints nothing
        ("open('notes.txt', 'w').write('4')\nprint(open('notes.txt').read())", "4"),
    ],
)
def test_the_answer_of_a_program(program: str, answer: str | None) -> None:
    ran = run_program(program)
    assert (ran.status, ran.answer) == ("ok", answer), ran


# What a program may try, and what becomes of it. None of these reaches anything outside.
HOSTILE = {
    "endless loop": ("while True: pass", "timed_out", ""),
    "sleep": ("import time\ntime.sleep(100)", "timed_out", "wall"),
    "endless output": ("while True: print('a' * 1000)", "output", ""),
    "memory": ("x = [0] * 10**10", "memory", ""),
    "memory in bits": ("x = []\nwhile True: x.append(bytearray(1 << 20))", "memory", ""),
    "huge integers": ("x = 10 ** 10 ** 10", "timed_out", ""),
    "recursion": ("def f(): f()\nf()", "error", "RecursionError"),
    "stack": ("import sys\nsys.setrecursionlimit(10**9)\ndef f(): f()\nf()",
              "error|memory|timed_out", ""),
    "exit": ("import os\nprint(1, flush=True)\nos._exit(3)", "error", "exit code 3"),
    "the jail's exit codes": ("import os\nos._exit(87)", "error", "exit code 87"),
    "segfault": ("import ctypes\nctypes.string_at(0)", "error", "signal 11"),
    "standard input": ("print(repr(input()))", "error", "EOFError"),
    "fork": ("import os\nos.fork()\nprint(1)", "error", "PermissionError|BlockingIOError"),
    "fork bomb": (
        "import os\nfor _ in range(200):\n  try: os.fork()\n  except OSError as e: raise", "error",
        "PermissionError|BlockingIOError",
    ),
    "command": ("import os\nprint(os.system('id'))\nassert os.system('id') == 0", "error", ""),
    "threads": (
        "import threading, time\nwhile True: threading.Thread(target=time.sleep, "
        "args=(99,)).start()", "error", "can't start new thread",
    ),
    "closed descriptors": ("import os\nos.closerange(0, 256)\nwhile True: pass", "timed_out", ""),
    "ignored signals": (
        "import signal\nfor s in set(signal.Signals) - {9, 19}: signal.signal(s, 1)\n"
        "while True: pass", "timed_out", "",
    ),
    "its own timer off": (
        "import signal\nsignal.setitimer(signal.ITIMER_PROF, 0)\nwhile True: pass",
        "timed_out", "",
    ),
    "raised limits": (
        "import resource as r\nr.setrlimit(r.RLIMIT_AS, (r.RLIM_INFINITY, r.RLIM_INFINITY))",
        "error", "ValueError|PermissionError",
    ),
    "full disk": (
        "for i in range(10**6): open(f'f{i}', 'wb').write(b'a' * 60000)", "error", "No space",
    ),
    "many files": ("for i in range(10**6): open(f'f{i}', 'w').close()", "error", "No space"),
    "many open files": (
        "kept = [open('/dev/null') for _ in range(100)]", "error", "Too many open files",
    ),
    "one large file": ("open('f', 'wb').write(b'a' * 10**8)", "error", "File too large"),
    "network": (
        "import socket\nsocket.create_connection(('192.0.2.1', 9), 1)", "error",
        "Operation not permitted",
    ),
    "local socket": ("import socket\nsocket.socket(socket.AF_UNIX)", "error", "not permitted"),
    "parent": ("import os\nos.kill(os.getppid(), 9)", "error", "PermissionError"),
    "everyone": ("import os\nos.kill(-1, 9)", "error", "PermissionError"),
    "mount": (
        "import ctypes\nl = ctypes.CDLL(None, use_errno=True)\n"
        "assert l.mount(b'none', b'.', b'tmpfs', 0, b'size=1g') == 0", "error", "AssertionError",
    ),
    "new namespace": (
        "import ctypes\nassert ctypes.CDLL(None).unshare(0x10000000) == 0", "error", "Assertion",
    ),
}  # fmt: skip


@linux
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_programs(name: str) -> None:
    program, status, error = HOSTILE[name]
    started = time.monotonic()
    ran = run_program(program, limits=QUICK)
    assert ran.status in status.split("|"), ran
    assert not error or any(part in ran.error for part in error.split("|")), ran
    assert ran.answer is None
    assert len(ran.stdout) <= QUICK.output
    assert QUICK.wall is not None
    assert time.monotonic() - started < QUICK.wall + 9  # before the sandbox itself is given up


@linux
def test_all_files_together_have_a_limit() -> None:
    program = (
        "import os\n"
        "try:\n"
        "  for i in range(1000): open(f'f{i}', 'wb').write(b'a' * 60000)\n"
        "except OSError as e: print(e)\n"
        "print(sum(os.path.getsize(name) for name in os.listdir()))"
    )
    ran = run_program(program)
    assert "No space" in ran.stdout
    assert ran.answer is not None
    assert 0 < int(ran.answer) <= Limits().space


@linux
def test_nothing_outside_can_be_read_or_written(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hush")
    for target in (
        secret,
        Path("~").expanduser() / ".bashrc",
        Path("/etc/passwd"),
        Path("/proc/1"),
    ):
        ran = run_program(f"import os\nprint(open({str(target)!r}).read())")
        assert (ran.status, "hush" in ran.stdout) == ("error", False), ran
    assert run_program(f"import os\nprint(os.listdir({str(tmp_path)!r}))").status == "error"
    assert run_program(f"open({str(tmp_path / 'new')!r}, 'w')").status == "error"
    assert run_program(f"import os\nos.remove({str(secret)!r})").status == "error"
    assert run_program(f"import os\nos.symlink({str(secret)!r}, 'l')\nopen('l')").status == "error"
    assert secret.read_text() == "hush"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["secret"]


@linux
def test_nothing_of_the_user_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hush")
    ran = run_program("import os\nprint(os.getcwd())\nprint(dict(os.environ))")
    assert ran.status == "ok"
    assert "hush" not in ran.stdout
    assert not Path(ran.stdout.splitlines()[0]).exists()  # its folder has gone


@linux
def test_descriptors_of_this_process_are_not_passed_on(tmp_path: Path) -> None:
    with (tmp_path / "open").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        ran = run_program("import os\nfor n in range(3, 200):\n  try: os.fstat(n)\n"
                          "  except OSError: continue\n  else: print(n)")  # fmt: skip
    assert (ran.status, ran.stdout) == ("ok", "")


@linux
def test_a_server_here_cannot_be_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        ran = run_program(f"import socket\nsocket.create_connection(('127.0.0.1', {port}), 1)")
    assert ran.status == "error", ran


@linux
def test_a_long_program_is_refused() -> None:
    ran = run_program("x = 1\n" * MAX_PROGRAM)
    assert (ran.status, ran.answer) == ("refused", None)
    assert "characters" in ran.error


@linux
def test_what_does_not_parse_is_an_error() -> None:
    assert run_program("x = (").status == "error"
    assert run_program("print('\ud800')").status == "error"
    assert run_program("print('\0')").status == "error"


@linux
def test_programs_run_in_order_several_at_once_and_from_a_thread() -> None:
    found: list[Ran] = []

    def run() -> None:
        found.extend(run_programs(_programs(), workers=2))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert [ran.answer for ran in found] == ["0", "1", None, "3"]
    assert [ran.status for ran in found] == ["ok", "ok", "error", "ok"]


def _programs() -> Iterator[str]:
    for at in range(4):
        yield "1 / 0" if at == 2 else f"print({at})"
