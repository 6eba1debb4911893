"""Graders for the pool's tests that do to their process what a hostile answer might."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from pathlib import Path
from typing import Any

from dualtune.grade import Grade
from dualtune.grade import grade as grade_number


def grade(output: str, gold: str, kind: str, **_: Any) -> Grade:
    """Obey an output that is a command; grade any other by the number's rules."""
    if kind == "mixed":  # what a keeper grades itself, to load what it needs, is of the row's kind
        raise ImportError("a package that is not installed")
    match output.split():
        case ["kill", "the", "keeper", times, file]:  # so many times, counted in the file
            with Path(file).open("a+", encoding="ascii") as seen:
                seen.seek(0)
                if len(seen.read()) < int(times):
                    seen.write("x")
                    seen.flush()
                    os.kill(os.getppid(), signal.SIGKILL)
                    time.sleep(60)
            return Grade("1", "correct", strict=True)
    match output:
        case "hang":
            while True:
                pass
        case "hang in C":
            # int to the power of int holds the interpreter for hours; no Python code runs in it.
            return Grade(str(10 ** (10**9) % 7), "correct", strict=True)
        case "sleep":
            time.sleep(3600)
        case "ignore signals":
            for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
                signal.signal(number, signal.SIG_IGN)
            signal.signal(signal.SIGPROF, signal.SIG_DFL)
            while True:
                pass
        case "block signals":  # the timer's among them
            signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))
            while True:
                pass
        case "segfault":
            ctypes.string_at(0)
        case "exit":
            os._exit(0)
        case "memory":
            return Grade(str(len([0] * 10**10)), "correct", strict=True)
        case "a gigabyte":
            return Grade(str(len(bytearray(1 << 30))), "correct", strict=True)
        case "leak":  # a little in each row: rows before it must not decide a row's status
            _KEPT.append(bytearray(40 << 20))
        case "hash":  # what the order of sets hangs on
            return Grade(str(hash("x")), "correct", strict=True)
        case "raise":
            raise RuntimeError("a rule with a fault")
        case "stack":
            return grade(output, gold, kind)
        case "kill the keeper":
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(60)
    return grade_number(output, gold, "number")


_KEPT: list[bytearray] = []
